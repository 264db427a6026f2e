"""``@task.prewarm``: a function decides, on the worker, what the container runs. Nothing of Python is in the image."""

from __future__ import annotations

import os
from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

# The entry of Prewarm's configuration. Its program: `node /app/job.js LINES PAUSE_MS`.
IMAGE = os.environ.get("PREWARM_EXAMPLE_NODE", "node-jobs")

with DAG(
    "example_decorator",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "prewarm"],
    params={"lines": 2},
):

    @task.prewarm(image=IMAGE, env={"DAY": "{{ ds }}"}, retries=1)
    def count(params: dict | None = None) -> list[str]:
        """The command, as a list. What the function asks for of the context it gets by name."""
        lines = max(1, int((params or {})["lines"]))
        return [str(lines), "50"]

    @task.prewarm(image=IMAGE, deferrable=True)
    def again(said: str, pause: int) -> str:
        """The command, as a text that is split as a shell would; templates in it are rendered."""
        print(f"the task before said {said!r}")
        return f"{{{{ params.lines }}}} {pause}"

    # Mapped: a container for each pause.
    again.partial(said=count()).expand(pause=[10, 20])
