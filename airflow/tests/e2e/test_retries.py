"""Whatever ends a try: one piece of work has one container at a time, and is not done again once it was done."""

from __future__ import annotations

import os
import signal

from api import DagRun
from waiting import kill, parent
from world import World, at_once


def output(lines: int) -> list[str]:
    """What the work prints on stdout."""
    return [f"out {i}" for i in range(1, lines + 1)]


def printed(run: DagRun, number: int) -> list[str]:
    """What of it is in the log of a try."""
    return [event for event in run.events("job", number) if event.startswith("out ")]


def done(world: World, run: DagRun, *codes: int) -> None:
    """See that the work was done so many times, by a container each, one after the other, with these exit codes."""
    made = world.runs(run)
    want = []
    for entry, code in zip(made, codes, strict=True):
        container = entry["container_id"][:12]
        want += [f"start {run.run_id} {container}", f"end {run.run_id} {container} {code}"]
    assert world.server.entries(run.run_id) == want


@at_once
def test_a_retry_joins_what_a_killed_task_process_left(world: World) -> None:
    run = world.trigger("sync", "task-killed", lines=40, pause="1s")
    before = world.started(run, "job", lines=6)
    kill(run.task("job")["pid"], signal.SIGKILL)
    run.wait_task("job", "running", number=2)
    run.wait()
    done(world, run, 0)
    # From its first line on, under a line that says so.
    assert printed(run, 2) == output(40)
    assert before["id"] in "\n".join(run.events("job", 2))
    assert run.xcom("job") == "out 40"
    assert run.task("job")["try_number"] == 2


@at_once
def test_a_retry_joins_what_a_killed_worker_left(world: World) -> None:
    run = world.trigger("sync", "worker-killed", lines=75, pause="1s")
    world.started(run, "job", lines=6)
    task = run.task("job")["pid"]
    supervisor = parent(task)
    kill(supervisor, signal.SIGKILL)
    kill(task, signal.SIGKILL)
    run.wait_task("job", "running", number=2)
    run.wait()
    done(world, run, 0)
    assert printed(run, 2) == output(75)
    assert run.xcom("job") == "out 75"


@at_once
def test_a_success_that_airflow_did_not_see_is_not_done_again(world: World) -> None:
    run = world.trigger("sync", "worker-killed-at-the-end", lines=12, pause="1s")
    world.started(run, "job", lines=6)
    task = run.task("job")["pid"]
    supervisor = parent(task)
    kill(supervisor, signal.SIGKILL)
    kill(task, signal.SIGKILL)
    run.wait()
    assert run.task("job")["try_number"] == 2
    done(world, run, 0)
    assert printed(run, 2) == output(12)
    assert run.xcom("job") == "out 12"


@at_once
def test_a_worker_that_is_asked_to_end_cancels_and_the_retry_starts_anew(world: World) -> None:
    run = world.trigger("sync", "supervisor-terminated", lines=20, pause="1s")
    world.started(run, "job", lines=6)
    os.kill(parent(run.task("job")["pid"]), signal.SIGTERM)
    run.wait()
    first, second = world.runs(run)
    assert (first["state"], second["state"]) == ("canceled", "succeeded")
    done(world, run, 7, 0)
    assert printed(run, 2) == output(20)


@at_once
def test_a_worker_that_is_asked_to_end_may_release_its_run(world: World) -> None:
    run = world.trigger("released", "supervisor-terminated-released", lines=40, pause="1s")
    world.started(run, "job", lines=6)
    os.kill(parent(run.task("job")["pid"]), signal.SIGTERM)
    run.wait_task("job", "running", number=2)
    run.wait()
    done(world, run, 0)
    assert printed(run, 2) == output(40)


@at_once
def test_a_retry_within_the_grace_of_a_cancel_waits_for_its_end(world: World) -> None:
    run = world.trigger("stubborn", "retry-in-grace", lines=12, pause="1s")
    world.started(run, "job", lines=6)
    os.kill(parent(run.task("job")["pid"]), signal.SIGTERM)
    world.started(run, "job", runs=2)
    run.wait()
    first, second = world.runs(run)
    assert (first["state"], second["state"]) == ("canceled", "succeeded")
    assert first["ended_at"] <= second["started_at"]
    # It was killed, so it wrote no end down.
    assert [line.split()[0] for line in world.server.entries(run.run_id)] == ["start", "start", "end"]


@at_once
def test_a_failing_container_is_tried_three_times_one_after_the_other(world: World) -> None:
    run = world.trigger("sync", "failing", lines=2, code=3)
    run.wait("failed")
    done(world, run, 3, 3, 3)
    made = world.runs(run)
    assert [(m["state"], m["exit_code"], m["try"], m["tries"]) for m in made] == [
        ("failed", 3, n, 3) for n in (1, 2, 3)
    ]
    for number in (1, 2, 3):
        assert printed(run, number) == output(2)
    assert "exit code 3" in run.told("job")


@at_once
def test_a_failing_container_is_tried_three_times_deferred(world: World) -> None:
    run = world.trigger("deferred", "failing-deferred", lines=2, code=3)
    run.wait("failed")
    done(world, run, 3, 3, 3)
    assert "exit code 3" in run.told("job")
