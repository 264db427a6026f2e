"""A run whose task is deferred: the trigger, and the task before and after it."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from records import Record, Records
from tasks import Execution, context, executed, task

from airflow_provider_prewarm import exceptions
from airflow_provider_prewarm._compat import AIRFLOW_3
from airflow_provider_prewarm.triggers.run import RunTrigger
from fake_prewarm import FakePrewarm, FakeRun, stderr

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # up to 3.1
    from airflow.exceptions import TaskDeferred

pytestmark = pytest.mark.usefixtures("conn")


def deferred(op: Any, given: Any) -> RunTrigger:
    """The trigger that execute defers to, as Airflow makes it of what its database has."""
    with pytest.raises(TaskDeferred) as e:
        executed(op, given)
    assert e.value.method_name == "execute_complete"
    path, kwargs = e.value.trigger.serialize()
    module, _, name = path.rpartition(".")
    made = getattr(__import__(module, fromlist=[name]), name)
    again: RunTrigger = made(**json.loads(json.dumps(kwargs)))
    assert again.serialize() == (path, kwargs)
    return again


def event_of(trigger: RunTrigger) -> dict[str, Any]:
    """What it says; one event it is."""

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    (event,) = asyncio.run(events())
    given: dict[str, Any] = json.loads(json.dumps(event))
    return given


def test_there_and_back(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: ["one", stderr("two"), "42 rows", 0]
    op = task(deferrable=True, stderr_level="WARNING")
    c = context(op)
    trigger = deferred(op, c)
    assert c["ti"].pushed["prewarm"]["run_id"] == trigger.run_id
    event = event_of(trigger)
    assert event == {"run_id": trigger.run_id, "state": "succeeded", "after": 3, "word": trigger.word}
    assert op.execute_complete(c, event) == "42 rows"
    assert log.with_time() == ["one", "two", "42 rows"]
    assert log.find("two").level == "WARNING"


def test_nothing_secret_is_stored(fake: FakePrewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.tokens = {"planted-token": "default"}
    monkeypatch.setenv("AIRFLOW_CONN_PREWARM_DEFAULT", json.dumps(fake.connection()))
    op = task(deferrable=True, secret_env={"PW": "planted-secret"})
    with pytest.raises(TaskDeferred) as e:
        executed(op, context(op))
    stored = json.dumps([e.value.trigger.serialize(), e.value.kwargs])
    assert "planted" not in stored


def test_an_ended_run_is_not_deferred_for(fake: FakePrewarm) -> None:
    fake.program = lambda run: ["did it", 0]
    op = task(retries=1)
    executed(op, context(op))
    again = task(retries=1, deferrable=True)
    assert executed(again, context(again, number=2)) == "did it"


def test_the_default_is_airflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert task().deferrable
    assert not task(deferrable=False).deferrable


@pytest.mark.parametrize(("given", "asked"), [({}, "3600000ms"), ({"keepalive": 90}, "90000ms")])
def test_while_deferred_the_silence_may_last_longer(fake: FakePrewarm, given: dict[str, Any], asked: str) -> None:
    op = task(deferrable=True, **given)
    deferred(op, context(op))
    assert fake.requested("POST", "/v1/runs")[0].body["keepalive"] == asked


def test_a_failure_has_its_last_lines(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: [*(str(i) for i in range(300)), 3]
    op = task(deferrable=True)
    c = context(op)
    event = event_of(deferred(op, c))
    with pytest.raises(exceptions.ContainerFailed) as e:
        op.execute_complete(c, event)
    assert e.value.logs == [str(i) for i in range(100, 300)]
    assert log.with_time() == [str(i) for i in range(300)]


def test_a_last_line_on_stdout_far_from_the_end(fake: FakePrewarm) -> None:
    fake.program = lambda run: ["42 rows", *(stderr(str(i)) for i in range(300)), 0]
    op = task(deferrable=True)
    c = context(op)
    assert op.execute_complete(c, event_of(deferred(op, c))) == "42 rows"


def test_five_hundred_lines_a_second_and_the_rest_afterwards(fake: FakePrewarm, log: Records) -> None:
    texts = [f"line {i}" for i in range(3000)]
    fake.program = lambda run: [*texts, 0]
    op = task(deferrable=True)
    c = context(op)
    trigger = deferred(op, c)
    fake.until(lambda: fake.runs[0].ended)
    began = time.monotonic()
    event = event_of(trigger)
    took = time.monotonic() - began
    assert 500 <= event["after"] <= 500 * (took + 1)
    assert event["after"] < 3000
    assert log.with_time() == texts[: event["after"]]
    assert op.execute_complete(c, event) == "line 2999"
    assert log.with_time() == texts


def test_long_lines_count_as_several(fake: FakePrewarm) -> None:
    fake.program = lambda run: [*("x" * 100_000 for _ in range(60)), 0]
    op = task(deferrable=True, do_xcom_push=False)
    trigger = deferred(op, context(op))
    fake.until(lambda: fake.runs[0].ended)
    began = time.monotonic()
    event_of(trigger)
    assert time.monotonic() - began > 1.9


def test_a_fast_program_is_caught_up_with_while_it_goes_on(fake: FakePrewarm, log: Records) -> None:
    op = task(deferrable=True)
    trigger = deferred(op, context(op))
    run = fake.started()
    for i in range(1200):
        run.line(str(i))

    async def follow() -> Any:
        ends = asyncio.create_task(asyncio.to_thread(end))
        events = [event.payload async for event in trigger.run()]
        await ends
        return events[0]

    def end() -> None:
        while len(log.with_time()) < 1200:
            time.sleep(0.05)
        run.end()

    began = time.monotonic()
    event = asyncio.run(follow())
    assert time.monotonic() - began > 1.9
    assert (event["after"], log.with_time()) == (1200, [str(i) for i in range(1200)])


def test_a_trigger_that_is_begun_again_prints_the_same(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: [*(f"line {i % 7}" for i in range(100)), 0]
    op = task(deferrable=True)
    trigger = deferred(op, context(op))
    fake.until(lambda: fake.runs[0].ended)
    replays: list[list[Record]] = []
    for _ in range(2):
        log.clear()
        fake.cut_log(after=30)  # which leaves no trace in the task's log
        event_of(RunTrigger(**trigger.serialize()[1]))
        replays.append([record for record in log if record.time])
    assert replays[0] == replays[1]
    assert len({record.time for record in replays[0]}) == 100


def test_airflows_reader_merges_replays(fake: FakePrewarm, log: Records) -> None:
    """Two triggerers' files of one try: each line is shown once, also where many are of one millisecond."""
    handler = pytest.importorskip("airflow.utils.log.file_task_handler")
    if not hasattr(handler, "StructuredLogMessage"):
        pytest.skip("Airflow 2 merges in another way")
    fake.program = lambda run: [*(f"line {i % 3}" for i in range(400)), 0]
    op = task(deferrable=True)
    trigger = deferred(op, context(op))
    fake.until(lambda: fake.runs[0].ended)
    files: list[list[str]] = []
    for lines in (150, 400):  # the first one is killed on its way
        log.clear()
        event_of(RunTrigger(**trigger.serialize()[1]))
        printed = [
            json.dumps({"timestamp": r.time.isoformat(), "level": r.level.lower(), "event": r.message})
            for r in log
            if r.time
        ]
        files.append(printed[:lines])
    merged = [message.event for message in handler._interleave_logs(*(iter(file) for file in files))]
    assert merged == [f"line {i % 3}" for i in range(400)]


