"""execution_timeout is over, and the run had ended: its log was long."""

from __future__ import annotations

import pytest
from records import Records
from tasks import context, executed, task

from airflow_provider_prewarm import exceptions
from airflow_provider_prewarm._compat import AirflowTaskTimeout
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.runs import attempt
from airflow_provider_prewarm.runs.printer import Emit
from fake_prewarm import FakePrewarm, stderr

pytestmark = pytest.mark.usefixtures("conn")


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is printed until Airflow's clock runs out, at the tenth line."""
    lines: list[str] = []

    def emitter() -> Emit:
        def emit(level: int, message: str, time: str) -> None:
            lines.append(message)
            if len(lines) == 10:
                raise AirflowTaskTimeout("Timeout")

        return emit

    monkeypatch.setattr(attempt, "emitter", emitter)
    return lines


LINES = [f"line {i}" for i in range(500)]


def test_the_rest_is_not_printed(fake: FakePrewarm, printed: list[str], log: Records) -> None:
    fake.program = lambda run: [*LINES, 0]
    op = task()
    assert executed(op, context(op)) == "line 499"
    assert printed == LINES[:10]
    assert "9 of 500 lines are printed" in log.find("execution_timeout is over").message
    assert not fake.requested("POST", "/cancel")


def test_a_last_line_far_from_the_end(fake: FakePrewarm, printed: list[str]) -> None:
    fake.program = lambda run: [*LINES, *(stderr("x") for _ in range(300)), 0]
    op = task()
    assert executed(op, context(op)) == "line 499"


def test_a_failure_is_its_own(fake: FakePrewarm, printed: list[str]) -> None:
    fake.program = lambda run: [*LINES, 3]
    op = task()
    with pytest.raises(exceptions.ContainerFailed) as e:
        executed(op, context(op))
    assert e.value.logs == LINES[300:]


def test_after_a_trigger(fake: FakePrewarm, printed: list[str], log: Records) -> None:
    fake.program = lambda run: [*LINES, 0]
    with PrewarmHook().get_conn() as client:
        run = client.send(calls.submit({"image": "node-jobs"}, "w"))
        client.send(calls.wait_run(run["id"], 5))
    op = task()
    event = {"run_id": run["id"], "state": "succeeded", "after": 100, "word": "w"}
    assert op.execute_complete(context(op), event) == "line 499"
    assert printed[-1] == "line 109"
    assert "109 of 500 lines are printed" in log.find("execution_timeout is over").message
