"""Wait until something is so."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(what: str, ask: Callable[[], T], seconds: float = 120, pause: float = 0.25) -> T:
    """Ask until the answer is true, and give it.

    :raises TimeoutError: with the last answer
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:.0f} s still not so: {what} (last: {answer!r})")
        time.sleep(pause)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, or before it was read
        return False


def parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def kill(pid: int, signal: int) -> None:
    """Send a signal, and wait for the end if it is SIGKILL."""
    os.kill(pid, signal)
    if signal == 9:
        until(f"process {pid} is gone", lambda: not alive(pid), 10, 0.02)
