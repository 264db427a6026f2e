"""Work that proves how often it was done: each test triggers one of these DAGs under an id of its own."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

from airflow_provider_prewarm.operators.run import PrewarmRunOperator

try:
    from airflow.sdk import DAG
except ImportError:  # 2.11
    from airflow import DAG

# The program of the test image (test/fleet/program): it prints "out i" and "err i" by turns, with a pause between, and
# writes down in /ledger that it began and ended.
WORK = [
    "work",
    "/ledger",
    "{{ params.name or run_id }}",
    "{{ params.lines }}",
    "{{ params.pause }}",
    "{{ params.code }}",
]
PARAMS = {"name": "", "lines": 3, "pause": "100ms", "code": 0}


class TimedOperator(PrewarmRunOperator):
    """Writes down when Airflow calls its on_kill."""

    def on_kill(self) -> None:
        with Path(os.environ["AIRFLOW_HOME"], "on_kill").open("a") as book:
            book.write(f"{self.dag.dag_id} {time.time()}\n")
        super().on_kill()


for deferrable in (False, True):
    with DAG("deferred" if deferrable else "sync", schedule=None, params=PARAMS, catchup=False):
        TimedOperator(
            task_id="job",
            image="node-jobs",
            command=WORK,
            deferrable=deferrable,
            retries=2,
            retry_delay=timedelta(seconds=1),
            # What test_secrets.py looks for.
            secret_env={"PLANTED": os.environ.get("PLANTED_SECRET", "")},
        )

# The stop signal is one that the program does not hear, so that a stop takes all of the grace (4 s).
with DAG("stubborn", schedule=None, params=PARAMS, catchup=False):
    TimedOperator(
        task_id="job",
        image="node-jobs",
        command=WORK,
        stop_signal="SIGUSR1",
        deferrable=False,
        retries=1,
        retry_delay=timedelta(seconds=1),
    )

with DAG("released", schedule=None, params=PARAMS, catchup=False):
    TimedOperator(
        task_id="job",
        image="node-jobs",
        command=WORK,
        on_kill="release",
        deferrable=False,
        retries=1,
        retry_delay=timedelta(seconds=1),
    )

# Prints its environment, the secret with it, twice: by the program, and deferred.
with DAG("secret", schedule=None, catchup=False):
    for task, deferrable in {"job": False, "deferred": True}.items():
        PrewarmRunOperator(
            task_id=task,
            image="node-jobs",
            command=["env"],
            deferrable=deferrable,
            secret_env={"PLANTED": os.environ["PLANTED_SECRET"]},
        )
