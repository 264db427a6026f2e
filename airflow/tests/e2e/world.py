"""A running Airflow beside a running Prewarm, and tests that use it at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from api import Api, DagRun
from deployment import Deployment
from rig import Rig
from server import Server
from waiting import until


@dataclass
class World:
    """What a test may use and do harm to."""

    rig: Rig
    server: Server
    airflow: Deployment
    api: Api

    def trigger(self, dag: str, name: str, **params: Any) -> DagRun:
        """Begin a DAG run under a name that no other Airflow of the tests gives: the ledger is one for all."""
        return self.api.trigger(dag, f"{self.airflow.token}-{name}", **params)

    def runs(self, run: DagRun, task: str = "job", map_index: int = -1) -> list[dict[str, Any]]:
        """All of Prewarm's runs of a task, the first one first."""
        return self.server.runs(run.key(task, map_index), self.airflow.token)

    def started(self, run: DagRun, task: str, lines: int = 1, runs: int = 1) -> dict[str, Any]:
        """Wait until a task has its container, which has printed something; the run."""

        def so() -> dict[str, Any] | None:
            found = self.runs(run, task)
            last = found[-1] if len(found) == runs else None
            return last if last and last["state"] == "running" and last["log"]["lines"] >= lines else None

        return until(f"run {runs} of {run.key(task)} is under way", so, 120) or {}

    def deferred(self, run: DagRun, task: str = "job") -> None:
        """Wait until a task is deferred, and its trigger prints what the container does."""
        run.wait_task(task, "deferred")
        until(f"the trigger of {run.key(task)} prints", lambda: "out 2" in run.events(task, 1), 60, 1)


Scenario = Callable[[World], None]


def at_once(scenario: Scenario) -> Callable[[Together], None]:
    """Make a test of a scenario that runs beside all others of its kind: nearly all of its time is waiting."""

    def test(together: Together) -> None:
        together.result(scenario)

    test.__name__, test.__doc__, test.__module__ = scenario.__name__, scenario.__doc__, scenario.__module__
    test.scenario = scenario  # type: ignore[attr-defined]
    return test


# Each has a task or two at a time, and the machine may have two cores.
AT_A_TIME = 12


class Together:
    """Scenarios that are all under way."""

    def __init__(self, world: World, scenarios: list[Scenario]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=AT_A_TIME)
        self._futures: dict[Scenario, Future[None]] = {s: self._pool.submit(s, world) for s in scenarios}

    def result(self, scenario: Scenario) -> None:
        """Wait for one; what failed in it is raised here."""
        self._futures[scenario].result()

    def wait(self) -> None:
        self._pool.shutdown(wait=True)
