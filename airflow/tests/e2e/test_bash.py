"""The way without any Python package: BashOperator with ``prewarm run --airflow``, as docs/airflow-bash.md says."""

from __future__ import annotations

import signal
from typing import Any

from api import DagRun
from waiting import kill, parent, until
from world import World, at_once

SECRET = "bash-5ecret-never-to-be-seen"


def printed(run: DagRun, number: int) -> list[str]:
    return [e for e in run.events("job", number) if e.startswith("out ")]


def kill_worker(world: World, run: DagRun) -> None:
    """Kill supervisor and task process, as a machine that is lost does; bash and prewarm live on."""
    world.started(run, "job", lines=6)
    task = run.task("job")["pid"]
    supervisor = parent(task)
    kill(supervisor, signal.SIGKILL)
    kill(task, signal.SIGKILL)


def was_joined(world: World, run: DagRun, lines: int) -> None:
    """The retry joined the only container there was, and has its whole log."""
    run.wait()
    (made,) = world.runs(run)
    assert made["state"] == "succeeded"
    assert [entry.split()[0] for entry in world.server.entries(run.run_id)] == ["start", "end"]
    assert printed(run, 2) == [f"out {i}" for i in range(1, lines + 1)]
    assert [e for e in run.events("job", 2) if f"joined run {made['id']}" in e]


@at_once
def test_a_bash_retry_joins_what_a_killed_task_left(world: World) -> None:
    run = world.trigger("bash", "bash-killed", lines=30, pause="500ms")
    world.started(run, "job", lines=6)
    kill(run.task("job")["pid"], signal.SIGKILL)
    was_joined(world, run, 30)


@at_once
def test_a_bash_retry_joins_what_a_killed_worker_left(world: World) -> None:
    run = world.trigger("bash_script", "bash-worker-killed", lines=75, pause="1s")
    kill_worker(world, run)
    was_joined(world, run, 75)


@at_once
def test_a_bash_task_marked_failed_cancels_its_run(world: World) -> None:
    run = world.trigger("bash", "bash-marked", lines=120, pause="1s")
    world.started(run, "job", lines=6)
    run.mark("job", "failed")

    def canceled() -> dict[str, Any] | None:
        (made,) = world.runs(run)
        return made if made["ended"] else None

    assert (until("its run has ended", canceled, 30) or {})["state"] == "canceled"


@at_once
def test_bash_codes(world: World) -> None:
    run = world.trigger("bash_skips", "bash-codes")
    run.wait("failed")
    assert run.task("nothing")["state"] == "skipped"
    (made,) = world.runs(run, "nothing")
    assert (made["state"], made["exit_code"]) == ("failed", 99)
    # Nothing was executed in either try.
    assert run.task("refused")["try_number"] == 2
    assert world.runs(run, "refused") == []
    for number in (1, 2):
        assert any("non-zero exit code 125" in told(record) for record in run.log("refused", number))


@at_once
def test_bash_secrets_and_env(world: World) -> None:
    for key, value in (("bash_db_password", SECRET), ("bash_customer", "acme")):
        world.api.call("POST", "/api/v2/variables", json={"key": key, "value": value})
    run = world.trigger("bash_secret", "bash-secret")
    run.wait("failed")
    (made,) = world.runs(run)
    lines = world.server.lines(made["id"], world.airflow.token)
    assert "CUSTOMER=acme" in lines
    assert "DB_PASSWORD=***" in lines
    records = run.log("job", 1) + run.log("bare", 1)
    for secret in (SECRET, world.server.tokens[world.airflow.token]):
        assert not [r for r in records if secret in str(r)]
        assert secret not in str(run.task("job"))
    # With an env of its own and no append_env, the command finds neither the program nor the connection.
    assert run.task("bare")["state"] == "failed"
    assert world.runs(run, "bare") == []


@at_once
def test_bash_mapped_tasks_have_keys_of_their_own(world: World) -> None:
    run = world.trigger("bash_mapped", "bash-mapped")
    run.wait()
    for index in range(3):
        (made,) = world.runs(run, "job", index)
        assert f"PART={index}" in world.server.lines(made["id"], world.airflow.token)


@at_once
def test_a_bash_command_that_ends_in_sh_is_a_template_file(world: World) -> None:
    run = world.trigger("bash_file", "bash-file")
    run.wait("failed")
    assert any("TemplateNotFound" in told(record) for record in run.log("job", 1))


def told(record: dict[str, Any]) -> str:
    """A record of a log with its exception."""
    return f"{record.get('event', '')} {record.get('error_detail', '')}"
