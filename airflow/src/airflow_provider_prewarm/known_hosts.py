"""The server's hosts, as a parse of DAGs knows them: asked once, and remembered for as long as its process lives.

A DAG file is parsed again and again: a server that is slow or away must not slow that down. Nor is it asked where a
task begins, which is a parse, too: hosts that have changed since would keep all tasks of the file from running.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow_provider_prewarm._compat import get_parsing_context
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import Client
from airflow_provider_prewarm.api.connection import Server

Host = dict[str, Any]

# Seconds for all of an answer.
LIMIT = 2.0
KEEP = 300.0
# How long nobody is asked again after an answer that did not come: fifty tasks of a file do not wait fifty times.
KEEP_FAILURE = 60.0


@dataclass(frozen=True)
class _Known:
    hosts: list[Host] | None
    until: float


_known: dict[str, _Known] = {}
_lock = threading.Lock()


def at_parse(conn_id: str) -> list[Host] | None:
    """The hosts, for a check while a DAG is parsed; None: they can't be known now, and the task will ask.

    :param conn_id: the connection, which may be missing where DAGs are parsed
    """
    if get_parsing_context().dag_id:  # a task begins, which asks by itself, for what it needs
        return None
    with _lock:
        known = _known.get(conn_id)
        if known is None or known.until < time.monotonic():
            hosts = _asked(conn_id)
            known = _Known(hosts, time.monotonic() + (KEEP if hosts is not None else KEEP_FAILURE))
            _known[conn_id] = known
        return known.hosts


def fetch(server: Server, timeout: float | None = None) -> list[Host]:
    """The hosts, asked now.

    :raises PrewarmError: the server was not reached, or refused
    """
    with Client(server, timeout) as client:
        return list(client.send(calls.list_hosts())["hosts"])


def forget() -> None:
    """For tests, and for a process that knows of a change."""
    with _lock:
        _known.clear()


def _asked(conn_id: str) -> list[Host] | None:
    from airflow_provider_prewarm.hooks.prewarm import PrewarmHook

    try:
        server = PrewarmHook(conn_id).server
    except Exception:  # whatever a missing connection or a secrets backend raises
        return None
    found: list[list[Host]] = []

    def ask() -> None:
        with suppress(Exception):  # a server that is away
            found.append(fetch(server, LIMIT))

    # A client's limit is one of each read, and none of the name's look-up.
    asking = threading.Thread(target=ask, name="prewarm hosts", daemon=True)
    asking.start()
    asking.join(LIMIT)
    return found[0] if found else None
