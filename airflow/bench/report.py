"""Figures and tables, in Markdown for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

# Resamples of a ratio's error. The seed keeps the same figures from having two errors.
RESAMPLES = 500


@dataclass
class Table:
    """The answer to one question."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"### {self.title}", "", f"| {' | '.join(self.columns)} |", "|" + "---|" * len(self.columns)]
        return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in self.rows)])


def spread(seconds: Sequence[float]) -> str:
    """The median with the quartiles around it."""
    low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return f"{millis(statistics.median(seconds))} ({number(low)}–{number(high)})"  # noqa: RUF001


def millis(seconds: float) -> str:
    return f"{number(seconds)} ms"


def number(seconds: float) -> str:
    """In milliseconds, with three digits where there are fewer."""
    ms = seconds * 1000
    return f"{ms:.1f}" if abs(ms) < 100 else f"{ms:.0f}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Of the medians, and what chance alone makes of it."""
    return _with_error(ours, theirs, lambda a, b: a / b, lambda x: f"{x:.2f}")


def difference(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Of the medians, and what chance alone makes of it."""
    return _with_error(ours, theirs, lambda a, b: a - b, number) + " ms"


def _with_error(
    ours: Sequence[float],
    theirs: Sequence[float],
    of: Callable[[float, float], float],
    shown: Callable[[float], str],
) -> str:
    chance = random.Random(1)

    def resampled(values: Sequence[float]) -> float:
        return statistics.median(chance.choices(values, k=len(values)))

    error = statistics.stdev(of(resampled(ours), resampled(theirs)) for _ in range(RESAMPLES))
    return f"{shown(of(statistics.median(ours), statistics.median(theirs)))} ± {shown(error)}"


def verdict(aim: str, met: bool) -> str:
    """Whether an aim was met."""
    return f"{aim}: met" if met else f"{aim}: **missed**"


def mebibytes(size: float) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def machine(engine: str) -> str:
    """Where the figures come from."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    parts = [
        f"> {date.today()}. {os.cpu_count()} cores ({_processor()}), {memory} GiB",  # noqa: DTZ011
        f"load {os.getloadavg()[0]:.1f} before; Linux {platform.release()}; Engine {engine}",
        f"Python {platform.python_version()}; Airflow {version('apache-airflow')}",
        f"docker provider {version('apache-airflow-providers-docker')}.",
    ]
    return ", ".join(parts[:2]) + "; " + ", ".join(parts[2:])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
