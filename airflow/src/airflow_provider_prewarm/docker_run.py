"""A task through the real DockerOperator, which ``[prewarm] docker_operator`` asks for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from airflow_provider_prewarm._compat import Context
from airflow_provider_prewarm.exceptions import RequestWrong
from airflow_provider_prewarm.parity.signature import DEFAULTS


class DockerRun:
    """One try of a task through DockerOperator.

    :param task_id: of the task
    :param arguments: DockerOperator's by their names, rendered
    :param do_xcom_push: whether the task has an XCom
    :param methods: what a user's subclass has in place of DockerOperator's own, by name
    :raises RequestWrong: the Docker provider is not installed, or lacks an argument that is set
    """

    def __init__(
        self,
        task_id: str,
        arguments: Mapping[str, Any],
        do_xcom_push: bool = True,
        methods: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
    ) -> None:
        operator = _docker_operator()
        known = inspect.signature(operator.__init__).parameters
        lacking = [name for name, value in arguments.items() if name not in known and _is_set(name, value)]
        if lacking:
            raise RequestWrong(
                "docker_provider_old",
                f"the DockerOperator that is installed has no {', '.join(lacking)}",
                "upgrade apache-airflow-providers-docker on the workers, or leave it out",
            )
        said = {name: value for name, value in arguments.items() if name in known}
        self.operator: Any = operator(task_id=task_id, do_xcom_push=do_xcom_push, **said)
        for name, method in methods.items():
            setattr(self.operator, name, method)

    def execute(self, context: Context) -> Any:
        """Run the container, and give the XCom."""
        # Airflow warns of an operator that is executed within another one.
        return inspect.unwrap(type(self.operator).execute)(self.operator, context)

    def on_kill(self) -> None:
        self.operator.on_kill()


def _is_set(name: str, value: Any) -> bool:
    """Whether an attribute is more than what it is when nothing is said; an empty list and None are one."""
    return value != DEFAULTS.get(name) and (bool(value) or DEFAULTS.get(name) is not None)


def _docker_operator() -> Any:
    try:
        from airflow.providers.docker.operators.docker import DockerOperator
    except ImportError as e:
        raise RequestWrong(
            "docker_provider_missing",
            f"[prewarm] docker_operator lets this DAG run by DockerOperator, which can't be imported: {e}",
            "pip install 'airflow-provider-prewarm[docker]' where the worker runs",
        ) from e
    return DockerOperator
