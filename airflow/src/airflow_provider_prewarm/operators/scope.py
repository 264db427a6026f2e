"""End a pin scope."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow_provider_prewarm._compat import BaseOperator, Context
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.connection import DEFAULT_CONN_ID
from airflow_provider_prewarm.exceptions import RequestRefused
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.runs.follow import Patience, send
from airflow_provider_prewarm.runs.task import try_of
from airflow_provider_prewarm.runs.terms import seconds_of


class PrewarmScopeEndOperator(BaseOperator):
    """Let the digests and the volume of a pin scope go, at the end of a DAG run rather than 24 h after its last use.

    Runs of the scope that are queued or under way go on, and its volume stays until they have ended. A task that is
    cleared later gets the digest that it had, as long as that is warm. Use it as a teardown::

        prepare >> work >> PrewarmScopeEndOperator(task_id="end_scope").as_teardown(setups=prepare)

    :param prewarm_conn_id: the connection
    :param pin_scope: the name of the scope; None: that of the DAG run
    :param reconnect_timeout: how long a server that is gone is tried before the try fails
    """

    template_fields: Sequence[str] = ("prewarm_conn_id", "pin_scope")
    ui_color = "#f3e9d8"

    def __init__(
        self,
        *,
        prewarm_conn_id: str = DEFAULT_CONN_ID,
        pin_scope: str | None = None,
        reconnect_timeout: timedelta | float = timedelta(minutes=10),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prewarm_conn_id = prewarm_conn_id
        self.pin_scope = pin_scope
        self.reconnect_timeout = reconnect_timeout

    def execute(self, context: Context) -> None:
        """End it. One that is not there, or has ended, is fine."""
        scope = self.pin_scope or try_of(context).scope
        patience = Patience(seconds_of(self.reconnect_timeout), lambda why: self.log.warning("Prewarm: %s", why))
        try:
            with PrewarmHook(self.prewarm_conn_id).get_conn() as client:
                ended = send(client, calls.end_scope(scope), patience)
        except RequestRefused as e:
            if e.code != "scope_not_found":
                raise
            self.log.info("Prewarm: there is no pin scope %s: no run used it", scope)
            return
        pins = ", ".join(pin["pin"] for pin in ended["pins"])
        self.log.info("Prewarm: pin scope %s has ended; its digests are held no more: %s", scope, pins or "none")
