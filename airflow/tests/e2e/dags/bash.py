"""Work by the command line, as docs/airflow-bash.md shows it."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PREWARM = "prewarm run node-jobs --airflow --map-index '{{ ti.map_index }}' --epoch '{{ ti.max_tries - task.retries }}'"
WORK = "-- work /ledger '{{ run_id }}' '{{ params.lines }}' '{{ params.pause }}' 0"
ONCE_MORE = {"retries": 1, "retry_delay": timedelta(seconds=1)}
# A connection that is in Airflow's database alone is not in the worker's environment.
CONNECTION = {
    "PREWARM_URL": "http://{{ conn.prewarm_default.host }}:{{ conn.prewarm_default.port }}",
    "PREWARM_TOKEN": "{{ conn.prewarm_default.password }}",
}
CONNECTED = {"env": CONNECTION, "append_env": True}

with DAG("bash", schedule=None, params={"lines": 3, "pause": "100ms"}, default_args=CONNECTED):
    BashOperator(task_id="job", bash_command=f"{PREWARM} {WORK}", **ONCE_MORE)

with DAG("bash_script", schedule=None, params={"lines": 3, "pause": "100ms"}, default_args=CONNECTED):
    # Of several commands: bash stands between the task's process and prewarm.
    BashOperator(task_id="job", bash_command=f"set -e\necho before\n{PREWARM} {WORK}\necho after", **ONCE_MORE)

with DAG("bash_skips", schedule=None, default_args=CONNECTED):
    BashOperator(task_id="nothing", bash_command=f"{PREWARM} --skip-exit-code 99 -- exit 99")
    BashOperator(task_id="refused", bash_command=PREWARM.replace("node-jobs", "no-jobs") + " -- exit 0", **ONCE_MORE)

with DAG("bash_secret", schedule=None):
    BashOperator(
        task_id="job",
        env={
            **CONNECTION,
            "DB_PASSWORD": "{{ var.value.bash_db_password }}",
            "CUSTOMER": "{{ var.value.bash_customer }}",
        },
        append_env=True,
        bash_command=f"{PREWARM} --secret-env DB_PASSWORD -e CUSTOMER -- env",
    )
    # Without append_env the command has neither PATH nor connection.
    BashOperator(task_id="bare", env={"CUSTOMER": "acme"}, bash_command=f"{PREWARM} -- exit 0")

with DAG("bash_mapped", schedule=None):
    BashOperator.partial(task_id="job", append_env=True, bash_command=f"{PREWARM} -e PART -- env").expand(
        env=[{**CONNECTION, "PART": str(n)} for n in range(3)]
    )

with DAG("bash_file", schedule=None):
    BashOperator(task_id="job", bash_command="job.sh")
