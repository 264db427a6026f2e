"""Measure Prewarm's operator against the real DockerOperator, on one engine, and print tables for docs/benchmarks.md.

    python airflow/bench/bench.py                       all of it, about five minutes
    python airflow/bench/bench.py --pairs 5 warm cut    some of it, with fewer pairs

The Python has to be one with Airflow 3 and its docker provider: ``make airflow-bench`` makes it. It needs root, Go, and
what ``make setup`` installs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measures import MEASURES, Settings, tool
from report import machine
from rig import started


def main() -> None:
    options = parse(sys.argv[1:])
    settings = Settings(options.pairs, options.rounds, options.lines, options.width, options.image)
    with tempfile.TemporaryDirectory(prefix="prewarm-bench-") as folder, started(Path(folder)) as rig:
        print(machine(rig.docker.version()["Version"]), flush=True)
        tool(rig)
        for name in options.measure or MEASURES:
            print(f"measuring: {name}", file=sys.stderr)
            begin = time.monotonic()
            rig.clear()
            print(f"\n{MEASURES[name](rig, settings)}", flush=True)
            print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.py", description="Measure Prewarm's operator against DockerOperator.")
    parser.add_argument("measure", nargs="*", metavar="MEASURE", help=f"some of: {', '.join(MEASURES)}; none: all")
    parser.add_argument("--pairs", type=at_least(2), default=15, help="pairs of short tasks (%(default)s)")
    parser.add_argument("--rounds", type=at_least(2), default=3, help="pushes of each size (%(default)s)")
    parser.add_argument("--lines", type=at_least(1), default=1_400_000, help="lines of the long log (%(default)s)")
    parser.add_argument("--width", type=at_least(8), default=72, help="bytes of each of them (%(default)s)")
    parser.add_argument("--image", type=at_least(1), default=200_000_000, help="bytes of a large image (%(default)s)")
    options = parser.parse_args(words)
    for name in options.measure:
        if name not in MEASURES:
            parser.error(f"no measure is called {name!r}; there are: {', '.join(MEASURES)}")
    return options


def at_least(least: int) -> Callable[[str], int]:
    """A parser of whole numbers that are not below one."""

    def number(word: str) -> int:
        value = int(word)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


if __name__ == "__main__":
    main()
