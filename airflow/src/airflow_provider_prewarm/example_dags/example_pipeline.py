"""A Node service as a pipeline: several cycles per day for each process of a customer, on one digest per cycle.

The program knows nothing of Airflow. It gets its work by environment variables and a command, and its lines stand in
the task's log as it prints them. CI pushes a new image whenever it likes: a cycle goes on with the digest that it began
with, and the next one finds the new digest warm.

Nobody writes callbacks for Slack. A run says whom it concerns in its meta, and Prewarm tells people itself, also where
the worker has died; only the last try's failure is told. In the server's configuration::

    server: {public_url: https://prewarm.example.com}
    notify:
      - name: data-eng
        slack: {token_file: /run/secrets/slack-token, channel: C0123456789}
        on: [run_failed, run_lost]
        meta: {customer: '*'}
        title: '{{.Meta.customer}}: {{.Meta.process}} {{.What}}'
        text: |
          Customer: {{.Meta.customer}}
          Process: {{.Meta.process}}
          Reason: {{.Why}}
          Next: {{.Next}}
          {{.Link}}
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_prewarm.operators.ensure import PrewarmEnsureOperator
from airflow_provider_prewarm.operators.run import PrewarmRunOperator
from airflow_provider_prewarm.operators.scope import PrewarmScopeEndOperator

# The entry of Prewarm's configuration. Its program: `node /app/job.js LINES PAUSE_MS`.
IMAGE = os.environ.get("PREWARM_EXAMPLE_NODE", "node-jobs")
CUSTOMER = "ACME"

with DAG(
    "example_pipeline",
    schedule="0 6,10,14,18 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # A cycle that is late delays the next one, rather than meet it.
    max_active_runs=1,
    tags=["example", "prewarm"],
    default_args={
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "owner": "data-eng",
    },
):
    warm = PrewarmEnsureOperator(task_id="warm", images=[IMAGE], retries=0)
    end = PrewarmScopeEndOperator(task_id="end")

    def process(name: str, lines: int) -> PrewarmRunOperator:
        """One process of the customer: what it is called in Slack, and how much it has to do."""
        return PrewarmRunOperator(
            task_id=name,
            image=IMAGE,
            command=[str(lines), "200"],
            env={"CUSTOMER": CUSTOMER, "PROCESS": name, "DAY": "{{ ds }}"},
            meta={"customer": CUSTOMER, "process": name},
            # Counted on the server from the submit on, also while the task is deferred.
            execution_timeout=timedelta(hours=1),
        )

    invoices, payments, report = process("invoices", 3), process("payments", 3), process("report", 2)
    warm.as_setup() >> [invoices, payments] >> report >> end.as_teardown(setups=warm)
