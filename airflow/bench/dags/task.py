"""The DAG of the benchmark: one task, which PREWARM_BENCH_TASK describes, by the one operator or by the other."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

TASK: dict[str, Any] = json.loads(os.environ["PREWARM_BENCH_TASK"])
os.environ.update(TASK["environment"])


def operator() -> Any:
    """The operator's class; the other one is not even imported."""
    if TASK["operator"] == "docker":
        from airflow.providers.docker.operators.docker import DockerOperator

        return DockerOperator
    from airflow_provider_prewarm.operators.run import PrewarmRunOperator

    return PrewarmRunOperator


def memory(field: str) -> int:
    """Bytes of this process, by /proc: VmRSS is what it has, VmHWM the most that it had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def timed(base: Any) -> Any:
    """The operator, whose execute() writes down how long it took and what memory it had."""

    class Timed(base):
        def execute(self, context: Any) -> Any:
            # What the fork's parent had at most is none of this task's.
            Path("/proc/self/clear_refs").write_text("5")
            report: dict[str, Any] = {"before": memory("VmRSS"), "pid": os.getpid(), "started": time.monotonic()}
            save(report)
            try:
                return super().execute(context)
            except BaseException as e:
                report["error"] = f"{type(e).__name__}: {e}"
                raise
            finally:
                report["ended"] = time.monotonic()
                report["peak"] = memory("VmHWM")
                used = resource.getrusage(resource.RUSAGE_SELF)
                report["cpu"] = used.ru_utime + used.ru_stime
                save(report)

    return Timed


def save(report: dict[str, Any]) -> None:
    """Write a report in one piece: it is read while the task runs."""
    made = Path(TASK["report"] + ".new")
    made.write_text(json.dumps(report))
    made.rename(TASK["report"])


with DAG(TASK["dag"], schedule=None) as dag:
    timed(operator())(task_id="task", retries=TASK["retries"], **TASK["arguments"])
