"""One try at a task against the fake server: what is asked for, what is printed, how it ends."""

from __future__ import annotations

import threading
import traceback
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from records import Records
from tasks import Execution, context, executed, task

from airflow_provider_prewarm import exceptions
from airflow_provider_prewarm._compat import AirflowFailException, AirflowSkipException
from airflow_provider_prewarm.operators.base import XCOM_KEY
from airflow_provider_prewarm.operators.run import PrewarmRunOperator, image_of, words
from fake_prewarm import FakePrewarm, FakeRun, stderr

pytestmark = pytest.mark.usefixtures("conn")


def bodies(fake: FakePrewarm) -> list[dict[str, Any]]:
    return [r.body for r in fake.requested("POST", "/v1/runs")]


def test_a_run_that_succeeds(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: ["one", stderr("two"), "42 rows", stderr("bye"), 0]
    op = task(command="node import.js --day '1 2'")
    c = context(op)
    assert op.execute(c) == "42 rows"
    assert log.with_time() == ["one", "two", "42 rows", "bye"]
    run = fake.runs[0]
    assert c["ti"].pushed[XCOM_KEY] == {
        "run_id": run.id,
        "image": "node-jobs",
        "pin": run.fields["pin"],
        "digest": run.fields["pin"].partition("@")[2],
        "host": "etl-1",
    }
    said = log.find(run.id).message
    assert run.fields["pin"] in said
    assert log.messages.index(said) < log.messages.index("one")
    assert bodies(fake)[0]["command"] == ["node", "import.js", "--day", "1 2"]


def test_a_refused_try_has_no_link(fake: FakePrewarm) -> None:
    fake.cool()
    op = task()
    ctx = context(op)
    with pytest.raises(exceptions.ImageNotWarm):
        op.execute(ctx)
    assert op.operator_extra_links[0].get_link(op, ti_key=ctx["ti"]) == ""


def test_a_try_that_fails_before_it_begins_asks_for_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow logs an error for an XCom that is not there."""
    asked: list[Any] = []
    monkeypatch.setattr("airflow_provider_prewarm.links.xcom_value", lambda *given: asked.append(given))
    op = task()
    assert op.operator_extra_links[0].get_link(op, ti_key=None) == ""
    assert not asked
    with pytest.raises(exceptions.PrewarmError):
        op.execute_complete(context(op), {"run_id": "none"})
    op.operator_extra_links[0].get_link(op, ti_key=None)  # it was pushed before the task was deferred
    assert len(asked) == 1


def test_the_link_is_there_at_once(fake: FakePrewarm, log: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = fake.submit

    def with_link(request: Any) -> Any:
        status, run = submit(request)
        return status, run | {"link": "https://prewarm.test/r/1"}

    monkeypatch.setattr(fake, "submit", with_link)
    op = task()
    c = context(op)
    thread = Execution(op, c)
    run = fake.started()
    fake.until(lambda: bool(fake.requested("GET", "/logs")))
    assert c["ti"].pushed["prewarm_run_link"] == "https://prewarm.test/r/1"
    assert log.find("https://prewarm.test/r/1")
    run.end()
    thread.result()


def test_a_subclass_may_have_a_container_of_its_own(fake: FakePrewarm) -> None:
    """DockerOperator's subclasses do."""

    class Ours(PrewarmRunOperator):
        container: Any = None

        def run_spec(self, context: Any) -> dict[str, Any]:
            self.container = {"Id": "x"}
            return super().run_spec(context) | {"hostname": "ours"}

    fake.program = lambda run: [0]
    op = Ours(task_id="import", image="node-jobs", airflow_env=False)
    op.execute(context(op))
    assert bodies(fake)[0]["hostname"] == "ours"


def test_what_is_asked_for(fake: FakePrewarm) -> None:
    fake.program = lambda run: [0]
    op = task(
        env={"A": 1},
        secret_env={"PW": "planted", "KEY": {"file": "/run/secrets/key"}},
        mounts=[{"type": "volume", "source": "cache", "target": "/cache"}],
        memory="2g",
        cpus=1.5,
        user=1000,
        gpus=-1,
        stop_grace=90,
        wait_warm=timedelta(minutes=15),
        execution_timeout=timedelta(hours=2),
        retries=2,
        retry_delay=timedelta(minutes=5),
        skip_on_exit_code=[0, 99],
        priority_weight=7,
        meta={"customer": "acme", "rows": 3},
        concurrency_group="nightly",
        hosts=["etl-1"],
        host_labels={"pool": "etl"},
        key="b",
        options={"cpuset": "0-1"},
    )
    with pytest.raises(exceptions.ContainerSkipped):
        op.execute(context(op, map_index=4))
    body = bodies(fake)[0]
    wanted = {
        "image": "node-jobs",
        "env": ["A=1"],
        "secret_env": [{"name": "PW", "value": "planted"}, {"name": "KEY", "file": "/run/secrets/key"}],
        "mounts": [{"type": "volume", "source": "cache", "target": "/cache"}],
        "memory": 2 << 30,
        "cpus": 1.5,
        "user": "1000",
        "device_requests": [{"count": -1, "capabilities": [["gpu"]]}],
        "stop_grace": "90000ms",
        "wait_warm": "900000ms",
        "deadline": "7200000ms",
        "key": "etl/manual__1/import/4/b",
        "join": "active",
        "on_conflict": "join",
        "pin_scope": "etl/manual__1",
        # 300 s without a heartbeat, 300 s to the next try, 120 s until it begins.
        "keepalive": "720000ms",
        "keepalive_action": "stop",
        "priority": 7,
        "hosts": ["etl-1"],
        "host_labels": {"pool": "etl"},
        "concurrency_group": "nightly",
        "meta": {
            "dag": "etl",
            "run": "manual__1",
            "task": "import",
            "try": "1",
            "map_index": "4",
            "owner": op.owner,
            "link": "http://airflow.test/log",
            "customer": "acme",
            "rows": "3",
        },
        "try": 1,
        "tries": 3,
        "skip_exit_codes": [99],
        "cpuset": "0-1",
    }
    assert body == wanted


@pytest.mark.parametrize("name", ["hosts", "dns", "cap_add", "cap_drop"])
def test_one_word_is_no_list_of_letters(fake: FakePrewarm, name: str) -> None:
    fake.program = lambda run: [0]
    op = task(**{name: "etl-1"})
    op.execute(context(op))
    assert bodies(fake)[0][name] == ["etl-1"]


def test_secrets_are_masked(fake: FakePrewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[Any] = []
    monkeypatch.setattr("airflow_provider_prewarm.runs.ask.mask_secret", masked.append)
    fake.program = lambda run: [0]
    op = task(secret_env={"PW": "pass {{ ti.task_id }}", "F": {"file": "/run/secrets/f"}})
    op.execute(context(op))
    assert masked == ["pass import"]
    op = task(secret_env={"PW": "readable"}, unmasked=True)
    op.execute(context(op))
    assert bodies(fake)[-1]["unmasked"] is True
    assert masked == ["pass import"]
    assert "secret_env" not in op.template_fields


def test_the_container_gets_airflows_variables(fake: FakePrewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DAG_ID": "etl", "DAG_OWNER": "ada", "TASK_ID": "import"}.items():
        monkeypatch.setenv(f"AIRFLOW_CTX_{name}", value)
    fake.program = lambda run: [0]
    op = task(airflow_env=True, env={"AIRFLOW_CTX_DAG_OWNER": "mine"}, secret_env={"AIRFLOW_CTX_TASK_ID": "x"})
    op.execute(context(op))
    env = bodies(fake)[0]["env"]
    assert [v for v in env if v.startswith("AIRFLOW_CTX_")] == ["AIRFLOW_CTX_DAG_ID=etl", "AIRFLOW_CTX_DAG_OWNER=mine"]


# Tries, clears, reruns.


def finish(run: FakeRun) -> None:
    run.line("after")
    run.end()


def test_a_retry_joins_what_an_earlier_try_left_running(fake: FakePrewarm, log: Records) -> None:
    op = task(retries=1)
    dead = Execution(op, context(op))
    run = fake.started()
    run.line("from before")
    log.clear()
    threading.Timer(0.3, finish, [run]).start()
    again = task(retries=1, env={"NOW": "another time"})
    assert again.execute(context(again, number=2)) == "after"
    dead.result()
    assert len(fake.runs) == 1
    assert bodies(fake)[1]["join"] == "success"
    said = log.find("joined run")
    assert said.time is None
    told = log[[r.message for r in log].index(said.message) + 1 :]
    first = next(r for r in told if r.time and "joined run" in r.message)
    assert first.time is not None
    line = next(r for r in told if r.message == "from before")
    assert line.time is not None
    assert (line.time - first.time).total_seconds() == pytest.approx(1e-6)
    assert "other values of env" in log.find("other values").message


def test_a_join_is_told_also_where_the_first_answer_to_it_was_lost(fake: FakePrewarm, log: Records) -> None:
    op = task(retries=1)
    dead = Execution(op, context(op))
    run = fake.started()
    fake.lose_answer("POST", "/v1/runs", times=1)
    threading.Timer(0.3, finish, [run]).start()
    again = task(retries=1)
    assert again.execute(context(again, number=2)) == "after"
    dead.result()
    assert run.fields["try"] == 2
    assert log.find("joined run")


def test_a_retry_is_not_answered_by_a_dag_run_that_was_deleted(fake: FakePrewarm) -> None:
    """A DAG run under the id of one that was deleted: its first try fails, and the second does the work."""
    codes = iter([0, 1, 0])
    fake.program = lambda run: [next(codes)]
    for number in (1, 1):
        op = task(retries=1)
        with suppress(exceptions.ContainerFailed):
            op.execute(context(op, number=number))
    op = task(retries=1)
    op.execute(context(op, number=2))
    assert [run.state for run in fake.runs] == ["succeeded", "failed", "succeeded"]


def test_a_connection_that_is_silent_is_made_anew_within_the_keepalive(fake: FakePrewarm) -> None:
    op = task(keepalive=1)
    thread = Execution(op, context(op))
    run = fake.started()
    fake.until(lambda: len(fake.requested("GET", "/logs")) > 1)
    run.line("42 rows")
    run.end()
    assert thread.result() == "42 rows"


def test_a_success_that_airflow_never_recorded_is_returned(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: ["did it", 0]
    op = task(retries=1)
    op.execute(context(op, number=1))
    log.clear()
    assert op.execute(context(op, number=2)) == "did it"
    assert len(fake.runs) == 1
    assert "returned, not executed again" in log.find("before this try").message
    assert "did it" in log.with_time()


def test_a_success_of_the_run_that_was_waited_for(fake: FakePrewarm, log: Records) -> None:
    """It was being stopped as the retry came, and succeeded after all."""
    op = task(retries=1)
    first = Execution(op, context(op))
    run = fake.started()
    run.stop_on_cancel = False
    run.cancel()
    run.line("done after all")
    again = task(retries=1)
    second = Execution(again, context(again, number=2))
    fake.until(lambda: len(fake.runs) == 2)
    run.end(0, "succeeded")
    assert second.result() == "done after all"
    first.result()
    assert "returned, not executed again" in log.find(f"run {run.id} did this work").message


def test_a_failed_container_is_followed_by_a_new_one(fake: FakePrewarm) -> None:
    fake.program = lambda run: [3]
    op = task(retries=2)
    for number in (1, 2, 3):
        with pytest.raises(exceptions.ContainerFailed):
            op.execute(context(op, number=number))
    assert [(b["join"], b["try"], b["tries"]) for b in bodies(fake)] == [
        ("active", 1, 3),
        ("success", 2, 3),
        ("success", 3, 3),
    ]
    assert len({r.headers["idempotency-key"] for r in fake.requested("POST", "/v1/runs")}) == 3
    assert len(fake.runs) == 3


def test_a_clear_starts_anew(fake: FakePrewarm) -> None:
    fake.program = lambda run: [0]
    op = task(retries=2)
    op.execute(context(op, number=1))
    op.execute(context(op, number=2, max_tries=3))
    assert len(fake.runs) == 2
    assert [(b.get("epoch", 0), b["join"]) for b in bodies(fake)] == [(0, "active"), (1, "active")]


def test_a_clear_keeps_the_digest_unless_it_is_to_move(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: [0]
    op = task()
    op.execute(context(op))
    new = fake.push()
    op.execute(context(op, number=2, max_tries=1))
    assert fake.runs[1].fields["pin"] == fake.runs[0].fields["pin"]
    moving = task(repin="on_clear")
    moving.execute(context(moving, number=3, max_tries=2))
    assert fake.runs[2].fields["pin"] == new
    said = log.find("moved from").message
    assert fake.runs[0].fields["pin"] in said
    assert new in said


def test_fresh_in_a_scope_that_has_its_digest(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: [0]
    first, second = task(task_id="first", fresh=True), task(task_id="second", fresh=True)
    first.execute(context(first))
    assert not [m for m in log.messages if "fresh=True" in m]
    second.execute(context(second))
    assert "fresh=True changes nothing: etl/manual__1 has its digest" in log.find("fresh=True").message


def test_repin_without_a_scope_is_fine(fake: FakePrewarm) -> None:
    fake.program = lambda run: [0]
    op = task(repin="on_clear")
    op.execute(context(op, number=2, max_tries=1))
    first = task(repin="on_clear")
    first.execute(context(first, number=1))
    assert len(fake.requested("POST", "/repin")) == 1


# Servers that are gone.


@pytest.mark.parametrize("within_line", [False, True])
def test_a_log_whose_connection_breaks_is_read_on_once(fake: FakePrewarm, log: Records, within_line: bool) -> None:
    fake.program = lambda run: [*(f"line {i}" for i in range(50)), 0]
    fake.cut_log(after=9, within_line=within_line, times=2)
    op = task()
    assert op.execute(context(op)) == "line 49"
    assert log.with_time() == [f"line {i}" for i in range(50)]
    assert [r.query["after"] for r in fake.requested("GET", "/logs")] == ["0", "9", "18"]


def test_a_server_that_restarts_is_waited_for(fake: FakePrewarm, log: Records) -> None:
    op = task()
    thread = Execution(op, context(op))
    run = fake.started()
    run.line("before")
    fake.until(lambda: bool(fake.requested("GET", "/logs")))
    with fake.away():
        run.line("meanwhile")
        threading.Event().wait(0.5)
        run.end()
    assert thread.result() == "meanwhile"
    assert log.with_time() == ["before", "meanwhile"]
    assert "trying again for 5 s" in log.find("trying again").message
    assert not fake.requested("POST", "/cancel")


def test_a_server_that_stays_away_fails_the_try_and_not_the_run(fake: FakePrewarm) -> None:
    op = task(reconnect_timeout=0.5)
    thread = Execution(op, context(op))
    run = fake.started()
    with fake.away(), pytest.raises(exceptions.ServerUnavailable) as e:
        thread.result()
    assert not isinstance(e.value, AirflowFailException)
    assert not run.ended
    assert str(e.value).endswith("; tried for 0.5 s")
    assert f"{fake.url}/v1/runs/{run.id}" in str(e.value)
    assert "is prewarm serve up there, and reached from here? (connection 'prewarm_default')" in str(e.value)
    assert "httpx.ConnectError" not in "".join(traceback.format_exception(e.value))


def test_a_submit_whose_answer_is_lost_is_sent_again(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: [0]
    fake.lose_answer("POST", "/v1/runs", times=2)
    op = task()
    op.execute(context(op))
    sent = fake.requested("POST", "/v1/runs")
    assert len({r.headers["idempotency-key"] for r in sent}) == 1
    assert (len(sent), len(fake.runs)) == (3, 1)
    assert not [m for m in log.messages if "joined" in m or "before this try" in m]


@pytest.mark.parametrize("code", ["internal", ""])
@pytest.mark.parametrize("path", ["/v1/runs", "/logs", "/wait"])
def test_a_server_that_stumbles(fake: FakePrewarm, code: str, path: str) -> None:
    fake.program = lambda run: ["42 rows", 0]
    fake.answer(500, code, times=2, path=path)
    op = task()
    assert op.execute(context(op)) == "42 rows"
    assert len(fake.runs) == 1


def test_a_registry_that_is_down_is_the_trys_end(fake: FakePrewarm) -> None:
    fake.answer(502, "registry_unavailable", method="POST", path="/v1/runs")
    op = task()
    with pytest.raises(exceptions.RequestRefused):
        op.execute(context(op))


def test_a_full_queue_is_waited_for(fake: FakePrewarm) -> None:
    fake.program = lambda run: [0]
    fake.answer(429, "queue_full", method="POST", path="/v1/runs")
    op = task()
    op.execute(context(op))
    assert len(fake.runs) == 1


def test_a_queue_that_stays_full_fails_retryably(fake: FakePrewarm) -> None:
    fake.answer(429, "queue_full", times=1000, method="POST", path="/v1/runs", retry_after=1)
    op = task(reconnect_timeout=0.5)
    with pytest.raises(exceptions.RequestRefused) as e:
        op.execute(context(op))
    assert e.value.code == "queue_full"
    assert not isinstance(e.value, AirflowFailException)


def test_refusals(fake: FakePrewarm) -> None:
    fake.cool()
    op = task()
    with pytest.raises(exceptions.ImageNotWarm):
        op.execute(context(op))
    wrong = task(options={"cpuset": 1})
    with pytest.raises(exceptions.RequestWrong) as e:
        wrong.execute(context(wrong))
    assert isinstance(e.value, AirflowFailException)


def test_a_log_that_ends_before_its_run(fake: FakePrewarm, log: Records) -> None:
    op = task()
    thread = Execution(op, context(op))
    run = fake.started()
    run.line("all there is")
    run.end_log()
    threading.Event().wait(0.3)
    run.end()
    assert thread.result() == "all there is"
    assert log.with_time() == ["all there is"]


def test_a_log_that_was_removed(fake: FakePrewarm) -> None:
    fake.program = lambda run: ["x", 0]
    op = task(retries=1)
    op.execute(context(op))
    fake.runs[0].fields["log"]["removed"] = True
    assert op.execute(context(op, number=2)) is None


# Ends.


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ({"exit_code": 3}, exceptions.ContainerFailed),
        ({"exit_code": 137, "oom_killed": True}, exceptions.ContainerOutOfMemory),
        ({"exit_code": 7}, exceptions.ContainerFailedForGood),
        ({"exit_code": 99}, exceptions.ContainerSkipped),
        ({"state": "timed_out", "exit_code": 143, "reason": "deadline_passed"}, exceptions.RunTimedOut),
        ({"state": "canceled", "exit_code": 143, "reason": "caller_silent"}, exceptions.RunCanceled),
        ({"state": "interrupted", "reason": "engine_restarted"}, exceptions.RunInterrupted),
        ({"state": "lost", "reason": "contact_lost"}, exceptions.RunLost),
        ({"state": "refused", "reason": "start_failed"}, exceptions.RunNotExecuted),
        ({"state": "refused", "reason": "image_not_warm"}, exceptions.RunNotWarm),
        ({"exit_code": 0, "reason": "result_missing", "state": "failed"}, exceptions.ResultUnusable),
    ],
)
def test_each_end_has_its_exception(fake: FakePrewarm, log: Records, end: dict[str, Any], kind: type) -> None:
    op = task(skip_on_exit_code=99, fail_on_exit_code=[7, 8])
    timer = threading.Thread(target=lambda: play(fake, end))
    timer.start()
    with pytest.raises(exceptions.RunError) as e:
        op.execute(context(op))
    timer.join(5)
    assert type(e.value) is kind
    assert e.value.logs == ["last words"]
    assert isinstance(e.value, AirflowSkipException) is (kind is exceptions.ContainerSkipped)
    for_good = {exceptions.ContainerFailedForGood, exceptions.ResultUnusable}
    assert isinstance(e.value, AirflowFailException) is (kind in for_good)
    report = log.find("queued for").message
    assert "host etl-1" in report
    assert fake.runs[0].fields["pin"] in report
    assert "log complete" in report or "log may lack lines" in report


def play(fake: FakePrewarm, end: dict[str, Any]) -> None:
    run = fake.started()
    run.line("last words")
    run.end(**{"exit_code": None} | end)


def test_zero_may_skip(fake: FakePrewarm) -> None:
    fake.program = lambda run: [0]
    op = task(skip_on_exit_code=0)
    with pytest.raises(exceptions.ContainerSkipped):
        op.execute(context(op))


def test_the_last_lines_are_kept(fake: FakePrewarm) -> None:
    fake.program = lambda run: [*(str(i) for i in range(500)), 1]
    op = task()
    with pytest.raises(exceptions.ContainerFailed) as e:
        op.execute(context(op))
    assert e.value.logs == [str(i) for i in range(300, 500)]


# XComs.


def test_the_result_is_the_xcom(fake: FakePrewarm) -> None:
    fake.program = _with_result
    op = task(result_path="/out/result.json")
    assert op.execute(context(op)) == {"rows": 42}
    assert bodies(fake)[0]["result"] == "/out/result.json"


def _with_result(run: Any) -> list[Any]:
    run.line("noise")
    run.end(0, result={"rows": 42})
    return []


@pytest.mark.parametrize(
    ("parameters", "value"),
    [
        ({}, "last"),
        ({"xcom": "last_line"}, "last"),
        ({"xcom": "none"}, None),
        ({"do_xcom_push": False}, None),
    ],
)
def test_which_xcom(fake: FakePrewarm, parameters: dict[str, Any], value: Any) -> None:
    fake.program = lambda run: ["first", "last", "  ", stderr("not this"), 0]
    op = task(**parameters)
    assert op.execute(context(op)) == value


def test_an_xcom_that_is_too_large_fails_for_good(fake: FakePrewarm) -> None:
    fake.program = lambda run: ["x" * 100, 0]
    op = task(xcom_max_bytes=101)
    with pytest.raises(exceptions.ResultUnusable) as e:
        op.execute(context(op))
    assert "102 bytes" in str(e.value)
    assert fake.runs[0].fields["rejected"] is True
    fits = task(xcom_max_bytes=102, retries=1)
    fits.execute(context(fits, number=2))
    assert len(fake.runs) == 2, "a rejected success answers no other try"


def test_an_xcom_of_what_no_utf8_has_is_counted(fake: FakePrewarm) -> None:
    """A result may name half of a pair."""

    def end(run: Any) -> list[Any]:
        run.end(0, result="\ud83d" + "x" * 100)
        return []

    fake.program = end
    op = task(result_path="/out.json", xcom_max_bytes=50)
    with pytest.raises(exceptions.ResultUnusable, match="105 bytes"):
        op.execute(context(op))


# Values.


@pytest.mark.parametrize(
    ("given", "image"),
    [
        ("node-jobs:1.4.2", "node-jobs:1.4.2"),
        ("registry.test/a@sha256:00", "registry.test/a@sha256:00"),
        ({"image": "node-jobs", "pin": "registry.test/a@sha256:00"}, "registry.test/a@sha256:00"),
        ('{"pin": "registry.test/a@sha256:00"}', "registry.test/a@sha256:00"),
        ("{'image': 'a', 'pin': 'registry.test/a@sha256:00', 'old': None}", "registry.test/a@sha256:00"),
    ],
)
def test_images(given: Any, image: str) -> None:
    assert image_of(given) == image


@pytest.mark.parametrize("given", ["", "  ", "{}", {"image": "node-jobs"}, "{broken"])
def test_no_images(given: Any) -> None:
    with pytest.raises(ValueError, match="names no image"):
        image_of(given)


def test_words() -> None:
    assert words("a 'b c' $D") == ["a", "b c", "$D"]
    assert words(["a", "b c"]) == ["a", "b c"]
    assert words("['a', 'b c']") == ["a", "b c"]
    assert words('["a", "b"]') == ["a", "b"]
    assert words("[ -f x ]") == ["[", "-f", "x", "]"]
    assert words(None) == []
    assert words("run.sh") == ["run.sh"]
    with pytest.raises(ValueError, match="can't be split") as refused:
        words("t0psecret it's")
    assert "t0psecret" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong", [{"on_kill": "stop"}, {"repin": "always"}, {"stderr_level": "LOUD"}, {"xcom": "all"}, {"xcom": "result"}]
)
def test_wrong_words_fail_at_parse(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        task(**wrong)


def test_default_args_reach_every_parameter() -> None:
    try:
        from airflow.sdk import DAG
    except ImportError:  # 2.11
        from airflow.models.dag import DAG

    with DAG("d", schedule=None, default_args={"wait_warm": 5, "memory": "1g", "deferrable": True, "key": "k"}):
        op = PrewarmRunOperator(task_id="t", image="node-jobs")
    assert (op.wait_warm, op.memory, op.deferrable, op.key) == (5, "1g", True, "k")


def in_pieces(run: FakeRun) -> list[Any]:
    """As the server gives a line of more than 1 MiB."""
    run.line("1" * 50, open=True)
    run.line("2" * 50)
    return [stderr("bye"), 0]


def test_a_line_in_pieces_is_one_xcom(fake: FakePrewarm) -> None:
    fake.program = in_pieces
    op = task(xcom_max_bytes=102)
    assert executed(op, context(op)) == "1" * 50 + "2" * 50
    op = task(xcom_max_bytes=101)
    with pytest.raises(exceptions.ResultUnusable, match="102 bytes"):
        executed(op, context(op))


def test_a_line_whose_begin_is_far_from_the_end_is_one_xcom(fake: FakePrewarm) -> None:
    """Of a deferred run's log the end is read alone."""
    fake.program = in_pieces
    op = task()
    op.kept_lines = 2
    executed(op, context(op))
    event = {"run_id": fake.runs[0].id, "state": "succeeded", "after": 3, "word": ""}
    assert op.execute_complete(context(op), event) == "1" * 50 + "2" * 50


def test_a_code_that_skips_does_so_also_where_memory_ran_out(fake: FakePrewarm) -> None:
    """As DockerOperator has it, which does not look at the memory."""

    def end(run: FakeRun) -> list[Any]:
        run.end(137, oom_killed=True)
        return []

    fake.program = end
    op = task(skip_on_exit_code=137)
    with pytest.raises(exceptions.ContainerSkipped):
        executed(op, context(op))
