"""Tasks on a worker: how they are given to it, watched, killed, and what they left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# Seconds between two looks at a log file: little beside the milliseconds that are measured, and little work.
LOOK = 0.001


@dataclass(frozen=True)
class Outcome:
    """How a task went.

    :param report: what it wrote about itself
    :param texts: the lines of its log
    """

    state: str
    report: dict[str, Any]
    texts: list[str]

    @property
    def seconds(self) -> float:
        """The wall time of execute()."""
        return float(self.report["ended"]) - float(self.report["started"])


class Task:
    """A task that was given to a worker."""

    def __init__(self, worker: Worker, log: Path, report: Path) -> None:
        self._worker = worker
        self.log = log
        self._report = report

    def report(self) -> dict[str, Any]:
        """What it wrote about itself so far."""
        try:
            return dict(json.loads(self._report.read_text()))
        except FileNotFoundError:
            return {}

    def await_text(self, text: str, limit: float = 120) -> float:
        """Wait until a text is in the log file, and give the time of that by the monotonic clock."""
        wanted, offset, tail = text.encode(), 0, b""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self.log.exists():
                with self.log.open("rb") as file:
                    file.seek(offset)
                    new = file.read()
                offset += len(new)
                if wanted in tail + new:
                    return time.monotonic()
                tail = (tail + new)[-len(wanted) :]
            time.sleep(LOOK)
        raise TimeoutError(f"{text!r} is not in {self.log} after {limit:.0f} s")

    def kill(self) -> None:
        """Kill its process with -9. The supervisor stays."""
        os.kill(int(self.report()["pid"]), signal.SIGKILL)

    def end(self) -> Outcome:
        """Wait for its end."""
        outcome = self.end_unread()
        return Outcome(outcome.state, outcome.report, texts(self.log))

    def end_unread(self) -> Outcome:
        """Wait for its end, and leave its log unread: it may be large."""
        answer = self._worker.answer()
        return Outcome(answer["state"], self.report(), [])


class Worker:
    """A worker process, with the folder of its logs.

    :param environment: variables for it, beside this process's
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        ours, its = os.pipe()
        env = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        self._output = (folder / "worker.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), str(its)],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=[its],
            env=env,
        )
        os.close(its)
        self._answers = os.fdopen(ours)

    def start(
        self,
        operator: str,
        arguments: dict[str, Any],
        *,
        run: str = "",
        number: int = 1,
        retries: int = 0,
        environment: dict[str, str] | None = None,
    ) -> Task:
        """Give it a task. One at a time.

        :param operator: "docker" or "prewarm"
        :param arguments: of the operator
        :param run: of the DAG; empty: a new one
        :param number: of the try
        :param environment: variables for it alone
        """
        name = f"{operator}-{uuid.uuid4()}"
        log, report = self.folder / f"{name}.log", self.folder / f"{name}.json"
        task = {
            "operator": operator,
            "arguments": arguments,
            "dag": f"bench_{operator}",
            "run": run or name,
            "try": number,
            "retries": retries,
            "environment": environment or {},
            "log": str(log),
            "report": str(report),
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(task).encode() + b"\n")
        self._process.stdin.flush()
        return Task(self, log, report)

    def run(self, operator: str, arguments: dict[str, Any]) -> Outcome:
        """Run a task that has to succeed."""
        outcome = self.start(operator, arguments).end()
        if outcome.state != "success":
            raise RuntimeError("\n".join([f"a task of {operator} ended as {outcome.state!r}", *outcome.texts[-30:]]))
        return outcome

    def answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the worker ended; its last words are in {self.folder}/worker.log")
        return dict(json.loads(line))

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._output.close()


def texts(log: Path) -> list[str]:
    """The lines of a log, without times and levels."""
    with log.open() as lines:
        return [str(json.loads(line).get("event")) for line in lines]