def test_a_server_that_restarts_is_waited_for(fake: FakePrewarm, log: Records) -> None:
    op = task(deferrable=True)
    trigger = deferred(op, context(op))
    run = fake.started()
    run.line("before")

    def restart() -> None:
        while not log.with_time():
            time.sleep(0.05)
        with fake.away():
            run.line("meanwhile")
            run.end()
            time.sleep(0.5)

    async def follow() -> Any:
        restarts = asyncio.create_task(asyncio.to_thread(restart))
        events = [event.payload async for event in trigger.run()]
        await restarts
        return events[0]

    event = asyncio.run(follow())
    assert (event["state"], event["after"]) == ("succeeded", 2)
    assert log.with_time() == ["before", "meanwhile"]


def test_a_server_that_stays_away(fake: FakePrewarm) -> None:
    op = task(deferrable=True, reconnect_timeout=0.4)
    c = context(op)
    trigger = deferred(op, c)
    run = fake.started()
    run.line("before")
    with fake.away():
        event = event_of(trigger)
        assert event["state"] == "unavailable"
        with pytest.raises(exceptions.ServerUnavailable):
            op.execute_complete(c, event)
    assert not run.ended
    # Back in between: it is followed on, from where the trigger was. Airflow 3 drops what that one printed.
    with pytest.raises(TaskDeferred) as e:
        op.execute_complete(c, event | {"after": 1})
    assert e.value.trigger.after == (0 if AIRFLOW_3 else 1)
    assert e.value.trigger.word == trigger.word


