"""Tasks that have moved."""

import datetime

from airflow_provider_prewarm.operators.docker import PrewarmDockerOperator

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

with DAG("moved", start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), schedule=None):
    PrewarmDockerOperator(
        task_id="fine", image="registry.test/etl/node-jobs", docker_url="tcp://10.0.0.11:2376", timeout=10
    )
    PrewarmDockerOperator(task_id="elsewhere", image="registry.test/etl/node-jobs", docker_url="tcp://10.0.0.99:2375")
