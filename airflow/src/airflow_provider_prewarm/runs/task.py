"""What a task's context says of its work: the run key, the epoch, the pin scope, which try of how many.

The command line's ``--airflow`` makes the same of the variables of a task (cmd/prewarm/flags_airflow.go), so that a
task may go from a BashOperator to an operator and keep its runs.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from typing import Any

from airflow_provider_prewarm._compat import Context


@dataclass(frozen=True)
class Try:
    """One try at a task.

    :param map_index: of a mapped task; -1: it is not mapped
    :param number: of this try, from 1 on; a clear does not begin anew
    :param tries: how many the task has as it stands, those before a clear included
    :param epoch: the try after which the task was cleared last; 0: none. A clear of a task that runs does not always
        raise it, since Airflow leaves max_tries as it was: its next try is a retry then, which takes a success
    :param word: of this try: what makes its submit repeatable
    """

    dag: str
    dag_run: str
    task: str
    map_index: int
    number: int
    tries: int
    epoch: int
    word: str

    @property
    def key(self) -> str:
        """The run key: one piece of work, one container."""
        return f"{self.dag}/{self.dag_run}/{self.task}/{self.map_index}"

    @property
    def scope(self) -> str:
        """The pin scope of the DAG run: its tasks see one digest."""
        return f"{self.dag}/{self.dag_run}"

    @property
    def first_of_epoch(self) -> bool:
        """Whether no try of this epoch came before.

        A clear at try n makes n the epoch (max_tries becomes n + retries), so that the first one is the try after it.
        """
        return self.number == self.epoch + 1

    @property
    def join(self) -> str:
        """Which earlier run may answer the submit.

        An ended run under the key of an epoch's first try belongs to a DAG run that was deleted and made again: it is
        not taken. A later try takes the success of an earlier one, whose end its worker did not live to see.
        """
        return "active" if self.first_of_epoch else "success"


def try_of(context: Context) -> Try:
    """Read a task's context, on any Airflow from 2.11 on."""
    ti: Any = context["ti"]
    retries = int(getattr(ti.task, "retries", 0) or 0)
    number = max(int(ti.try_number or 1), 1)
    max_tries = int(ti.max_tries or 0)
    epoch = max_tries - retries
    return Try(
        dag=ti.dag_id,
        dag_run=ti.run_id,
        task=ti.task_id,
        map_index=-1 if ti.map_index is None else int(ti.map_index),
        number=number,
        tries=max(max_tries + 1, number),
        # Below 0 where the DAG has more retries than it had as the task was made. From this try on where it has less:
        # no clear was after a try that is still to come.
        epoch=epoch if 0 < epoch < number else 0,
        word=str(uuid.uuid4()),
    )


class Executes:
    """The keys that this process's try has used.

    A task may execute several times in one try: a subclass with two ``super().execute()``, two operators in one
    ``@task``. Each is work of its own, and under one key a later try would take the success of the first for all.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: tuple[Any, int] = (None, 0)  # the task instance and its try
        self._used: set[str] = set()

    def key(self, ti: Any, number: int, base: str) -> str:
        """The key of the execute that begins: ``base``, then ``base/2``, ``base/3``, in the order of the code.

        :param number: of the try
        """
        with self._lock:
            used = self._keys(ti, number)
            key, n = base, 1
            while key in used:
                n += 1
                key = f"{base}/{n}"
            used.add(key)
            return key

    def resumed(self, ti: Any, number: int, base: str, key: str) -> None:
        """Count an execute that was deferred, and those before it: they were in another process."""
        ordinal = key.removeprefix(f"{base}/")
        last = int(ordinal) if ordinal.isdecimal() else 1
        with self._lock:
            self._keys(ti, number).update([base, *(f"{base}/{n}" for n in range(2, last + 1))])

    def _keys(self, ti: Any, number: int) -> set[str]:
        # A process has one try; but for tests of DAGs, where it has one after the other.
        if self._of[0] is not ti or self._of[1] != number:
            self._of, self._used = (ti, number), set()
        return self._used


executes = Executes()


def meta_of(context: Context, this: Try) -> dict[str, str]:
    """What people are told of a run: DAG, run, task, try, owner, link to the task's log."""
    ti: Any = context["ti"]
    task: Any = getattr(ti, "task", None) or context.get("task")
    said = {
        "dag": this.dag,
        "run": this.dag_run,
        "task": this.task,
        "try": str(this.number),
        "owner": str(getattr(task, "owner", "") or ""),
        "link": str(getattr(ti, "log_url", "") or ""),
    }
    if this.map_index >= 0:
        said["map_index"] = str(this.map_index)
    return {name: value for name, value in said.items() if value}