def test_the_log_of_a_trys_second_trigger_replaces_that_of_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Airflow stops doing so, a trigger may begin behind what the one before has printed, as on Airflow 2."""
    runner = pytest.importorskip("airflow.jobs.triggerer_job_runner")
    if not hasattr(runner, "TriggerLoggingFactory"):
        pytest.skip("Airflow 2 goes on with the file")
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path))
    processors = [lambda logger, method, told: told["event"].encode()]
    for text in ("first", "second"):
        runner.TriggerLoggingFactory(log_path="attempt=1.log.trigger.7.log", ti=None)(processors).info(text)
    (file,) = tmp_path.rglob("*.log")
    assert file.read_text().split() == ["second"]


def test_a_run_that_is_not_known_any_more(fake: FakePrewarm) -> None:
    op = task(deferrable=True)
    c = context(op)
    event = event_of(RunTrigger("none", "prewarm_default"))
    assert event["state"] == "run_not_found"
    with pytest.raises(exceptions.RequestRefused, match="run_not_found"):
        op.execute_complete(c, event)


def test_a_connection_that_is_silent_is_made_anew_within_the_keepalive(fake: FakePrewarm) -> None:
    op = task(deferrable=True, keepalive=1)
    trigger = deferred(op, context(op))
    run = fake.started()

    def play() -> None:
        fake.until(lambda: len(fake.requested("GET", "/logs")) > 1)
        run.end()

    async def follow() -> Any:
        plays = asyncio.create_task(asyncio.to_thread(play))
        events = [event.payload async for event in trigger.run()]
        await plays
        return events[0]

    assert asyncio.run(follow())["state"] == "succeeded"


def test_a_trigger_that_is_refused(fake: FakePrewarm, log: Records) -> None:
    """Its connection has another token, say. Deferring again would go round without a pause."""
    op = task(deferrable=True)
    c = context(op)
    trigger = deferred(op, c)
    run = fake.started()
    fake.answer(401, "unauthenticated", times=1, method="GET", path="/logs")
    event = event_of(trigger)
    thread = Execution(op, c, event)
    fake.until(lambda: len(fake.requested("GET", "/logs")) == 2)
    run.line("42 rows")
    run.end()
    assert thread.result() == "42 rows"
    assert "unauthenticated" in log.find("followed here").message


@pytest.mark.parametrize(
    "foreign", [None, "2026-01-01", {"run_id": "old", "state": "canceled", "after": 7, "word": "w"}]
)
def test_an_event_of_another_tasks_trigger(fake: FakePrewarm, log: Records, foreign: Any) -> None:
    """SQLite gives a trigger the number of one that was deleted, and the triggerer may still have that one."""
    op = task(deferrable=True)
    c = context(op)
    with pytest.raises(TaskDeferred) as first:
        executed(op, c)
    run = fake.started()
    told = json.loads(json.dumps(first.value.kwargs))
    with pytest.raises(TaskDeferred) as again:
        op.execute_complete(c, foreign, **told)
    assert again.value.trigger.serialize() == first.value.trigger.serialize()
    assert again.value.kwargs == told
    assert "another task's trigger" in log.find("another task's trigger").message
    run.line("42 rows")
    run.end()
    assert op.execute_complete(c, foreign, **told) == "42 rows", "it has ended meanwhile"


def test_an_event_of_its_own_trigger(fake: FakePrewarm) -> None:
    fake.program = lambda run: ["42 rows", 0]
    op = task(deferrable=True)
    c = context(op)
    with pytest.raises(TaskDeferred) as e:
        executed(op, c)
    assert op.execute_complete(c, event_of(e.value.trigger), **(e.value.kwargs or {})) == "42 rows"


def test_a_connection_that_is_not_told_for_a_moment(fake: FakePrewarm, without_connection: Any) -> None:
    fake.program = lambda run: ["42 rows", 0]
    op = task(deferrable=True)
    trigger = deferred(op, context(op))
    without_connection(2)
    assert event_of(trigger)["state"] == "succeeded"


def test_a_triggerer_without_the_connection(fake: FakePrewarm, log: Records, without_connection: Any) -> None:
    """The run goes on, and so a worker follows it; a trigger that fails would end the try."""
    op = task(deferrable=True)
    c = context(op)
    trigger = deferred(op, c)
    run = fake.started()
    without_connection(3)
    event = event_of(trigger)
    assert event == {"run_id": run.id, "state": "no_connection", "after": 0, "word": trigger.word}
    thread = Execution(op, c, event)
    run.line("42 rows")
    run.end()
    assert thread.result() == "42 rows"
    assert log.with_time() == ["42 rows"]


def test_an_event_of_nothing() -> None:
    op = task()
    with pytest.raises(exceptions.PrewarmError, match="names no run"):
        op.execute_complete(context(op), None)


def test_a_kill_after_it_was_deferred_is_the_triggers(fake: FakePrewarm) -> None:
    op = task(deferrable=True)
    deferred(op, context(op))
    op.on_kill()
    assert not fake.requested("POST", "/cancel")


def test_a_kill_while_the_rest_is_printed_changes_nothing(fake: FakePrewarm) -> None:
    fake.program = lambda run: ["x", 0]
    op = task(deferrable=True)
    c = context(op)
    event = event_of(deferred(op, c))
    assert Execution(op, c)
    op.execute_complete(c, event)
    op.on_kill()
    assert fake.runs[0].state == "succeeded"


# Kills while deferred: Airflow 3.3 and later call on_kill.


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What Airflow says of the task's state; an exception: that it can't tell."""
    comms = pytest.importorskip("airflow.sdk.execution_time.comms")
    if not hasattr(comms, "TaskStatesResult"):
        pytest.skip("no GetTaskStates")
    from airflow.sdk.execution_time import task_runner

    told = SimpleNamespace(state="deferred", asked=[], error=None, delay=0)

    async def asend(message: Any) -> Any:
        told.asked.append(message)
        await asyncio.sleep(told.delay)
        if told.error:
            raise told.error
        name = "import" if message.map_index is None else f"import_{message.map_index}"
        return comms.TaskStatesResult(task_states={"manual__1": {name: told.state}})

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(asend=asend), raising=False)
    return told


