"""Real Docker hosts and a registry on this machine: what ``go run ./test/rig`` starts (see test/fleet)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Rig:
    """Three hosts and a registry.

    :param program: the compiled rig
    :param folder: of the rig; removed with it
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self.folder = folder

    def up(self) -> None:
        shown = json.loads(self._call("up", "--hosts", "3", "--detach", "-o", "json"))
        self.registry: str = shown["registry"]
        self.sockets: dict[str, str] = {h["name"]: h["socket"] for h in shown["hosts"]}

    def down(self) -> None:
        self._call("down")

    def push(self, ref: str, version: str, *flags: str) -> str:
        """Put an image into the registry; its digest."""
        return self._call("push", "--version", version, *flags, ref).strip()

    def containers(self) -> list[str]:
        """What a run has left or still has on the hosts, as "host name"."""
        found = []
        for host, socket in self.sockets.items():
            out = run("docker", "--host", socket, "ps", "--all", "--format", "{{.Names}}")
            found += [f"{host} {name}" for name in out.split()]
        return found

    def _call(self, command: str, *args: str) -> str:
        return run(str(self._program), command, "--dir", str(self.folder), *args)


def run(*command: str, cwd: Path = ROOT) -> str:
    """Run a program to its end; what it printed. One that fails is told with all that it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder: Path, package: str) -> Path:
    """Compile a program of this tree."""
    binary = folder / Path(package).name
    run("go", "build", "-trimpath", "-o", str(binary), package)
    return binary
