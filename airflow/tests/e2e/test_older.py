"""Airflow 3.1 and 2.11: retries that join, keys, clears, links. Without what only 3.3 has."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import test_clears
import test_kills
import test_retries
import test_shown
from deployment import HERE, Deployment, install
from rig import Rig
from server import Server
from waiting import kill, until
from world import Scenario, Together, World

from conftest import locked

SCENARIOS: list[Any] = [
    test_retries.test_a_retry_joins_what_a_killed_task_process_left,
    test_retries.test_a_success_that_airflow_did_not_see_is_not_done_again,
    test_retries.test_a_failing_container_is_tried_three_times_one_after_the_other,
    test_clears.test_clear_a_task_that_succeeded,
    test_clears.test_clear_a_task_that_runs,
    test_kills.test_mark_a_running_task_failed,
    test_kills.test_a_deferred_task_prints_its_log_once,
    test_shown.test_a_run_has_a_link_while_it_goes_on_and_after,
    test_shown.test_the_connection_has_a_form,
]


@pytest.fixture(scope="module")
def together_31(folder: Path, built: Path, rig: Rig, server: Server) -> Iterator[Together]:
    """The scenarios on Airflow 3.1, begun at once."""
    python = install(locked("airflow-3.1"), built, folder / "airflow-3.1")
    airflow = Deployment(python, folder / "home-3.1", server, [HERE / "dags/work.py"], token="airflow-3.1")
    with airflow.standalone() as api:
        world = World(rig, server, airflow, api)
        world.trigger("deferred", "first").wait()
        together = Together(world, [test.scenario for test in SCENARIOS])
        yield together
        together.wait()


@pytest.mark.parametrize("scenario", [test.scenario for test in SCENARIOS], ids=lambda s: s.__name__)
def test_airflow_31(together_31: Together, scenario: Scenario) -> None:
    together_31.result(scenario)


class Airflow211:
    """An Airflow 2.11 of which only the scheduler runs. With SQLite it does one task at a time."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def trigger(self, dag: str, name: str, day: str, **conf: Any) -> str:
        run_id = f"{self.deployment.token}-{name}"
        self.deployment.cli("dags", "trigger", dag, "--run-id", run_id, "--exec-date", day, "--conf", json.dumps(conf))
        return run_id

    def wait(self, dag: str, run_id: str, state: str = "success", number: int = 0, seconds: float = 120) -> None:
        """Wait until the DAG's task has a state, in a certain try if that matters."""

        def so() -> bool:
            found = self.deployment.query(
                "select state, try_number from task_instance where dag_id = ? and run_id = ?", dag, run_id
            )
            return bool(found) and found[0][0] == state and (not number or found[0][1] == number)

        until(f"{dag} {run_id} is {state} (try {number or 'any'})", so, seconds)

    def log(self, dag: str, run_id: str, number: int) -> str:
        path = self.deployment.home / f"logs/dag_id={dag}/run_id={run_id}/task_id=job/attempt={number}.log"
        return path.read_text()

    def links(self, dag: str, run_id: str) -> dict[str, str]:
        """What the web page shows: as the web server does it, from the serialized DAG."""
        script = """
import json, sys
from airflow.models import TaskInstance
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
dag, run_id = sys.argv[1:]
task = SerializedDagModel.get(dag).dag.get_task("job")
with create_session() as session:
    ti = session.query(TaskInstance).filter_by(dag_id=dag, run_id=run_id, task_id="job").one()
    ti.task = task
    print("LINKS" + json.dumps({name: task.get_extra_links(ti, name) for name in task.extra_links}))
"""
        done = subprocess.run(
            [self.deployment.python, "-c", script, dag, run_id],
            env=self.deployment.env,
            capture_output=True,
            text=True,
            check=False,
        )
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("LINKS")] or [done.stderr]
        links: dict[str, str] = json.loads(line.removeprefix("LINKS"))
        return links


@pytest.fixture(scope="module")
def old(folder: Path, built: Path, server: Server) -> Iterator[Airflow211]:
    python = install(locked("airflow-2.11"), built, folder / "airflow-2.11")
    deployment = Deployment(python, folder / "home-2.11", server, [HERE / "dags/work.py"], token="airflow-2.11")
    with deployment.running("scheduler", "scheduler"):
        until("the DAGs are known", lambda: deployment.query("select 1 from serialized_dag where dag_id = 'sync'"), 60)
        yield Airflow211(deployment)


def test_airflow_211(old: Airflow211, server: Server) -> None:
    """A killed task process, a clear, links: one after the other, since one task runs at a time."""
    run_id = old.trigger("sync", "task-killed", "2026-11-22", lines=25, pause="1s")
    key = f"sync/{run_id}/job/-1"

    def started() -> bool:
        made = server.runs(key, old.deployment.token)
        return bool(made) and made[0]["log"]["lines"] >= 6

    until("the run is under way", started, 60)
    ((pid,),) = old.deployment.query("select pid from task_instance where run_id = ?", run_id)
    kill(int(str(pid)), signal.SIGKILL)
    old.wait("sync", run_id, number=2)
    (first,) = server.runs(key, old.deployment.token)
    assert [line.split()[0] for line in server.entries(run_id)] == ["start", "end"]
    log = old.log("sync", run_id, 2)
    assert [log.count(f"out {i}\n") for i in range(1, 26)] == [1] * 25
    assert first["id"] in log

    old.deployment.cli("tasks", "clear", "sync", "--start-date", "2026-11-22", "--end-date", "2026-11-22", "--yes")
    old.wait("sync", run_id, number=3)
    _, second = server.runs(key, old.deployment.token)
    assert second["epoch"] > first.get("epoch", 0)
    assert second["pin"] == first["pin"]
    assert [line.split()[0] for line in server.entries(run_id)] == ["start", "end"] * 2
    (link,) = [link for link in old.links("sync", run_id).values() if link]
    assert link.startswith("https://prewarm.example.com/")
    assert second["id"] in link


def test_airflow_211_fails_three_times(old: Airflow211, server: Server) -> None:
    run_id = old.trigger("sync", "failing", "2026-11-23", lines=1, code=3)
    old.wait("sync", run_id, "failed")
    made = server.runs(f"sync/{run_id}/job/-1", old.deployment.token)
    assert [m["exit_code"] for m in made] == [3, 3, 3]
