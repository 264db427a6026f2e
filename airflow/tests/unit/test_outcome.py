"""What is told of an ended run."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_prewarm.runs.outcome import error_of, report

RUN: dict[str, Any] = {"id": "r1", "image": "node-jobs", "log": {"complete": False}}


def test_a_deadline_says_how_long_it_was() -> None:
    times = {"submitted_at": "2026-11-01T10:00:00.000000Z", "deadline_at": "2026-11-01T12:00:00.000000Z"}
    told = str(error_of(RUN | times | {"state": "timed_out", "reason": "deadline_passed"}, []))
    assert "was stopped by its deadline, 7200 s after its submit (execution_timeout) (deadline_passed)" in told


@pytest.mark.parametrize(
    ("stop", "says"),
    [
        ("cancel", "by a call"),
        ("keepalive", "nobody asked for it"),
        ("replaced", "took its place"),
        ("", "was stopped ("),
    ],
)
def test_by_whom_it_was_canceled(stop: str, says: str) -> None:
    told = str(error_of(RUN | {"state": "canceled", "reason": "canceled", "stop": stop}, []))
    assert says in told


def test_the_report_says_the_state_and_nothing_of_a_log_that_never_was() -> None:
    assert report(RUN | {"state": "refused"}) == "refused; host none; image node-jobs; no exit code"
    began = RUN | {"state": "lost", "container_id": "c", "host": "etl-1"}
    assert report(began).startswith("lost; host etl-1; ")
    assert "log may lack lines" in report(began)
