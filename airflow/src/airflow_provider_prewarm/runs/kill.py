"""Airflow kills a task: its run is stopped, or let go, and ``execute`` ends.

``on_kill`` is called by the handler of SIGTERM, within the main thread, wherever that is: in a read that lasts for
hours, or while it writes a record and holds the log's lock. So what is here has a connection of its own, asks Airflow
for nothing and writes no log, and takes two seconds: five seconds later the process is ended. An answer that comes byte
by byte may take longer than that; the keepalive ends the run then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_provider_prewarm._compat import AIRFLOW_3
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import Client
from airflow_provider_prewarm.api.connection import Server
from airflow_provider_prewarm.exceptions import PrewarmError, RequestRefused, TryKilled, passing

# Seconds for all of it, and between two tries at a call.
WITHIN = 2.0
_PAUSE = 0.2


class Kill:
    """What is to be done when one try is killed.

    :param server: where its run is
    :param word: of the try
    :param release: let the run go on for the next try
    """

    def __init__(self, server: Server, word: str, release: bool = False) -> None:
        self.waiting = False
        self.happened = False
        # Set before a submit is sent, and the run once it is answered.
        self.submit: calls.Call | None = None
        self.run = ""
        self._server = server
        self._word = word
        self.release = release
        self._ended = "Airflow ended this try"
        self._did = ""
        self._of_later_try = False

    def answered(self, run: Mapping[str, Any]) -> None:
        """The submit was answered.

        A call that arrived late joins what a later try has asked for meanwhile: that is not this try's to stop.
        """
        ours = ((self.submit and self.submit.body) or {}).get("try") or 0
        self._of_later_try = (run.get("try") or 0) > ours
        self.run = run["id"]

    @contextmanager
    def able(self) -> Iterator[None]:
        """What is done herein waits for the server, and a kill ends it."""
        self.wait()
        try:
            yield
        finally:
            self.waiting = False

    def wait(self) -> None:
        """From here on a kill ends what is waited for; one that came before does so now."""
        self.waiting = True
        self.check()

    def check(self) -> None:
        """End the try here if it was killed.

        :raises TryKilled: it was
        """
        if self.happened:
            self.waiting = False
            raise TryKilled(self._did)

    def now(self) -> None:
        """Do it. Where Airflow does not raise after ``on_kill`` by itself, this raises into what waits.

        :raises TryKilled: the main thread waits for the server
        """
        if not self.happened:
            self.happened = True
            self._did = self._stop()
        elif not self._did:
            return  # a second signal, within the first one's handler
        if AIRFLOW_3 and self.waiting:
            self.check()

    @property
    def did(self) -> str:
        """What was done, for a reader; empty before."""
        return self._did

    def interrupted(self) -> None:
        """Do it for a person at a terminal, whose Ctrl-C goes on to end the program."""
        self.waiting = False
        self._ended = "this try was interrupted"
        self.now()

    def _stop(self) -> str:
        """Do what the task wants done with its run, and say so."""
        ended = self._ended
        if not self.run and not self.submit:
            return f"{ended} before it asked for anything"
        if self.release:
            return f"{ended}; {self._named()} goes on, and the next try joins it"
        until = time.monotonic() + WITHIN
        while True:
            # Without a run there are two calls to make in the same time.
            left = until - time.monotonic()
            try:
                with Client(self._server, timeout=left if self.run else left / 2) as client:
                    return f"{ended}; {self._cancel(client)}"
            except PrewarmError as e:
                if not passing(e) or until - time.monotonic() < 2 * _PAUSE:
                    return f"{ended}; {self._named()} could not be canceled, and ends by its keepalive: {e}"
            time.sleep(_PAUSE)

    def _named(self) -> str:
        return f"run {self.run}" if self.run else "the run that it may have asked for"

    def _cancel(self, client: Client) -> str:
        if not self.run and self.submit:
            # The answer is on its way. The same word gives the same run.
            try:
                self.answered(client.send(self.submit))
            except RequestRefused as e:
                if passing(e):
                    raise
                return f"its submit was refused: {e}"
        if self._of_later_try:
            return f"run {self.run} goes on: a later try has asked for it"
        try:
            client.send(calls.cancel_run(self.run, self._word))
        except RequestRefused as e:
            if e.code != "joined_since":
                raise
            return f"run {self.run} goes on: another try has joined it since"
        return f"run {self.run} is being stopped"
