"""A clear asks for the work anew, on the digest that its DAG run has."""

from __future__ import annotations

from test_retries import done, output, printed
from world import World, at_once


@at_once
def test_clear_a_task_that_succeeded(world: World) -> None:
    run = world.trigger("sync", "cleared-after-success", lines=2)
    run.wait()
    run.clear("job")
    run.wait_task("job", "success", number=2)
    done(world, run, 0, 0)
    first, second = world.runs(run)
    assert (first.get("epoch", 0), second["epoch"] > 0) == (0, True)
    assert first["pin"] == second["pin"]
    assert printed(run, 2) == output(2)


@at_once
def test_clear_a_task_that_runs(world: World) -> None:
    run = world.trigger("sync", "cleared-while-running", lines=30, pause="1s")
    world.started(run, "job", lines=6)
    run.clear("job")
    run.wait_task("job", "success", number=2)
    # The first container was stopped before the second began.
    done(world, run, 7, 0)


@at_once
def test_clear_a_task_that_is_deferred(world: World) -> None:
    run = world.trigger("deferred", "cleared-while-deferred", lines=30, pause="1s")
    world.deferred(run)
    run.clear("job")
    run.wait_task("job", "success", number=2)
    done(world, run, 7, 0)


@at_once
def test_a_clear_after_failed_tries_starts_anew(world: World) -> None:
    run = world.trigger("sync", "cleared-after-failure", lines=2, code=3)
    run.wait("failed")
    run.clear("job")
    run.wait_task("job", "failed", number=6)
    run.wait("failed")
    done(world, run, 3, 3, 3, 3, 3, 3)
