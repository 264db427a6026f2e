"""Several tasks of one DAG run: mapped ones, and ones with a push between them; and one that makes sure of an image."""

from __future__ import annotations

from airflow_provider_prewarm.operators.ensure import PrewarmEnsureOperator
from airflow_provider_prewarm.operators.run import PrewarmRunOperator

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # 2.11
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG("mapped", schedule=None, catchup=False):
    PrewarmRunOperator.partial(task_id="job", image="node-jobs", deferrable=False, retries=1).expand(
        command=[["work", "/ledger", f"mapped-{i}", "2", "3s", "0"] for i in range(50)]
    )

with DAG("pushed", schedule=None, params={"gate": "/nonexistent"}, catchup=False):
    first = PrewarmRunOperator(task_id="first", image="node-jobs", command=["version"], deferrable=False)
    gate = BashOperator(task_id="gate", bash_command="until [ -e '{{ params.gate }}' ]; do sleep 0.5; done ")
    second = PrewarmRunOperator(task_id="second", image="node-jobs", command=["version"], deferrable=False)
    later = PrewarmRunOperator(
        task_id="later", image="node-jobs", command=["version"], deferrable=False, repin="on_clear"
    )
    first >> gate >> second >> later

with DAG("sure", schedule=None, catchup=False):
    PrewarmEnsureOperator(task_id="job", images=["node"], refresh=True, deferrable=True)
