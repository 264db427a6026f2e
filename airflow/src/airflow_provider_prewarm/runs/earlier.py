"""A run of an earlier try, where the task runs through DockerOperator now: one piece of work, one container."""

from __future__ import annotations

from typing import Any

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import Client
from airflow_provider_prewarm.exceptions import PrewarmError
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.runs.follow import LOOK, Patience, send

# Seconds for a server that is away: it may be the reason for which tasks run through DockerOperator again.
_PATIENCE = 30.0


def stop(conn_id: str, key: str, log: Any) -> None:
    """Cancel the active runs of a key, and wait for their ends.

    :param conn_id: the connection; where there is none, no run was begun by it
    """
    try:
        server = PrewarmHook(conn_id).server
    except Exception as e:  # whatever a missing connection or a secrets backend raises
        log.info("Prewarm: no run of an earlier try was looked for: %s", e)
        return
    patience = Patience(_PATIENCE, lambda why: log.warning("Prewarm: %s", why))
    try:
        with Client(server) as client:
            for run in send(client, calls.list_runs(key=key, active="true"), patience)["runs"]:
                _end(client, run, patience, log)
    except PrewarmError as e:
        log.warning("Prewarm: whether a run of an earlier try is still under way is not known: %s", e)


def _end(client: Client, run: dict[str, Any], patience: Patience, log: Any) -> None:
    log.warning(
        "Prewarm: run %s of an earlier try is %s on %s: it is stopped before DockerOperator starts a container",
        run["id"], run["state"], run.get("host") or "no host yet",
    )  # fmt: skip
    send(client, calls.cancel_run(run["id"]), patience)
    while not run["ended"]:
        run = send(client, calls.wait_run(run["id"], LOOK), patience)
    log.info("Prewarm: run %s is %s", run["id"], run["state"])
