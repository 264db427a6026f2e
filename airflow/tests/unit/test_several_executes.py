"""A task that executes several times in one try: each is work of its own, in this try and in the next."""

from __future__ import annotations

from typing import Any

import pytest
from tasks import context, executed, task

from airflow_provider_prewarm import exceptions
from airflow_provider_prewarm.operators.run import PrewarmRunOperator
from airflow_provider_prewarm.runs.task import Executes
from fake_prewarm import FakePrewarm

pytestmark = pytest.mark.usefixtures("conn")


class Both(PrewarmRunOperator):
    """Runs A, then B."""

    def execute(self, context: Any) -> Any:
        given = []
        for word in ("A", "B"):
            self.command = [word]
            given.append(PrewarmRunOperator.execute.__wrapped__(self, context))  # type: ignore[attr-defined]
        return given


def keys(fake: FakePrewarm) -> list[str]:
    return [r.body["key"] for r in fake.requested("POST", "/v1/runs")]


def test_a_retry_executes_what_failed(fake: FakePrewarm) -> None:
    """And takes the success of what did not."""
    good = {"A"}
    fake.program = lambda run: [f"{run.body['command'][0]} did well", 0 if run.body["command"][0] in good else 1]
    op = Both(task_id="import", image="node-jobs", airflow_env=False, retries=1)
    with pytest.raises(exceptions.ContainerFailed):
        executed(op, context(op))
    good.add("B")
    assert executed(op, context(op, number=2)) == ["A did well", "B did well"]
    assert keys(fake) == ["etl/manual__1/import/-1", "etl/manual__1/import/-1/2"] * 2
    assert [run.body["command"] for run in fake.runs] == [["A"], ["B"], ["B"]]


def test_operators_within_one_task(fake: FakePrewarm) -> None:
    fake.program = lambda run: [*run.body["command"], 0]
    outer = task()
    ctx = context(outer)
    assert [executed(task(task_id=name, command=[name]), {**ctx}) for name in ("one", "two")] == ["one", "two"]
    named = task(task_id="three", key="three", command=["three"])
    assert executed(named, ctx) == "three"
    assert keys(fake) == [f"etl/manual__1/import/-1{more}" for more in ("", "/2", "/three")]


def test_an_execute_after_a_deferred_one_is_another(fake: FakePrewarm) -> None:
    """The deferred one began in another process."""
    fake.program = lambda run: [*run.body["command"], 0]
    op = task(command=["first"])
    executed(op, context(op))
    resumed = context(op)
    event = {"run_id": fake.runs[0].id, "state": "succeeded", "after": 1, "word": ""}
    assert op.execute_complete(resumed, event) == "first"
    op.command = ["second"]
    assert executed(op, resumed) == "second"
    assert keys(fake)[-1] == "etl/manual__1/import/-1/2"


def test_counting() -> None:
    executes, ti = Executes(), object()
    assert [executes.key(ti, 1, "k") for _ in range(3)] == ["k", "k/2", "k/3"]
    assert executes.key(ti, 1, "k/2") == "k/2/2", "a key= of the user's that is taken already"
    assert executes.key(ti, 2, "k") == "k", "another try"
    assert executes.key(object(), 2, "k") == "k", "another task"
    executes.resumed(ti, 3, "k", "k/2")
    assert executes.key(ti, 3, "k") == "k/3"
