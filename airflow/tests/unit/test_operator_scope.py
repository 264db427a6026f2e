"""The end of a pin scope."""

from __future__ import annotations

import pytest
from records import Records
from tasks import context, executed, task

from airflow_provider_prewarm.exceptions import ServerUnavailable
from airflow_provider_prewarm.operators.scope import PrewarmScopeEndOperator
from fake_prewarm import FakePrewarm

pytestmark = pytest.mark.usefixtures("conn")


def test_the_scope_of_the_dag_run_ends(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: [0]
    op = task()
    executed(op, context(op))
    fake.answer(503, "stopping", method="DELETE")
    end = PrewarmScopeEndOperator(task_id="end", reconnect_timeout=5)
    executed(end, context(end))
    executed(end, context(end))
    assert [r.path for r in fake.requested("DELETE")] == ["/v1/scopes/etl%2Fmanual__1"] * 3
    assert fake.runs[0].fields["pin"] in log.find("has ended").message
    assert not fake.world.scopes["default", "etl/manual__1"]["live"]


def test_a_scope_that_is_not_there(fake: FakePrewarm, log: Records) -> None:
    end = PrewarmScopeEndOperator(task_id="end", pin_scope="mine")
    executed(end, context(end))
    assert log.find("no pin scope mine")


def test_a_server_that_is_gone(fake: FakePrewarm) -> None:
    end = PrewarmScopeEndOperator(task_id="end", reconnect_timeout=0.3)
    with fake.away(), pytest.raises(ServerUnavailable):
        executed(end, context(end))
