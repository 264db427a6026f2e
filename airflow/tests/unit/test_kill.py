"""Airflow kills a task: a real SIGTERM to a real process, whatever its main thread does at that moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tasks import Execution, context, executed, task

from airflow_provider_prewarm._compat import AIRFLOW_3, AirflowTaskTimeout
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import Client
from airflow_provider_prewarm.api.connection import Server
from airflow_provider_prewarm.exceptions import ImageNotWarm, RunCanceled, RunTimedOut, TryKilled
from airflow_provider_prewarm.operators.run import PrewarmRunOperator
from airflow_provider_prewarm.runs.ask import body_of
from airflow_provider_prewarm.runs.follow import Follower
from airflow_provider_prewarm.runs.kill import Kill
from airflow_provider_prewarm.runs.task import try_of
from airflow_provider_prewarm.triggers.run import RunTrigger
from fake_prewarm import FakePrewarm, FakeRun

pytestmark = pytest.mark.usefixtures("conn")
HERE = Path(__file__).parent


class Task:
    """A task's process."""

    def __init__(self, on_kill: str, reconnect_timeout: float) -> None:
        env = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}
        command = [sys.executable, str(HERE / "killed.py"), on_kill, str(reconnect_timeout)]
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.stdout = self.process.stdout
        # Airflow may say something of its own before.
        assert any(line == b"READY\n" for line in self.stdout)

    def kill(self, number: signal.Signals = signal.SIGTERM) -> dict[str, Any]:
        """Send SIGTERM, as Airflow does; and say what came of it, and after how many seconds."""
        began = time.time()
        self.process.send_signal(number)
        ended: dict[str, Any] = json.loads(self.stdout.read())
        return ended | {"after": ended["at"] - began}


@contextmanager
def started(on_kill: str = "cancel", reconnect_timeout: float = 60) -> Iterator[Task]:
    running = Task(on_kill, reconnect_timeout)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        running.stdout.close()


def ends(ended: dict[str, Any], words: str, within: float = 1) -> None:
    """It has ended by itself before Airflow sends SIGKILL, and says what became of the run."""
    assert ended["took"] < within
    assert ended["after"] < 4
    assert ended["raised"] == ("TryKilled" if AIRFLOW_3 else "AirflowTaskTerminated")
    if AIRFLOW_3:
        assert words in ended["message"]


def test_a_run_that_prints_all_the_time(fake: FakePrewarm) -> None:
    stop = threading.Event()

    def chatter(run: FakeRun) -> Iterator[str]:
        while not stop.is_set():
            for _ in range(200):
                yield "and so on, and so on"
            time.sleep(0.001)

    fake.program = chatter
    with started() as process:
        fake.started()
        fake.until(lambda: bool(fake.requested("GET", "/logs")))
        time.sleep(0.3)
        began = time.monotonic()
        ended = process.kill()
        stop.set()
    ends(ended, "is being stopped")
    (canceled,) = fake.requested("POST", "/cancel")
    assert canceled.at - began < 1
    assert canceled.headers["idempotency-key"] == fake.runs[0].words[-1]
    assert fake.runs[0].state == "canceled"


def test_a_run_that_prints_nothing(fake: FakePrewarm) -> None:
    with started() as process:
        run = fake.started()
        fake.until(lambda: bool(fake.requested("GET", "/logs")))
        run.stop_on_cancel = False  # it takes its grace, and the log stays open
        ends(process.kill(), "is being stopped")
    assert run.state == "canceling"


def test_release(fake: FakePrewarm) -> None:
    with started("release") as process:
        run = fake.started()
        fake.until(lambda: bool(fake.requested("GET", "/logs")))
        ends(process.kill(), "goes on, and the next try joins it")
    assert run.state == "running"
    assert not fake.requested("POST", "/cancel")


@pytest.mark.parametrize("on_kill", ["cancel", "release"])
def test_ctrl_c(fake: FakePrewarm, on_kill: str) -> None:
    """As of ``airflow dags test``: nobody calls on_kill."""
    with started(on_kill) as process:
        run = fake.started()
        fake.until(lambda: bool(fake.requested("GET", "/logs")))
        run.stop_on_cancel = False
        ended = process.kill(signal.SIGINT)
    assert ended["raised"] == "KeyboardInterrupt"
    assert ended["after"] < 4
    assert run.state == ("canceling" if on_kill == "cancel" else "running")


def test_between_a_submit_and_its_answer(fake: FakePrewarm) -> None:
    fake.hang(3, "POST", "/v1/runs")
    with started() as process:
        fake.until(lambda: bool(fake.requested("POST", "/v1/runs")))
        ends(process.kill(), "is being stopped")
    fake.until(lambda: bool(fake.runs) and fake.runs[0].ended)
    assert len({r.headers["idempotency-key"] for r in fake.requested("POST", "/v1/runs")}) == 1
    time.sleep(0.2)
    assert [run.state for run in fake.runs] == ["canceled"]


def test_while_the_server_is_away(fake: FakePrewarm) -> None:
    with started() as process:
        fake.started()
        fake.until(lambda: bool(fake.requested("GET", "/logs")))
        with fake.away():
            time.sleep(1)
            ends(process.kill(), "ends by its keepalive", within=2.5)


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 raises by itself")
def test_while_a_joined_runs_first_line_is_read(fake: FakePrewarm) -> None:
    first, op = task(retries=1), task(retries=1)
    dead = Execution(first, context(first))
    run = fake.started()
    fake.until(lambda: len(fake.requested("GET", "/logs")) == 1)
    fake.hang(3, "GET", "/logs")
    Execution(op, context(op, number=2))
    fake.until(lambda: len(fake.requested("GET", "/logs")) == 2)
    with pytest.raises(TryKilled):
        op.on_kill()
    assert run.state == "canceled"
    with suppress(RunCanceled):
        dead.result()


