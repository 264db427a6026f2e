"""What a printer keeps, and what Airflow 2 gets."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_prewarm._compat import AIRFLOW_3
from airflow_provider_prewarm.runs.printer import LOGGER, Printer, emitter


def line(seq: int, text: str, micros: int = 204518) -> dict[str, Any]:
    return {"seq": seq, "time": f"2026-11-22T09:00:01.{micros:06d}Z", "stream": "stdout", "text": text}


def kept(texts: list[str], keep: int | None = 200) -> list[str]:
    printer = Printer(lambda *_: None, keep=keep)
    for seq, text in enumerate(texts, 1):
        printer.line(line(seq, text))
    return printer.kept


def test_so_many_lines() -> None:
    assert kept([str(i) for i in range(500)], 3) == ["497", "498", "499"]
    assert kept(["a"], 0) == []
    assert len(kept(["x"] * 500, None)) == 500


def test_so_many_characters() -> None:
    """Two hundred lines of the longest have 200 MB."""
    long = "x" * 400_000
    assert kept(["a", long, long, "b"]) == ["a", long, long, "b"]
    assert kept(["a", long, long, long, "b"]) == [long, long, "b"]
    assert kept(["a", "x" * (2 << 20)]) == ["x" * (2 << 20)]
    assert kept(["x" * (2 << 20), "b"]) == ["b"]


def test_a_line_in_pieces_is_one() -> None:
    """The streams may take turns."""
    printer = Printer(lambda *_: None, longest=8)
    pieces = [("stdout", "a1", True), ("stderr", "b1", True), ("stdout", "a2", False), ("stderr", "b2", False)]
    pieces += [("stdout", "c", False), ("stdout", "\r", True), ("stdout", "d", True)]
    for seq, (stream, text, unended) in enumerate(pieces, 1):
        printer.line(line(seq, text) | {"stream": stream} | ({"open": True} if unended else {}))
        if seq == 3:
            assert (printer.last_stdout, printer.first_is_last) == ("a1a2", True)
    assert printer.kept == ["a1a2", "b1b2", "c", "\rd"]
    assert (printer.last_stdout, printer.first_is_last) == ("\rd", False)
    for seq in range(100):
        printer.note(line(seq, "xxxx") | {"open": True})
    assert 8 < len(printer.last_stdout) <= 12, "too long for an XCom, and no longer"


@pytest.mark.skipif(AIRFLOW_3, reason="Airflow 3 has microseconds")
def test_equal_lines_of_one_millisecond_are_shown_each() -> None:
    """By Airflow 2's own reader."""
    from airflow.utils.log.file_task_handler import _interleave_logs
    from airflow.utils.log.timezone_aware import TimezoneAware

    files: list[str] = []
    written: list[str] = []

    class Write(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler = Write()
    handler.setFormatter(TimezoneAware("[%(asctime)s] {%(filename)s:%(lineno)d} %(levelname)s - %(message)s"))
    log = logging.getLogger(LOGGER)
    log.addHandler(handler)
    try:
        said = [("tick", 1), ("tick", 2), ("tick", 3), ("tock", 4), ("tick", 5), ("tick", 1001), ("end", 9000)]
        for _ in range(2):  # in two triggerers
            printer = Printer(emitter())
            for seq, (text, micros) in enumerate(said, 1):
                printer.line(line(seq, text, micros))
            files.append("\n".join(written))
            written.clear()
    finally:
        log.removeHandler(handler)
    shown = [text.rpartition(" - ")[2] for text in _interleave_logs(*files)]
    assert shown == [text for text, _ in said]
