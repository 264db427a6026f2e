"""One container for each customer of a list that is known only when the DAG runs, on whichever host has room.

Each has a key, a log and a retry of its own. Deferred tasks take no slot of a worker and are in no pool, so it is
Prewarm that bounds them: here to four at a time, on the whole fleet.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_prewarm.operators.run import PrewarmRunOperator

# The entry of Prewarm's configuration. Its program: `node /app/job.js LINES PAUSE_MS`.
IMAGE = os.environ.get("PREWARM_EXAMPLE_NODE", "node-jobs")

with DAG(
    "example_mapped",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "prewarm"],
):

    @task
    def customers() -> list[dict]:
        """Whose work there is today: parameters of a task each."""
        names = os.environ.get("PREWARM_EXAMPLE_CUSTOMERS", "ACME,Globex,Initech").split(",")
        return [
            {
                "env": {"CUSTOMER": name},
                "meta": {"customer": name, "process": "statements"},
                "command": [str(lines), "50"],
            }
            for lines, name in enumerate(names, 1)
        ]

    @task
    def count(last_lines: list[str]) -> int:
        """How many are done. A container's XCom is the last line of its stdout."""
        done = [line for line in last_lines if line == "done"]
        print(f"{len(done)} of {len(last_lines)} statements are made")
        return len(done)

    statements = PrewarmRunOperator.partial(
        task_id="statements",
        image=IMAGE,
        deferrable=True,
        retries=1,
        concurrency_group="statements",
        concurrency_limit=4,
    ).expand_kwargs(customers())
    count(statements.output)
