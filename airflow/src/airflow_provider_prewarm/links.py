"""The link from a task to its run's page."""

from __future__ import annotations

from typing import Any

from airflow_provider_prewarm._compat import BaseOperatorLink, Context, xcom_value


class PrewarmRunLink(BaseOperatorLink):
    """The run's page, as the operator pushed it at submit."""

    name = "Prewarm run"
    xcom_key = "prewarm_run_link"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address; empty where there is none yet.

        Airflow 3 calls it at the end of a try, in the task's process, and pushes what it gives under the same key: so
        it has to be what is there. It is not asked for where the operator knows it: Airflow logs an error for an XCom
        that is not there. Airflow 2 calls it in the web server, to show it.
        """
        known = getattr(operator, "_link", None)
        if isinstance(known, str):
            return known
        return str(xcom_value(ti_key, self.xcom_key) or "")


def push_link(context: Context, url: str) -> None:
    """Show the link while the run goes on: Airflow 3 asks for it only after its end. An empty one is not pushed."""
    if url:
        context["ti"].xcom_push(key=PrewarmRunLink.xcom_key, value=url)
