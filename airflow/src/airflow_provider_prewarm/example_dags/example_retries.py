"""Retries without a second container, a worker's slot given free, and exit codes that say more than failed.

``job`` is deferrable: the worker goes on with other tasks while the container runs, and the triggerer follows its log.
Killed workers and triggerers are no failure of the run: the next try joins the container that they left, and finishes
it. A new container is started only where the one before has failed.

See a retry: trigger the DAG with ``{"exit_code": 75}``. With 64 the task fails at once, without one.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_prewarm.operators.run import PrewarmRunOperator

# The entry of Prewarm's configuration for a program with verbs: `exit CODE`, `lines N PAUSE`, `print TEXT`.
IMAGE = os.environ.get("PREWARM_EXAMPLE_TOOLS", "tools")

with DAG(
    "example_retries",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "prewarm"],
    params={"exit_code": 0},
    default_args={"deferrable": True},
):
    job = PrewarmRunOperator(
        task_id="job",
        image=IMAGE,
        command=["exit", "{{ params.exit_code }}"],
        retries=3,
        retry_delay=timedelta(seconds=10),
        retry_exponential_backoff=True,
        # The program's own words: 64, it was called wrongly, so that another try is of no use.
        fail_on_exit_code=64,
        # A worker that is shut down does not take the container with it; "cancel" would, as DockerOperator does.
        on_kill="release",
        # A digest that is on its way to the hosts is waited for, instead of a try spent on it.
        wait_warm=timedelta(minutes=15),
    )
    # 99: there was nothing to do. The task is skipped, and so is what comes after it.
    news = PrewarmRunOperator(task_id="news", image=IMAGE, command=["exit", "99"], skip_on_exit_code=99)
    publish = PrewarmRunOperator(task_id="publish", image=IMAGE, command=["print", "published"])
    # One task must not wait for the other's news.
    summary = PrewarmRunOperator(
        task_id="summary", image=IMAGE, command=["lines", "3", "100ms"], trigger_rule="none_failed_min_one_success"
    )
    job >> news >> publish
    [job, publish] >> summary
