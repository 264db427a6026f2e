"""Prewarm from a BashOperator: the program ``prewarm`` in the Airflow image, and no Python package.

One line brings it there::

    COPY --from=ghcr.io/prewarm/prewarm:devel /prewarm /usr/local/bin/prewarm

It finds the server by ``PREWARM_URL`` and ``PREWARM_TOKEN_FILE``, or by ``AIRFLOW_CONN_PREWARM_DEFAULT`` of the
worker's environment; a connection that is in Airflow's database only, it can't see. ``--airflow`` makes run key, pin
scope, try and meta of what Airflow says of the task, so that a retry joins what its predecessor left running. The lines
of stdout and stderr come as INFO both, and the last one is the XCom.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

# The entries of Prewarm's configuration. Their programs: `node /app/job.js LINES PAUSE_MS`, and verbs, as `exit CODE`.
IMAGE = os.environ.get("PREWARM_EXAMPLE_NODE", "node-jobs")
TOOLS = os.environ.get("PREWARM_EXAMPLE_TOOLS", "tools")
# Nothing in a task's environment tells mapped tasks apart, a clear from a retry, or the last try from others. Without
# the first two prewarm refuses (125); get_airflow_context_vars in airflow_local_settings can set them for all tasks.
RUN = (
    "prewarm run --airflow --map-index '{{ ti.map_index }}'"
    " --epoch '{{ ti.max_tries - task.retries }}' --tries '{{ ti.max_tries + 1 }}'"
)

with DAG(
    "example_bash",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "prewarm"],
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        # With env= alone the task has no other variables: no PATH, no PREWARM_URL, no AIRFLOW_CONN_PREWARM_DEFAULT.
        "append_env": True,
    },
):
    count = BashOperator(
        task_id="count",
        # -e NAME passes the value on; -e NAME=value would show it: bash_command is logged whole, and stands in the UI.
        # For secrets there is --secret-env NAME, which keeps the value out of Prewarm's listings and logs, too.
        # A command that ends in .sh or .bash is read as the name of a Jinja file, so a script's name needs a blank
        # behind it: bash_command="prewarm run ... -- /app/import.sh ".
        bash_command=f"{RUN} -e CUSTOMER -e PROCESS --meta customer=ACME --meta process=count {IMAGE} -- 3 100",
        env={"CUSTOMER": "ACME", "PROCESS": "count"},
        # Time is counted on the worker here: SIGTERM, and prewarm cancels the run. --deadline 1h: on the server.
        execution_timeout=timedelta(hours=1),
    )
    # prewarm ends with the container's code, and 99 is BashOperator's word for skipped. --skip-exit-code tells Prewarm
    # the same, so that nobody is told of a failure. Another code, N, becomes a skip with skip_on_exit_code=N.
    check = BashOperator(task_id="check", bash_command=f"{RUN} --skip-exit-code 99 {TOOLS} -- exit 99")
    count >> check
