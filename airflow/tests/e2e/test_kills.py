"""What a person ends in Airflow ends on the host."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from api import DagRun
from test_retries import output, printed
from waiting import until
from world import World, at_once


def cancel_of(world: World, run: DagRun) -> tuple[dict[str, object], float]:
    """The only run of a task once it has ended, and when Prewarm was told to cancel it."""
    (made,) = world.runs(run)
    until(f"{made['id']} has ended", lambda: world.runs(run)[0]["ended"], 30)
    (made,) = world.runs(run)
    calls = world.server.get("/v1/audit", limit=1000)["calls"]
    (at,) = [c["at"] for c in calls if c["path"] == f"/v1/runs/{made['id']}/cancel"][:1]
    return made, datetime.fromisoformat(at).timestamp()


@at_once
def test_mark_a_running_task_failed(world: World) -> None:
    run = world.trigger("sync", "marked-while-running", lines=120, pause="1s")
    world.started(run, "job", lines=6)
    run.mark("job", "failed")
    made, at = cancel_of(world, run)
    assert made["state"] == "canceled"
    kills = Path(world.airflow.home, "on_kill").read_text().splitlines()
    called = min(abs(at - float(line.split()[1])) for line in kills if line.startswith("sync "))
    assert called < 1
    run.wait("failed")
    assert run.task("job")["try_number"] == 1


@at_once
def test_mark_a_deferred_task_failed(world: World) -> None:
    run = world.trigger("deferred", "marked-while-deferred", lines=120, pause="1s")
    world.deferred(run)
    marked = run.mark("job", "failed")
    made, at = cancel_of(world, run)
    assert made["state"] == "canceled"
    # The triggerer looks about once a second, and the machine is busy with the other tests. By itself the run would end
    # after an hour without its caller.
    assert at - marked < 30
    run.wait("failed")


@at_once
def test_a_deferred_task_prints_its_log_once(world: World) -> None:
    run = world.trigger("deferred", "deferred", lines=20, pause="500ms")
    run.wait_task("job", "deferred")
    run.wait()
    assert printed(run, 1) == output(20)
    assert [e for e in run.events("job", 1) if e.startswith("err ")] == [f"err {i}" for i in range(1, 21)]
    assert run.xcom("job") == "out 20"
