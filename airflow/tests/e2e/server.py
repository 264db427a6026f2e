"""A real ``prewarm serve`` on the hosts of a rig."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
from rig import Rig
from waiting import free_port, until

# What pipelines call the test program: a small static binary with verbs (test/fleet/program).
IMAGE = "node-jobs"
REPOSITORY = "etl/node-jobs"
# The examples' programs on Node.
NODE = "node"
# Each has a token of its name, which one Airflow has.
NAMESPACES = ["airflow", "staging", "airflow-3.1", "airflow-2.11"]


class Server:
    """``prewarm serve``, its configuration and its API.

    :param binary: the program
    :param folder: for its configuration, its state and its log
    """

    def __init__(self, binary: Path, folder: Path, rig: Rig) -> None:
        self.rig = rig
        self.folder = folder
        self.ledger = folder / "ledger"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.tokens = {name: f"{name}-{os.urandom(16).hex()}" for name in (*NAMESPACES, "boss")}
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(base_url=self.url, timeout=30)
        self._configure()

    def _configure(self) -> None:
        self.ledger.mkdir(parents=True)
        for name, token in self.tokens.items():
            self._write(f"{name}.token", token)
        tokens = "\n".join(
            f"    - {{name: {name}, token_file: {name}.token, scopes: [run, warm], namespace: {name}}}"
            for name in NAMESPACES
        )
        self._write("secret.key", base64.b64encode(os.urandom(32)).decode())
        hosts = "\n".join(
            f"  - {{name: {name}, endpoint: '{socket}', labels: {{pool: etl}}, limits: {{runs: 20}}}}"
            for name, socket in self.rig.sockets.items()
        )
        self._write(
            "prewarm.yaml",
            f"""\
server: {{listen: '127.0.0.1:{self.port}', public_url: 'https://prewarm.example.com', limits: {{rate: 10000/s}}}}
auth:
  tokens:
{tokens}
    - {{name: boss, token_file: boss.token, scopes: [admin]}}
state: {{path: state}}
registries: [{{name: '{self.rig.registry}', plain_http: true, rate: 1000/s}}]
hosts:
{hosts}
images:
  - name: {IMAGE}
    repository: '{self.rig.registry}/{REPOSITORY}'
    track: {{tag: latest}}
    watch: '@every 1s'
    keep: 3
    run: {{mounts: ['{self.ledger}:/ledger']}}
  - name: {NODE}
    repository: '{self.rig.registry}/etl/node'
    track: {{tag: latest}}
    watch: '@every 10m'
runner:
  grace: 4s
  secret_key_file: secret.key
  policy: {{bind_mounts: ['{self.ledger}']}}
""",
        )

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text + "\n")
        path.chmod(0o600)

    def start(self) -> None:
        """Start it and wait until it serves."""
        with (self.folder / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, "serve", "--config", "prewarm.yaml"],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        until("prewarm serve is ready", self._ready, 30, 0.05)

    def _ready(self) -> bool:
        if self._process and self._process.poll() is not None:
            raise RuntimeError(f"prewarm serve ended:\n{self.log}")
        try:
            return self._http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End it at whatever instruction it is at."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(30)

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text()

    def get(self, path: str, token: str = "boss", **params: Any) -> Any:
        return self._ask(path, token, params).json()

    def runs(self, key: str, token: str) -> list[dict[str, Any]]:
        """All runs ever under a key, the first one first."""
        found: list[dict[str, Any]] = self.get("/v1/runs", token, key=key, limit=100)["runs"]
        return sorted(found, key=lambda run: str(run["submitted_at"]))

    def lines(self, run: str, token: str) -> list[str]:
        """A run's log as it is now."""
        answer = self._ask(f"/v1/runs/{run}/logs", token, {"after": 0})
        return [json.loads(line)["text"] for line in answer.text.splitlines()]

    def _ask(self, path: str, token: str, params: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[token]}"}
        return self._http.get(path, params=params, headers=headers).raise_for_status()

    def live(self, image: str = IMAGE) -> str:
        """The digest that is current; empty: none is yet."""
        current = self.get(f"/v1/images/{image}")["tracks"][0].get("current")
        return str(current["digest"]) if current else ""

    def check(self, image: str) -> None:
        """Look at its tag now."""
        headers = {"Authorization": f"Bearer {self.tokens['boss']}"}
        self._http.post(f"/v1/images/{image}/check", headers=headers).raise_for_status()

    def push(self, version: str) -> str:
        """Push another image under the tag and wait until it is live on all hosts."""
        digest = self.rig.push(f"{REPOSITORY}:latest", version)
        until(f"{version} is live", lambda: self.live() == digest, 60)
        return digest

    def entries(self, name: str) -> list[str]:
        """What containers wrote down of a piece of work: start, end and overlap, in order (program's verb work)."""
        book = self.ledger / "ledger"
        if not book.exists():
            return []
        return [line for line in book.read_text().splitlines() if line.split()[1] == name]
