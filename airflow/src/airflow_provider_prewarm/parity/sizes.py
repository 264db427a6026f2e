"""Amounts of memory, as docker-py reads them; and terabytes, which ``docker run`` reads."""

from __future__ import annotations

import math
from typing import Any

from airflow_provider_prewarm.parity.wrong import ArgumentWrong

_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def size(parameter: str, value: Any) -> int:
    """Bytes of a number, or of a string such as ``128m``, ``1.5g`` or ``1gb``; 0 of nothing."""
    if value is None or value == "":
        return 0
    amount = value if isinstance(value, (int, float)) and not isinstance(value, bool) else _of_text(value)
    if amount is None or not math.isfinite(amount):
        raise ArgumentWrong(
            parameter, f"{value!r} is no size", "write bytes as a number, or a string such as 512m or 2g"
        )
    if amount < 0:
        raise ArgumentWrong(parameter, f"{value!r} is below 0", "leave it out for no limit")
    return int(amount)


def _of_text(value: Any) -> float | None:
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    if text[-2:-1].isalpha() and text.endswith("b"):  # 128mb
        text = text[:-1]
    unit = _UNITS.get(text[-1:], 0)
    try:
        return float(text[:-1] if unit else text) * (unit or 1)
    except ValueError:
        return None


def log_cap(max_size: Any, max_file: Any) -> int:
    """The most that is kept of a log: as many bytes as Docker would keep in all of its files; 0 for no bound.

    Docker counts files only where they have a size.
    """
    if max_size is None or str(max_size).strip() in ("", "-1"):
        return 0
    try:
        files = 1 if max_file is None else int(max_file)
    except (TypeError, ValueError):
        files = 0
    if files < 1:
        raise ArgumentWrong("log_opts_max_file", f"{max_file!r} is no number of files", "write a number from 1 on")
    return size("log_opts_max_size", max_size) * files
