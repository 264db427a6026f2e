"""What the program of the rig's images does (test/fleet/program), in the verbs that the contract needs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from fake_prewarm import FakeRun, Line, stderr

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def play(run: FakeRun) -> Iterator[str | Line | int]:
    """Lines, and an exit code at the end."""
    verb, *args = run.body["command"]
    if verb == "print":
        yield from args
    elif verb == "both":
        for i in range(1, int(args[0]) + 1):
            yield f"out {i}"
            yield stderr(f"err {i}")
    elif verb == "lines":
        for i in range(1, int(args[0]) + 1):
            if i > 1:
                time.sleep(_seconds(args[1]))
            yield f"line {i}"
    elif verb == "exit":
        yield int(args[0])
    elif verb == "write":
        run.end(result=json.loads(args[1]))
    elif verb == "sleep":
        run.stop_on_cancel = False
        yield "sleeping"
        until = time.monotonic() + _seconds(args[0])
        while time.monotonic() < until:
            if run.fields.get("stop"):
                yield "terminated"
                yield 7
                return
            time.sleep(0.01)
    else:
        yield stderr(f'program: no verb "{verb}"')
        yield 64


def _seconds(text: str) -> float:
    unit = next(unit for unit in ("ms", "s", "m", "h") if text.endswith(unit))
    return float(text.removesuffix(unit)) * _UNITS[unit]
