"""Nothing changes for these."""

import datetime

from airflow.providers.docker.operators.docker import DockerOperator

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

with DAG("clean", start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), schedule=None):
    DockerOperator(task_id="one", image="registry.test/etl/node-jobs", command="node a.js", auto_remove="force")
    DockerOperator(
        task_id="two", image="registry.test/etl/node-jobs:latest", environment={"A": "{{ ds }}"}, mount_tmp_dir=False
    )
