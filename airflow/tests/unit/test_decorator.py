"""``@task.prewarm``: the function gives the command, and all else is PrewarmRunOperator's."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from tasks import context

from airflow_provider_prewarm.decorators.prewarm import _PrewarmDecoratedOperator, prewarm_task
from airflow_provider_prewarm.operators.run import PrewarmRunOperator
from fake_prewarm import FakePrewarm

try:
    from airflow.sdk import DAG
    from airflow.sdk.bases.decorator import DecoratedMappedOperator
except ImportError:
    from airflow import DAG
    from airflow.decorators.base import DecoratedMappedOperator


def say_x() -> str:
    return "x"


def dag(**arguments: Any) -> Any:
    return DAG("etl", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), **arguments)


def run_of(
    fake: FakePrewarm, function: Any, *given: Any, values: dict[str, Any] | None = None, **arguments: Any
) -> Any:
    """What is submitted for a task of a function, and its XCom."""
    fake.program = lambda _: ["42 rows", 0]
    with dag():
        defaults: dict[str, Any] = {"image": "node-jobs", "airflow_env": False}
        called = prewarm_task(**defaults | arguments)(function)(*given)
    operator = called.operator
    what = operator.execute(context(operator) | (values or {}))
    return fake.requested("POST", "/v1/runs")[-1].body, what


def test_a_text_is_split_as_the_operator_does(fake: FakePrewarm, conn: str) -> None:
    def job(customer: str) -> str:
        return f"node import.js --customer '{customer}'"

    body, what = run_of(fake, job, "ACME & Sons", env={"DAY": "1"})
    assert body["command"] == ["node", "import.js", "--customer", "ACME & Sons"]
    assert (body["image"], body["env"], what) == ("node-jobs", ["DAY=1"], "42 rows")


def test_a_list_is_taken_as_it_is(fake: FakePrewarm, conn: str) -> None:
    def job() -> list[Any]:
        return ["import", "two words", 3]

    body, _ = run_of(fake, job)
    assert body["command"] == ["import", "two words", "3"]


def test_the_function_gets_the_context_and_templates_are_rendered(fake: FakePrewarm, conn: str) -> None:
    def job(ds: Any = None) -> str:
        return f"import {ds} " + "{{ ds_nodash }}"

    body, _ = run_of(fake, job, values={"ds": "2026-11-22", "ds_nodash": "20261122"})
    assert body["command"] == ["import", "2026-11-22", "20261122"]


def test_arguments_that_look_like_templates_are_rendered_once(fake: FakePrewarm, conn: str) -> None:
    def job() -> str:
        return "import"

    body, _ = run_of(fake, job, env={"BRACES": "{{ left_alone }}"})
    assert body["env"] == ["BRACES={{ left_alone }}"], "execute renders the command alone: Airflow did the others"


@pytest.mark.parametrize("given", ["", "  ", None, [], 7, {"a": 1}, ["t0psecret", None]])
def test_what_is_no_command_is_refused(fake: FakePrewarm, conn: str, given: Any) -> None:
    def job() -> Any:
        return given

    with pytest.raises(TypeError, match=r"job gave something of type \w+ as the command") as refused:
        run_of(fake, job)
    assert "t0psecret" not in str(refused.value)
    assert not fake.requested("POST", "/v1/runs")


@pytest.mark.parametrize("wrong", [{"command": "x"}, {"multiple_outputs": True}, {"no_such": 1}])
def test_wrong_parameters_fail_as_the_dag_is_parsed(wrong: dict[str, Any]) -> None:
    with dag(), pytest.raises(Exception, match=next(iter(wrong))):
        prewarm_task(image="node-jobs", **wrong)(say_x)()


def test_default_args_reach_it() -> None:
    with dag(default_args={"prewarm_conn_id": "other", "image": "tools", "deferrable": True, "retries": 3}):
        operator = prewarm_task()(say_x)().operator
    assert (operator.prewarm_conn_id, operator.image, operator.deferrable, operator.retries) == (
        "other",
        "tools",
        True,
        3,
    )


def test_it_is_mapped(fake: FakePrewarm, conn: str) -> None:
    def job(customer: str, day: str) -> str:
        return f"import {customer} {day}"

    with dag() as within:
        prewarm_task(image="node-jobs", airflow_env=False)(job).partial(day="1").expand(customer=["a", "b"])
    mapped = within.get_task("job")
    assert isinstance(mapped, DecoratedMappedOperator)
    assert mapped.operator_class is _PrewarmDecoratedOperator
    fake.program = lambda _: [0]
    operator = mapped.unmap({"op_kwargs": {"customer": "b", "day": "1"}, "task_id": "job"})
    operator.execute(context(operator, map_index=1))
    body = fake.requested("POST", "/v1/runs")[0].body
    assert (body["command"], body["key"]) == (["import", "b", "1"], "etl/manual__1/job/1")


def test_all_template_fields_are_there() -> None:
    assert set(_PrewarmDecoratedOperator.template_fields) == {
        "op_args",
        "op_kwargs",
        *PrewarmRunOperator.template_fields,
    }
