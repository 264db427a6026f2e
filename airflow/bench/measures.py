"""What is measured, a function for each question. Both operators do the same work by turns."""

from __future__ import annotations

import mmap
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cutter import Cutter
from report import Table, difference, mebibytes, millis, ratio, spread, verdict
from rig import Rig
from tasks import Outcome, Task

SIDES = ("docker", "prewarm")
# A program that prints for four seconds: long enough to be cut and killed in its midst.
LINES = 40
SLOW = f"lines {LINES} 100ms"


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    :param pairs: of short tasks
    :param rounds: of pushes, for each size
    :param lines: of the long log
    :param width: bytes of each of its lines, the line feed included
    :param image: bytes of the image that is pushed as a whole
    """

    pairs: int
    rounds: int
    lines: int
    width: int
    image: int


def arguments(rig: Rig, side: str, command: str, repository: str = "tool", **more: Any) -> dict[str, Any]:
    """An operator's arguments for a command of the test program."""
    if side == "docker":
        # Without its temporary folder, which a remote engine refuses at the cost of one more call; and with removal,
        # which Prewarm does by itself.
        base = {"docker_url": rig.engine, "mount_tmp_dir": False, "auto_remove": "success"}
        return {**base, "image": f"{rig.registry}/bench/{repository}:latest", "command": command, **more}
    return {"image": repository, "command": command.split(), **more}


def turns(rounds: int) -> Iterator[tuple[int, str]]:
    """Each side in each round, the one and the other first; round 0 fills caches, and is not to be counted."""
    for n in range(rounds + 1):
        for side in SIDES if n % 2 else reversed(SIDES):
            yield n, side


def tool(rig: Rig) -> None:
    """Have the test program's image on the host, for both."""
    rig.await_current("tool", rig.push("bench/tool"))
    rig.docker.images.pull(f"{rig.registry}/bench/tool", tag="latest")


def warm(rig: Rig, settings: Settings) -> Table:
    """A short task, warm."""
    taken: dict[str, list[float]] = {side: [] for side in SIDES}
    for n, side in turns(settings.pairs):
        outcome = rig.worker.run(side, arguments(rig, side, "print hello"))
        if n:
            taken[side].append(outcome.seconds)
    ours, theirs = taken["prewarm"], taken["docker"]
    table = Table("`execute()` of a task that prints a line, warm", [*COLUMNS, "ratio", "aim"])
    met = statistics.median(ours) <= statistics.median(theirs)
    row = [str(settings.pairs), spread(ours), spread(theirs), ratio(ours, theirs), verdict("≤ 1.00", met)]
    table.rows.append(row)
    return table


COLUMNS = ["pairs", "PrewarmRunOperator", "DockerOperator"]