@pytest.mark.parametrize("known", [True, False])
def test_a_server_that_is_busy_for_a_moment(fake: FakePrewarm, known: bool) -> None:
    kill = Kill(Server(fake.url), "word")
    kill.submit = calls.submit({"image": "node-jobs"}, "word")
    if known:
        with Client(Server(fake.url)) as client:
            kill.answered(client.send(kill.submit))
    fake.answer(429, "too_many_requests", method="POST", path="/cancel" if known else "/v1/runs")
    fake.lose_answer("POST", "/cancel")
    kill.now()
    assert "is being stopped" in kill._did
    assert fake.runs[0].state == "canceled"


def test_a_run_that_another_try_has_joined(fake: FakePrewarm) -> None:
    with started() as process:
        run = fake.started()
        fake.until(lambda: bool(fake.requested("GET", "/logs")))
        run.words.append("of another try")
        ends(process.kill(), "another try has joined it")
    assert run.state == "running"


def test_a_submit_that_is_late_does_not_stop_the_next_try(fake: FakePrewarm) -> None:
    """Its worker was cut off, and is killed as it comes back: the kill is what the server hears of it first."""
    number = {1: task(retries=1), 2: task(retries=1)}
    cut_off = try_of(context(number[1]))
    kill = Kill(Server(fake.url), cut_off.word)
    kill.submit = calls.submit(body_of(number[1], context(number[1]), cut_off), cut_off.word)
    second = Execution(number[2], context(number[2], number=2))
    run = fake.started()
    with suppress(TryKilled):
        kill.now()
    assert run.state == "running"
    assert "a later try" in kill._did
    run.end()
    second.result()


def test_a_late_answer_is_not_this_trys_to_stop(fake: FakePrewarm) -> None:
    fake.hang(1, "POST", "/v1/runs")
    late, op = task(retries=1), task(retries=1)
    first = Execution(late, context(late))
    fake.until(lambda: bool(fake.requested("POST", "/v1/runs")))
    second = Execution(op, context(op, number=2))
    run = fake.started()
    fake.until(lambda: len(run.words) == 2)
    fake.until(lambda: len(fake.requested("GET", "/logs")) > 2)
    with suppress(TryKilled):
        late.on_kill()
    assert run.state == "running"
    run.end()
    second.result()
    with suppress(TryKilled):
        first.result()


def test_after_a_refusal(fake: FakePrewarm) -> None:
    """The same submit might be accepted a moment later."""
    fake.cool()
    op = task()
    with pytest.raises(ImageNotWarm):
        executed(op, context(op))
    fake.warm()
    op.on_kill()
    assert not fake.runs


@pytest.mark.parametrize("when", ["before execute", "while templates are rendered"])
def test_before_anything_was_asked_for(fake: FakePrewarm, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    op = task()
    if when == "before execute":
        op.on_kill()
    else:
        run_spec = op.run_spec

        def slow(given: Any) -> dict[str, Any]:
            op.on_kill()
            return run_spec(given)

        monkeypatch.setattr(op, "run_spec", slow)
    with pytest.raises(TryKilled, match="before it asked for anything"):
        executed(op, context(op))
    assert not fake.requests


@pytest.mark.parametrize("release", [False, True])
def test_just_before_it_is_deferred(fake: FakePrewarm, monkeypatch: pytest.MonkeyPatch, release: bool) -> None:
    op = task(deferrable=True, on_kill="release" if release else "cancel")
    monkeypatch.setattr(RunTrigger, "__init__", lambda *_, **__: op.on_kill())
    with pytest.raises(TryKilled):
        executed(op, context(op))
    assert fake.runs[0].ended != release


def timed_out(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> PrewarmRunOperator:
    """An execute whose time is over, by Airflow's clock, and what Airflow does next."""
    op = task(on_kill="release")

    def alarm(self: Follower) -> None:
        then()
        raise AirflowTaskTimeout("Timeout")

    monkeypatch.setattr(Follower, "to_end", alarm)
    with pytest.raises((AirflowTaskTimeout, RunTimedOut)):
        executed(op, context(op))
    op.on_kill()
    return op


def test_execution_timeout_is_the_servers(fake: FakePrewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's clock is ahead by a moment; the run ends by its deadline, and nothing cancels it before."""
    timed_out(monkeypatch, lambda: threading.Timer(0.5, lambda: fake.runs[0].cancel("deadline")).start())
    assert fake.runs[0].state == "timed_out"


def test_execution_timeout_of_a_run_with_another_deadline(fake: FakePrewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was joined: it is canceled, whatever on_kill is to do at other times."""
    monkeypatch.setattr("airflow_provider_prewarm.runs.attempt._LATE", 0.2)
    timed_out(monkeypatch, lambda: None)
    assert fake.runs[0].state == "canceled"


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 raises by itself")
def test_a_kill_ends_nothing_but_what_waits(fake: FakePrewarm) -> None:
    """A record is written whole, and its log's lock let go."""
    kill = Kill(Server(fake.url), "word")
    kill.now()
    with pytest.raises(TryKilled), kill.able():
        raise AssertionError("it was killed before")
    kill = Kill(Server(fake.url), "word")
    with kill.able():
        kill.waiting = False
        kill.now()
        with pytest.raises(TryKilled):
            kill.wait()
        assert not kill.waiting