def killed(fake: FakePrewarm, cancel: bool = True, map_index: int = -1) -> FakeRun:
    op = task(deferrable=True, on_kill="cancel" if cancel else "release")
    trigger = deferred(op, context(op))
    trigger.task_instance = SimpleNamespace(
        dag_id="etl", run_id="manual__1", task_id="import", map_index=map_index, try_number=1
    )
    run = fake.started()

    async def kill() -> None:
        following: Any = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.sleep(0.2)
        following.cancel()
        await asyncio.wait([following])
        await trigger.on_kill()

    began = time.monotonic()
    asyncio.run(kill())
    assert time.monotonic() - began < 1.2
    return run


@pytest.mark.parametrize("now", ["failed", "success", None, "scheduled"])
def test_a_state_that_somebody_set_stops_the_run(fake: FakePrewarm, state: SimpleNamespace, now: str | None) -> None:
    state.state = now
    run = killed(fake)
    assert run.state == "canceled"
    assert (state.asked[0].task_ids, state.asked[0].run_ids, state.asked[0].map_index) == (
        ["import"],
        ["manual__1"],
        None,
    )


def test_a_server_that_is_busy_for_a_moment(fake: FakePrewarm, state: SimpleNamespace) -> None:
    state.state = "failed"
    fake.answer(429, "too_many_requests", method="POST", path="/cancel")
    assert killed(fake).state == "canceled"


def test_a_mapped_task(fake: FakePrewarm, state: SimpleNamespace) -> None:
    state.state = "failed"
    assert killed(fake, map_index=3).state == "canceled"
    assert state.asked[0].map_index == 3


def test_another_triggerer_took_over(fake: FakePrewarm, state: SimpleNamespace) -> None:
    assert killed(fake).state == "running"


def test_airflow_can_not_tell(fake: FakePrewarm, state: SimpleNamespace) -> None:
    state.error = RuntimeError("the API server is gone")
    assert killed(fake).state == "running"


def test_release(fake: FakePrewarm, state: SimpleNamespace) -> None:
    state.state = "failed"
    assert killed(fake, cancel=False).state == "running"
    assert not state.asked


def test_a_kill_that_airflow_cancels_itself(fake: FakePrewarm, state: SimpleNamespace) -> None:
    """It does so a second after each other, as long as the trigger has not ended; its answer may take longer."""
    state.state, state.delay = "failed", 0.3
    op = task(deferrable=True)
    trigger = deferred(op, context(op))
    trigger.task_instance = SimpleNamespace(
        dag_id="etl", run_id="manual__1", task_id="import", map_index=-1, try_number=1
    )
    run = fake.started()

    async def kill() -> None:
        killing = asyncio.create_task(trigger.on_kill())
        await asyncio.sleep(0.1)
        killing.cancel()
        await asyncio.wait([killing])
        assert run.state == "running"
        await asyncio.sleep(0.6)

    asyncio.run(kill())
    assert run.state == "canceled"


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no such call")
def test_a_kill_of_a_run_that_another_try_joined(fake: FakePrewarm, state: SimpleNamespace, log: Records) -> None:
    state.state = "failed"
    original = fake.started

    def joined(timeout: float = 5) -> FakeRun:
        run = original(timeout)
        run.words.append("of another try")
        return run

    fake.started = joined  # type: ignore[method-assign]
    assert killed(fake).state == "running"
    assert "was not canceled" in log.find("was not canceled").message