def first_line(rig: Rig, settings: Settings) -> Table:
    """From the begin of execute() until the first line is in the task's log file."""
    taken: dict[str, list[float]] = {side: [] for side in SIDES}
    pairs = max(2, settings.pairs // 2)
    for n, side in turns(pairs):
        task = rig.worker.start(side, arguments(rig, side, "lines 2 300ms"))
        seen = task.await_text('"line 1"')
        outcome = finish(task)
        if n:
            taken[side].append(seen - float(outcome.report["started"]))
    ours, theirs = taken["prewarm"], taken["docker"]
    table = Table("From the begin of `execute()` until the first line is in the task's log", [*COLUMNS, "difference"])
    table.rows.append([str(pairs), spread(ours), spread(theirs), difference(ours, theirs)])
    return table


def finish(task: Task) -> Outcome:
    """Wait for a task that has to succeed."""
    outcome = task.end()
    if outcome.state != "success":
        raise RuntimeError("\n".join(["a task did not succeed:", *outcome.texts[-30:]]))
    return outcome


def pushed(rig: Rig, settings: Settings) -> Table:
    """A task after a push: DockerOperator pulls in it, Prewarm has warmed the image before."""
    columns = ["after a push of", "pairs", "PrewarmRunOperator", "DockerOperator, force_pull", "difference"]
    table = Table("`execute()` after a push", columns)
    whole, base = settings.image, min(settings.image, 20_000_000)
    kinds: list[tuple[str, Callable[[int], tuple[int, int]]]] = [
        ("nothing new", lambda _: (base, 1000)),
        (f"1 kB, on {base / 1e6:.0f} MB that did not change", lambda n: (base, 1000 + n)),
        (f"the whole image, {whole / 1e6:.0f} MB", lambda n: (whole + n, 1000)),
    ]
    for name, layers in kinds:
        taken = after_pushes(rig, settings.rounds, layers)
        ours, theirs = taken["prewarm"], taken["docker"]
        table.rows.append([name, str(settings.rounds), spread(ours), spread(theirs), difference(ours, theirs)])
    return table


def after_pushes(rig: Rig, rounds: int, layers: Callable[[int], tuple[int, int]]) -> dict[str, list[float]]:
    """Each side has a repository and layers of its own, so that neither profits by the other's pull."""
    taken: dict[str, list[float]] = {side: [] for side in SIDES}
    for n, side in turns(rounds):
        repository = "pushed" if side == "prewarm" else "pulled"
        digest = rig.push(f"bench/{repository}", *layers(n), seed=SIDES.index(side) + 1)
        if side == "prewarm":
            rig.await_current(repository, digest)
        os.sync()  # what the push left to be written would fall on the task
        force = {"force_pull": True} if side == "docker" else {}
        outcome = rig.worker.run(side, arguments(rig, side, "print hello", repository, **force))
        if n:
            taken[side].append(outcome.seconds)
    return taken


def long_log(rig: Rig, settings: Settings) -> Table:
    """A long log: lines a second, and the memory of the task's process."""
    megabytes = settings.lines * settings.width / 1e6
    title = f"A log of {settings.lines:,} lines of {settings.width} bytes, {megabytes:.0f} MB"
    columns = ["operator", "`execute()`", "lines a second", "CPU of the task", "memory (RSS) before", "at most", "aim"]
    table, rates, grown = Table(title, columns), {}, {}
    for side in SIDES:
        command = f"count {settings.lines} {settings.width - 1}"
        outcome = finish_long(rig.worker.start(side, arguments(rig, side, command)), settings.lines)
        report = outcome.report
        rates[side] = settings.lines / outcome.seconds
        grown[side] = report["peak"] - report["before"]
        met = rates["prewarm"] >= rates["docker"] and grown["prewarm"] < grown["docker"] if side == "prewarm" else True
        aim = verdict("not fewer lines, memory flat", met) if side == "prewarm" else ""
        cells = [f"{outcome.seconds:.1f} s", f"{rates[side]:,.0f}", f"{report['cpu']:.1f} s"]
        table.rows.append([NAMES[side], *cells, mebibytes(report["before"]), mebibytes(report["peak"]), aim])
    return table


NAMES = {"docker": "DockerOperator", "prewarm": "PrewarmRunOperator"}
_COUNTED = re.compile(rb'"event":"\d+ *"')


def finish_long(task: Task, lines: int) -> Outcome:
    """Wait for a task and count its lines, without reading the log into memory."""
    answer = task.end_unread()
    if answer.state != "success":
        raise RuntimeError(f"a task of many lines ended as {answer.state!r}; its log is {task.log}")
    with task.log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as log:
        found = sum(1 for _ in _COUNTED.finditer(log))
    task.log.unlink()
    if found != lines:
        raise RuntimeError(f"{found} of {lines} lines are in the log of a task")
    return answer


def killed(rig: Rig, _: Settings) -> Table:
    """kill -9 of the task's process in its midst, and the retry."""
    title = "`kill -9` of the task's process, and its retry"
    columns = ["operator", "containers started", "executed to the end", "containers left", "lines in the retry's log"]
    table = Table(title, columns)
    for side in SIDES:
        rig.clear()
        begin = time.time_ns()
        run = f"killed-{side}-{begin}"
        given = arguments(rig, side, SLOW)
        first = rig.worker.start(side, given, run=run, number=1, retries=1)
        first.await_text('"line 10"')
        first.kill()
        first.end()
        retry = finish(rig.worker.start(side, given, run=run, number=2, retries=1))
        time.sleep(1)  # the removal of a container is not waited for by Prewarm
        ended = [e for e in events(rig, begin, "die") if e["Actor"]["Attributes"]["exitCode"] == "0"]
        counts = [len(events(rig, begin, "start")), len(ended), len(rig.containers()), len(printed(retry))]
        table.rows.append([NAMES[side], *map(str, counts[:-1]), f"{counts[-1]} of {LINES}"])
    return table


def events(rig: Rig, begin: int, kind: str) -> list[dict[str, Any]]:
    """What the engine told of containers since a time."""
    told = rig.docker.events(
        since=begin // 10**9, until=int(time.time()) + 1, decode=True, filters={"type": "container", "event": kind}
    )
    return [e for e in told if e["timeNano"] >= begin]


def printed(outcome: Outcome) -> list[str]:
    return [text for text in outcome.texts if re.fullmatch(r"line \d+", text)]


def cut(rig: Rig, _: Settings) -> Table:
    """The connection of the log is reset in the midst of it."""
    columns = ["operator", "the try", "lines", "each once", "containers left, running", "error"]
    table = Table("The connection is reset while the program prints", columns)
    for side in SIDES:
        rig.clear()
        to = httpx.URL(rig.engine if side == "docker" else rig.server)
        with Cutter(str(to.host), to.port or 0) as way:
            connection = f'{{"conn_type": "prewarm", "host": "127.0.0.1", "port": {way.port}}}'
            through = {"docker_url": f"tcp://127.0.0.1:{way.port}"} if side == "docker" else {}
            given = {**arguments(rig, side, SLOW), **through}
            task = rig.worker.start(side, given, environment={"AIRFLOW_CONN_PREWARM_DEFAULT": connection})
            task.await_text('"line 10"')
            way.cut()
            outcome = task.end()
        lines, left = printed(outcome), rig.containers()
        running = sum(c.status == "running" for c in left)
        once = "yes" if len(set(lines)) == len(lines) == LINES else "no"
        error = str(outcome.report.get("error", ""))[:120].replace("|", "/")
        counts = [f"{len(set(lines))} of {LINES}", once, f"{len(left)}, {running}"]
        table.rows.append([NAMES[side], outcome.state, *counts, error])
    return table


IMPORT = "import sys, time, airflow.sdk; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
MODULES = {
    "docker": "airflow.providers.docker.operators.docker",
    "prewarm": "airflow_provider_prewarm.operators.run",
}


def imported(rig: Rig, settings: Settings) -> Table:
    """What the operator's import adds to the parse of a DAG file."""
    source = str(Path(__file__).resolve().parent.parent / "src")
    env = {**os.environ, "AIRFLOW_HOME": str(rig.folder / "airflow"), "PYTHONPATH": source}
    taken: dict[str, list[float]] = {side: [] for side in SIDES}
    for n, side in turns(max(3, settings.rounds)):
        command = [sys.executable, "-c", IMPORT.format(MODULES[side])]
        said = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        if n:
            taken[side].append(float(said.stdout.split()[-1]))
    ours, theirs = taken["prewarm"], taken["docker"]
    table = Table("The operator's import, after `import airflow.sdk`", [*COLUMNS, "ratio", "aim"])
    met = verdict("≤ 20 ms", statistics.median(ours) <= 0.020)
    table.rows.append([str(len(ours)), spread(ours), spread(theirs), ratio(ours, theirs), met])
    return table


MEASURES: dict[str, Callable[[Rig, Settings], Table]] = {
    "warm": warm,
    "first-line": first_line,
    "pushed": pushed,
    "long-log": long_log,
    "killed": killed,
    "cut": cut,
    "import": imported,
}

__all__ = ["MEASURES", "Settings", "millis", "tool"]
