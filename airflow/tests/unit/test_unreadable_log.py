"""A run has ended, and its log can't be read."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from records import Records
from tasks import context, executed, task

from airflow_provider_prewarm import exceptions
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.triggers.run import RunTrigger
from fake_prewarm import FakePrewarm

pytestmark = pytest.mark.usefixtures("conn")


def refused(fake: FakePrewarm) -> None:
    fake.answer(429, "too_many_requests", times=10**6, method="GET", path="/logs")


def broken(fake: FakePrewarm) -> None:
    fake.cut_log(after=0, within_line=True, times=10**6)


@pytest.mark.parametrize("why", [refused, broken])
def test_its_end_counts(fake: FakePrewarm, log: Records, why: Any) -> None:
    why(fake)
    fake.program = lambda run: ["42 rows", 0]
    op = task(reconnect_timeout=0.5)
    began = time.monotonic()
    assert executed(op, context(op)) is None, "which line is the last is not known"
    assert time.monotonic() - began < 4
    assert log.find("can't be read behind line 0").level == "WARNING"


def test_a_failure(fake: FakePrewarm) -> None:
    refused(fake)
    fake.program = lambda run: ["42 rows", 3]
    op = task(reconnect_timeout=0.5)
    with pytest.raises(exceptions.ContainerFailed):
        executed(op, context(op))


def test_a_result_is_no_line(fake: FakePrewarm) -> None:
    def end(run: Any) -> list[Any]:
        run.end(0, result={"rows": 42})
        return []

    refused(fake)
    fake.program = end
    op = task(reconnect_timeout=0.5, result_path="/out.json")
    assert executed(op, context(op)) == {"rows": 42}


def test_in_a_trigger(fake: FakePrewarm) -> None:
    broken(fake)
    fake.program = lambda run: ["42 rows", 0]
    with PrewarmHook().get_conn() as client:
        run = client.send(calls.submit({"image": "node-jobs"}, "w"))
        client.send(calls.wait_run(run["id"], 5))

    async def event() -> Any:
        trigger = RunTrigger(run["id"], "prewarm_default", reconnect_timeout=0.5)
        (given,) = [event async for event in trigger.run()]
        return given.payload

    payload = asyncio.run(asyncio.wait_for(event(), 4))
    assert (payload["state"], payload["after"]) == ("succeeded", 0)
