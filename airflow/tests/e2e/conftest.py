"""What the tests share: the rig, the server, an Airflow. Started once; ended however the tests end."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from deployment import HERE, Deployment, install, wheel
from rig import ROOT, Rig, build
from server import IMAGE, NODE, REPOSITORY, Server
from waiting import until
from world import Together, World

EXAMPLES = ROOT / "airflow/src/airflow_provider_prewarm/example_dags"


def locked(name: str) -> Path:
    """The environment of a lock file of airflow/requirements; made where it is missing."""
    tools = os.environ.get("PREWARM_TOOLS", os.path.expanduser("~/.cache/prewarm-tools"))
    made = subprocess.run(
        ["sh", "tools/airflow.sh", tools, name], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(made.stdout.strip())


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Where everything is, with a short name: sockets are in it. Kept, and told, if PREWARM_KEEP is set."""
    path = Path("/tmp") / f"prewarm-airflow-{os.getpid()}"
    path.mkdir()
    yield path
    if os.environ.get("PREWARM_KEEP"):
        print("kept:", path)
    else:
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def rig(folder: Path) -> Iterator[Rig]:
    rig = Rig(build(folder / "bin", "./test/rig"), folder / "fleet")
    try:
        rig.up()
        yield rig
    finally:
        rig.down()


@pytest.fixture(scope="session")
def server(folder: Path, rig: Rig) -> Iterator[Server]:
    place = folder / "prewarm"
    place.mkdir()
    server = Server(build(place, "./cmd/prewarm"), place, rig)
    rig.push(f"{REPOSITORY}:latest", "v1")
    rig.push(f"etl/{NODE}:latest", "v1", "--node")
    server.start()
    try:
        for image in (IMAGE, NODE):
            until(f"{image} is live", partial(server.live, image), 120)
        yield server
        until("no container is left on the hosts", lambda: not rig.containers(), 30)
    finally:
        server.stop()
        if os.environ.get("PREWARM_KEEP"):
            print(server.log[-5000:])


@pytest.fixture(scope="session")
def built(folder: Path) -> Path:
    return wheel(locked("tools"), folder / "wheel")


@pytest.fixture(scope="session")
def python(folder: Path, built: Path) -> Path:
    """An Airflow 3.3 with the provider."""
    return install(locked("airflow-3.3"), built, folder / "airflow-3.3")


@pytest.fixture(scope="session")
def world(folder: Path, python: Path, rig: Rig, server: Server) -> Iterator[World]:
    airflow = Deployment(python, folder / "home", server, [HERE / "dags", EXAMPLES])
    with airflow.standalone() as api:
        world = World(rig, server, airflow, api)
        # The first trigger that asks for its connection keeps the triggerer busy for ten seconds and more, and all
        # others wait, and cancels with them.
        world.trigger("deferred", "first").wait()
        yield world


@pytest.fixture(scope="session")
def together(world: World, request: pytest.FixtureRequest) -> Iterator[Together]:
    """The scenarios of all tests that were asked for, begun at once."""
    tests = [getattr(item, "function", None) for item in request.session.items]
    found = [test.scenario for test in tests if test and hasattr(test, "scenario")]
    together = Together(world, found)
    yield together
    together.wait()


# What stops parts of Airflow or Prewarm comes after what runs at once; then what looks through all that was left; and
# then other Airflows, for which the machine is free.
LATE = ["test_outages", "test_warm", "test_secrets", "test_older"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        name = item.path.stem
        if name in LATE:
            return 2 + LATE.index(name)
        return 0 if hasattr(getattr(item, "function", None), "scenario") else 1

    items.sort(key=place)
