"""Exit codes that mean a skip."""

from __future__ import annotations

from collections.abc import Container
from typing import Any


def skips(asked: Any) -> list[int]:
    """The exit codes that are meant: by one number, or by anything that can be asked ``in``."""
    if asked is None:
        return []
    if isinstance(asked, int):
        return [int(asked)] if 0 <= asked < 256 else []
    wanted: Container[Any] = asked if isinstance(asked, Container) else [asked]
    return [code for code in range(256) if code in wanted]
