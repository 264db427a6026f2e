"""The connection to a Prewarm server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import Any

from airflow_provider_prewarm._compat import BaseHook
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import AsyncClient, Client
from airflow_provider_prewarm.api.connection import DEFAULT_CONN_ID, Server, server_of
from airflow_provider_prewarm.exceptions import PrewarmError, RequestRefused
from airflow_provider_prewarm.form import BEHAVIOUR, widgets

# Seconds between two looks of a trigger at its connection.
_LOOKS = (1.0, 3.0, 9.0)


class PrewarmHook(BaseHook):
    """Talk to a Prewarm server.

    :param prewarm_conn_id: the connection, of type ``prewarm``
    """

    conn_name_attr = "prewarm_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "prewarm"
    hook_name = "Prewarm"

    def __init__(self, prewarm_conn_id: str = DEFAULT_CONN_ID) -> None:
        super().__init__()
        self.prewarm_conn_id = prewarm_conn_id

    @cached_property
    def server(self) -> Server:
        """Where the server is. Airflow is asked once: a kill hook must not ask it."""
        return server_of(self.get_connection(self.prewarm_conn_id))

    async def aserver(self) -> Server:
        """``server``, from an event loop, which must not wait for Airflow. Afterwards ``server`` is known, too."""
        if "server" not in self.__dict__:
            if hasattr(self, "aget_connection"):
                # Airflow calls a trigger's on_kill only where the cancellation still has its message, which asgiref,
                # through which this goes, loses; a shield keeps it.
                connection = await asyncio.shield(self.aget_connection(self.prewarm_conn_id))
            else:  # 2.11
                connection = await asyncio.to_thread(self.get_connection, self.prewarm_conn_id)
            self.__dict__["server"] = server_of(connection)
        return self.server

    def get_conn(self) -> Client:
        """A client of its own; the caller closes it."""
        return Client(self.server)

    def get_async_conn(self) -> AsyncClient:
        """The same for an event loop, once ``aserver`` was awaited."""
        return AsyncClient(self.server)

    async def aopen(self, told: Callable[[str], None]) -> AsyncClient:
        """A client for an event loop. While Airflow can't look, it says that there is no connection: so several times.

        :param told: is told why it is tried again
        """
        for pause in _LOOKS:
            try:
                await self.aserver()
                return self.get_async_conn()
            except Exception as e:  # whatever a missing connection, a secrets backend or a file raises
                told(f"the connection can't be used: {e}; trying again in {pause:g} s")
            await asyncio.sleep(pause)
        await self.aserver()
        return self.get_async_conn()

    def test_connection(self) -> tuple[bool, str]:
        """Whether the server answers, takes the token, and would take a run of it."""
        try:
            with Client(self.server, timeout=10) as client:
                health = client.send(calls.health())
                if not isinstance(health, dict) or "version" not in health:
                    return (
                        False,
                        f"{self.server.url}: what answers is not Prewarm; check the connection's host and port",
                    )
                # Anybody may ask for its health.
                client.send(calls.list_runs(limit=1))
                refused = _submit_refused(client)
        except (PrewarmError, ValueError, OSError) as e:
            return False, str(e)
        said = f"Prewarm {health['version']} answers at {self.server.url}"
        return (False, f"{said}, and the token can't submit runs: {refused}") if refused else (True, said)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The fields of Airflow 2's form; Airflow 3.2 and later read get_provider_info."""
        return widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """How it shows them."""
        return BEHAVIOUR


def _submit_refused(client: Client) -> str:
    """Why the server would take no run of this token; empty: it would.

    A check changes nothing. Who may submit is looked at first, and then the body, which is none.
    """
    try:
        client.send(calls.check_submit({}))
    except RequestRefused as e:
        if e.code in ("forbidden", "not_allowed", "unauthenticated"):
            return str(e)
    return ""
