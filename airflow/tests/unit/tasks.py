"""Tasks of tests: what an operator's execute gets from Airflow, without an Airflow around it."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from airflow_provider_prewarm.operators.run import PrewarmRunOperator


class FakeTI(SimpleNamespace):
    """A task instance, as far as the provider looks at one."""

    pushed: dict[str, Any]

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def task(**parameters: Any) -> PrewarmRunOperator:
    """An operator of one task, ``import``, with quick patience."""
    usual: dict[str, Any] = {"task_id": "import", "image": "node-jobs", "reconnect_timeout": 5, "airflow_env": False}
    return PrewarmRunOperator(**usual | parameters)


def context(operator: Any, number: int = 1, max_tries: int | None = None, map_index: int = -1) -> Any:
    """What Airflow gives to a try of it.

    :param max_tries: raised by a clear; None: never cleared
    """
    ti = FakeTI(
        dag_id="etl",
        run_id="manual__1",
        task_id=operator.task_id,
        map_index=map_index,
        try_number=number,
        max_tries=operator.retries if max_tries is None else max_tries,
        task=operator,
        log_url="http://airflow.test/log",
        start_date=datetime.now(timezone.utc),
        pushed={},
    )
    return {"ti": ti, "task": operator, "task_instance": ti}


def executed(operator: Any, given: Any) -> Any:
    """What execute gives, without Airflow's check of who calls it, which knows one thread alone."""
    execute = type(operator).execute
    return getattr(execute, "__wrapped__", execute)(operator, given)


class Execution(threading.Thread):
    """An execute in a thread of its own, while the test plays the server's side.

    :param event: of a trigger: then it is its execute_complete
    """

    def __init__(self, operator: Any, given: Any, event: Any = None) -> None:
        super().__init__(daemon=True)
        self._event = event
        self._operator = operator
        self._given = given
        self._value: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            if self._event:
                self._value = self._operator.execute_complete(self._given, self._event)
            else:
                self._value = executed(self._operator, self._given)
        except BaseException as e:
            self._error = e

    def result(self, timeout: float = 10) -> Any:
        """What it gave, or raised."""
        self.join(timeout)
        if self.is_alive():
            raise AssertionError(f"execute has not ended within {timeout} s")
        if self._error:
            raise self._error
        return self._value
