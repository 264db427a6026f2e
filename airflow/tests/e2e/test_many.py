"""Several tasks of one DAG run."""

from __future__ import annotations

from collections import Counter

from server import IMAGE
from waiting import until
from world import World, at_once


@at_once
def test_fifty_mapped_tasks_on_three_hosts(world: World) -> None:
    run = world.trigger("mapped", "mapped")
    run.wait(seconds=400)
    hosts: Counter[str] = Counter()
    for i in range(50):
        (made,) = world.runs(run, "job", i)
        assert made["state"] == "succeeded"
        assert made["command"][2] == f"mapped-{i}"
        hosts[made["host"]] += 1
        assert len(world.server.entries(f"mapped-{i}")) == 2
    assert set(hosts) == set(world.rig.sockets)


@at_once
def test_a_push_between_two_tasks_changes_neither(world: World) -> None:
    gate = world.airflow.home / "gate"
    run = world.trigger("pushed", "pushed", gate=str(gate))
    run.wait_task("first", "success")
    (first,) = world.runs(run, "first")
    pushed = world.server.push("v2")
    gate.touch()
    run.wait_task("second", "success")
    (second,) = world.runs(run, "second")
    assert first["pin"] == second["pin"] != f"{first['pin'].split('@')[0]}@{pushed}"
    assert run.xcom("first") == run.xcom("second") == "v1"
    run.wait()
    # A clear keeps the digest, unless the task asks for what is current.
    run.clear("second")
    run.wait_task("second", "success", number=2)
    assert run.xcom("second") == "v1"
    run.clear("later")
    run.wait_task("later", "success", number=2)
    assert run.xcom("later") == "v2"
    told = "\n".join(run.events("later", 2))
    assert pushed[7:19] in told
    assert first["pin"].split(":")[-1][:12] in told
    until(f"{IMAGE} is v2", lambda: world.server.live() == pushed, 10)
