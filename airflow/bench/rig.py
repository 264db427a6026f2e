"""What is measured on: one real Docker host, a registry, a Prewarm server, a worker. Needs root, as the rig does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import httpx
from tasks import HERE, Worker

ROOT = HERE.parent.parent


@dataclass(frozen=True)
class Hosts:
    """The rig of real Docker hosts and a registry (test/rig).

    :param program: compiled
    :param folder: of the rig; removed with it
    """

    program: Path
    folder: Path

    def call(self, verb: str, *arguments: str) -> str:
        """Call it, and give what it printed."""
        words = [str(self.program), verb, "--dir", str(self.folder), *arguments]
        called = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
        if called.returncode:
            raise RuntimeError(f"{' '.join(words)} failed:\n{called.stderr}")
        return called.stdout.strip()


@dataclass
class Rig:
    """Everything, up and running.

    :param hosts: the program that runs the rig
    :param engine: its address, tcp://
    :param registry: host:port
    :param server: the address of Prewarm's API
    """

    folder: Path
    hosts: Hosts
    engine: str
    registry: str
    server: str
    worker: Worker
    docker: Any
    api: httpx.Client

    def push(self, repository: str, *layers: int, version: str = "1", seed: int = 0) -> str:
        """Put an image into the registry: a small program, and layers of so many random bytes."""
        words = [f"--random={n}" for n in layers]
        return self.hosts.call("push", f"--version={version}", f"--seed={seed}", *words, f"{repository}:latest")

    def await_current(self, image: str, digest: str, limit: float = 120) -> None:
        """Have Prewarm look at the registry, and wait until a digest is what runs get."""
        self.api.post(f"/v1/images/{image}/check").raise_for_status()
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            answer = self.api.get(f"/v1/images/{image}")
            current = answer.raise_for_status().json()["tracks"][0].get("current")
            if current and current["digest"] == digest:
                return
            time.sleep(0.02)
        raise TimeoutError(f"{image} is not at {digest} after {limit:.0f} s: {answer.text}")

    def containers(self) -> list[Any]:
        """All containers that are on the host, ended ones too."""
        return list(self.docker.containers.list(all=True))

    def clear(self) -> None:
        """Leave nothing of the measurement before."""
        for container in self.containers():
            container.remove(force=True)


@contextmanager
def started(folder: Path) -> Iterator[Rig]:
    """Start all of it, and take it down at the end, whatever happened."""
    with ExitStack() as stack:
        hosts = Hosts(build(folder, "./test/rig"), folder / "hosts")
        stack.callback(hosts.call, "down")
        up = json.loads(hosts.call("up", "--hosts", "1", "--detach", "-o", "json"))
        engine, registry = up["hosts"][0]["tcp"], up["registry"]
        server = stack.enter_context(served(folder, engine, registry))
        worker = Worker(folder, environment(folder, server))
        stack.callback(worker.close)
        client = docker.DockerClient(base_url=engine)
        stack.callback(client.close)
        api = stack.enter_context(httpx.Client(base_url=server, timeout=60, trust_env=False))
        yield Rig(folder, hosts, engine, registry, server, worker, client, api)


def build(folder: Path, package: str) -> Path:
    """Compile a program of this tree."""
    program = folder / Path(package).name
    subprocess.run(["go", "build", "-trimpath", "-o", str(program), package], cwd=ROOT, check=True)
    return program


CONFIGURATION = """\
server: {{listen: {listen}}}
state: {{path: {state}}}
registries: [{{name: '{registry}', plain_http: true}}]
hosts: [{{name: etl-1, endpoint: '{engine}', insecure: true}}]
runner: {{logs: {{cap: 4g}}}}
images:
  - {{name: tool, repository: {registry}/bench/tool, watch: '@every 1h'}}
  - {{name: pushed, repository: {registry}/bench/pushed, watch: '@every 1h'}}
"""


@contextmanager
def served(folder: Path, engine: str, registry: str) -> Iterator[str]:
    """Build Prewarm and serve; give its address."""
    binary, file, listen = build(folder, "./cmd/prewarm"), folder / "prewarm.yaml", f"127.0.0.1:{free_port()}"
    values = {"listen": listen, "state": folder / "state", "registry": registry, "engine": engine}
    file.write_text(CONFIGURATION.format(**values))
    with (folder / "prewarm.log").open("wb") as log:
        process = subprocess.Popen([str(binary), "serve", "--config", str(file)], stdout=log, stderr=subprocess.STDOUT)
        try:
            await_ready(f"http://{listen}", process)
            yield f"http://{listen}"
        finally:
            process.terminate()
            process.wait()


def await_ready(server: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(server + "/readyz", trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError("prewarm serve did not start; its log is prewarm.log")


def environment(folder: Path, server: str) -> dict[str, str]:
    """A worker's: an Airflow of its own, and the connection."""
    address = httpx.URL(server)
    connection = {"conn_type": "prewarm", "host": address.host, "port": address.port}
    return {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW_CONN_PREWARM_DEFAULT": json.dumps(connection),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")])),
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as s:
        return int(s.getsockname()[1])
