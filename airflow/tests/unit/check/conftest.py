"""What the tests of the check share: sample DAGs, a server's answers without a server."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_prewarm.api.calls import Call
from airflow_provider_prewarm.check.fleet import Fleet, fleet_of

DAGS = Path(__file__).parent / "dags"

HAS_DOCKER = (
    importlib.util.find_spec("airflow.providers.docker") is not None
    if importlib.util.find_spec("airflow.providers")
    else False
)
needs_docker = pytest.mark.skipif(not HAS_DOCKER, reason="the docker provider is not installed in this environment")
without_docker = pytest.mark.skipif(HAS_DOCKER, reason="the docker provider is installed in this environment")


def image(
    name: str, repository: str, *tags: str, mode: str = "tag", live: bool = True, digest: str = ""
) -> dict[str, Any]:
    """An image as GET /v1/images has it."""
    current = {"current": {"digest": digest or "sha256:" + "1" * 64}} if live else {}
    tracking = {
        "mode": mode,
        **({"tag": tags[0]} if mode == "tag" else {}),
        **({"digest": digest} if mode == "digest" else {}),
    }
    tracks = [{"tag": tag, "held": [], "coming": [], **current} for tag in tags] or [
        {"held": [], "coming": [], **current}
    ]
    return {"name": name, "repository": repository, "tracking": tracking, "policy": {}, "tracks": tracks}


def host(name: str, endpoint: str, aliases: list[str] | None = None, binds: list[str] | None = None) -> dict[str, Any]:
    """A host as GET /v1/hosts has it."""
    return {"name": name, "endpoint": endpoint, "aliases": aliases or [], "binds": binds or [], "labels": {}}


class Answers:
    """A client that knows a server's answers, and remembers what was asked.

    :param objections: field of a submit → what is said against it
    """

    def __init__(self, images: list[Any], hosts: list[Any], objections: Mapping[str, dict[str, str]]) -> None:
        self.images, self.hosts, self.objections = images, hosts, objections
        self.checked: list[dict[str, Any]] = []

    def send(self, call: Call) -> Any:
        if call.path == "/v1/images":
            return {"images": self.images}
        if call.path == "/v1/hosts":
            return {"hosts": self.hosts}
        assert (call.method, call.path) == ("POST", "/v1/runs/check")
        self.checked.append(dict(call.body))
        return {
            "image": "",
            "hosts": [],
            "warm": [],
            "problems": [p for f, p in self.objections.items() if call.body.get(f)],
        }


@pytest.fixture
def answers() -> Answers:
    return Answers(
        [
            image("node-jobs", "registry.test/etl/node-jobs", "latest"),
            image("pythons", "python", "3.13", "3.12", mode="select"),
            image("soon", "registry.test/etl/soon", "latest", live=False),
        ],
        [
            host("etl-1", "tcp://10.0.0.11:2376", binds=["/srv/data"]),
            host("etl-2", "unix:///var/run/docker.sock", aliases=["tcp://etl-2.internal:2376"]),
        ],
        {
            "privileged": {
                "code": "not_allowed",
                "detail": "the server's policy does not allow privileged",
                "mend": "set runner.policy.privileged",
            },
            "network": {
                "code": "not_allowed",
                "detail": "the server's policy does not allow network host",
                "mend": "set runner.policy.host_namespaces",
            },
        },
    )


@pytest.fixture
def fleet(answers: Answers) -> Fleet:
    return fleet_of("http://prewarm.test:8470", answers)


@pytest.fixture
def dag_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a DAG file with tasks of DockerOperator."""

    def write(tasks: str, name: str = "dag_of_test.py") -> Path:
        lines = [
            "import datetime",
            "from airflow.providers.docker.operators.docker import DockerOperator",
            "try:",
            "    from airflow.sdk import DAG",
            "except ImportError:",
            "    from airflow import DAG",
            'with DAG("d", start_date=datetime.datetime(2026, 1, 1), schedule=None):',
            *(f"    {line}" for line in tasks.strip().splitlines()),
        ]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write
