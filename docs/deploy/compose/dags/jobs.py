"""A task on the image ``jobs``: on the digest that is current, on a host where it is warm."""

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG
from airflow_provider_prewarm.operators.run import PrewarmRunOperator

with DAG("jobs", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), tags=["prewarm"]):
    PrewarmRunOperator(
        task_id="hello",
        image="jobs",
        command=["echo", "hello from {{ ts }}"],
        # Before the first push there is nothing to run on; without this the task would say so and fail.
        wait_warm=timedelta(minutes=5),
        execution_timeout=timedelta(minutes=10),
        retries=2,
    )
