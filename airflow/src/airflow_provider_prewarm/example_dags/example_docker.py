"""A DAG that was written for DockerOperator: the import is all that has changed.

Before::

    from airflow.providers.docker.operators.docker import DockerOperator

What it does now that it did not: no pull in the task, one container however often a worker dies, nothing left on the
host. ``python -m airflow_provider_prewarm check DAGS`` lists what changes for yours.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_prewarm.operators.docker import PrewarmDockerOperator as DockerOperator

# As DockerOperator takes it, repo:tag: the entry of Prewarm's configuration that tracks it is found; without a tag it
# is :latest. Or the entry's name with a tag that it tracks: this one is tools:latest.
IMAGE = os.environ.get("PREWARM_EXAMPLE_DOCKER", os.environ.get("PREWARM_EXAMPLE_TOOLS", "tools"))

with DAG(
    "example_docker",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "prewarm"],
    default_args={"auto_remove": "success", "mount_tmp_dir": False, "network_mode": "bridge"},
):
    count = DockerOperator(
        task_id="count",
        image=IMAGE,
        command="lines 3 50ms",
        environment={"DAY": "{{ ds }}"},
        private_environment={"TOKEN": "not-shown-in-the-ui"},
        mem_limit="256m",
        retries=1,
    )
    # The XCom is the last line of the log, as it was.
    tell = DockerOperator(
        task_id="tell",
        image=IMAGE,
        command=["print", "{{ ti.xcom_pull(task_ids='count') }} was the last"],
        xcom_all=True,
    )
    check = DockerOperator(task_id="check", image=IMAGE, command="exit 99", skip_on_exit_code=99)
    count >> tell >> check
