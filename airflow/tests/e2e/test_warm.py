"""Images that are made sure of, and DAGs that run because one went live: also one that did while no triggerer ran."""

from __future__ import annotations

import signal
from typing import Any

from server import NODE
from waiting import kill, until
from world import World

WATCHING = "example_asset"


def of_pushes(world: World, digest: str) -> list[dict[str, Any]]:
    """The DAG runs that asset events began on a digest."""
    runs = world.api.call("GET", f"/api/v2/dags/{WATCHING}/dagRuns", params={"limit": 100})["dag_runs"]
    keys = [f"{WATCHING}/{run['dag_run_id']}/smoke_test/-1" for run in runs if run["run_type"] == "asset_triggered"]
    found = [made for key in keys for made in world.server.runs(key, world.airflow.token)]
    return [made for made in found if made["ended"] and made["pin"].endswith(digest)]


def push(world: World, version: str) -> str:
    return world.rig.push(f"etl/{NODE}:latest", version, "--node")


def test_a_push_is_made_sure_of_and_starts_its_dag(world: World) -> None:
    digest = push(world, "sure")
    # The next look by itself is ten minutes away.
    assert world.server.live(NODE) != digest
    run = world.trigger("sure", "sure")
    run.wait()
    assert run.xcom("job")[NODE].endswith(f"@{digest}")
    assert world.server.live(NODE) == digest
    until("the DAG ran on it", lambda: of_pushes(world, digest), 120, 1)
    # Nothing is left to be waited for.
    again = world.trigger("sure", "sure-again")
    again.wait()
    assert again.xcom("job") == run.xcom("job")


def test_a_push_while_no_triggerer_runs_starts_its_dag_later(world: World) -> None:
    for pid in sorted(world.airflow.triggerers()):
        kill(pid, signal.SIGKILL)
    digest = push(world, "later")
    world.server.check(NODE)
    until("it is live", lambda: world.server.live(NODE) == digest, 120)
    assert of_pushes(world, digest) == []
    world.airflow.parts.enter_context(world.airflow.running("triggerer-2", "triggerer"))
    until("the DAG ran on it", lambda: of_pushes(world, digest), 120, 1)
    assert [made["state"] for made in of_pushes(world, digest)] == ["succeeded"]
