"""A worker: runs tasks under Airflow's own supervisor, one after the other, as a Celery or local executor does.

Supervisor, task process (a fork), log channel and log file are Airflow's. Only the API server is not there: what it
would answer is made up here, the same for whatever is measured, so that no scheduler or database is in the figures.

It reads tasks from standard input, a JSON object on each line, and answers with the state of each on the descriptor
that its argument names.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from datetime import datetime, timezone
from typing import Any

import httpx

DAG_FILE = "task.py"


def execution_api(task: dict[str, Any], told: dict[str, str]) -> httpx.MockTransport:
    """What an API server answers to a task's supervisor. The state that the task ended in is told."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/run"):
            return httpx.Response(200, json=_run_context(task))
        if path.endswith("/state"):
            told["state"] = str(json.loads(request.content).get("state"))
            return httpx.Response(204)
        if request.method == "GET":
            reason = {"reason": "not_found", "message": "nothing is kept"}
            return httpx.Response(404, json={"detail": reason})
        return httpx.Response(201 if path.startswith("/xcoms") else 204, json={"message": "ok"})

    return httpx.MockTransport(answer)


def _run_context(task: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(tz=timezone.utc).isoformat()
    return {
        "dag_run": {
            "dag_id": task["dag"],
            "run_id": task["run"],
            "logical_date": now,
            "data_interval_start": now,
            "data_interval_end": now,
            "run_after": now,
            "start_date": now,
            "end_date": None,
            "run_type": "manual",
            "state": "running",
            "consumed_asset_events": [],
            "partition_key": None,
        },
        "max_tries": task["retries"],
        "should_retry": task["try"] <= task["retries"],
    }


def execute(task: dict[str, Any]) -> dict[str, Any]:
    """Run one task to its end."""
    from airflow.sdk.api.client import Client
    from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance
    from airflow.sdk.execution_time.supervisor import supervise_task

    os.environ["PREWARM_BENCH_TASK"] = json.dumps(task)
    told: dict[str, str] = {}
    api = execution_api(task, told)
    instance = TaskInstance(
        id=uuid.uuid4(),
        dag_id=task["dag"],
        run_id=task["run"],
        task_id="task",
        try_number=task["try"],
        dag_version_id=uuid.uuid4(),
        map_index=-1,
    )
    with Client(base_url="http://in-process.invalid/", token="", transport=api) as client:
        code = supervise_task(
            ti=instance,
            bundle_info=BundleInfo(name="dags-folder"),
            dag_rel_path=DAG_FILE,
            token="",
            client=client,
            log_path=task["log"],
        )
    return {"exit_code": code, "state": told.get("state", "")}


def main() -> None:
    # Forked task processes find them imported, as they do in a worker that ran a task before.
    import airflow.sdk.execution_time.supervisor  # noqa: F401

    with os.fdopen(int(sys.argv[1]), "w") as answers:
        for line in sys.stdin:
            print(json.dumps(execute(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
