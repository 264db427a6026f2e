"""How long, and what happens when nobody asks for a run any more."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_prewarm.runs.task import Try
from airflow_provider_prewarm.runs.terms import duration, exit_codes, heartbeat_timeout, keepalive, retry_delay, silence


def test_durations() -> None:
    assert [duration(t) for t in (90, 0.25, timedelta(days=2), 0.0001)] == ["90000ms", "250ms", "172800000ms", "1ms"]


def test_heartbeat_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heartbeat_timeout() == 300
    for name in ("TASK_INSTANCE_HEARTBEAT_TIMEOUT", "SCHEDULER_ZOMBIE_TASK_THRESHOLD"):
        monkeypatch.setenv(f"AIRFLOW__SCHEDULER__{name}", "20")
    assert heartbeat_timeout() == 20


@pytest.mark.parametrize(
    ("number", "seconds"),
    [(1, 60 + 120), (2, 60 + 120), (3, 0)],
)
def test_keepalive(number: int, seconds: float) -> None:
    """The last try has none that would join it."""
    this = Try("d", "r", "t", -1, number, 3, 0, "w")

    def of(**given: Any) -> float:
        usual = {"keepalive": None, "reconnect_timeout": 5, "deferrable": False, "retry_delay": timedelta(minutes=1)}
        return keepalive(SimpleNamespace(**usual | given), this)

    assert of() == 300 + seconds
    assert of(reconnect_timeout=timedelta(minutes=10)) == 600 + seconds
    assert of(deferrable=True) == 3600
    assert of(deferrable=True, reconnect_timeout=7200) == 7200 + seconds
    assert of(deferrable=True, keepalive=timedelta(days=1)) == 86400
    assert of(keepalive=90) == 90


@pytest.mark.parametrize(("given", "seconds"), [(90, 45), (3600, 300)])
def test_silence_is_seen_within_the_keepalive(given: float, seconds: float) -> None:
    assert silence(SimpleNamespace(keepalive=given), Try("d", "r", "t", -1, 1, 1, 0, "w")) == seconds


@pytest.mark.parametrize(
    ("task", "number", "seconds"),
    [
        ({"retry_delay": timedelta(seconds=30)}, 4, 30),
        ({"retry_delay": 30}, 4, 30),
        ({"retry_delay": timedelta(seconds=10), "retry_exponential_backoff": True}, 1, 20),
        ({"retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2.0}, 3, 80),
        ({"retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 3}, 2, 60),
        ({"retry_delay": 10, "retry_exponential_backoff": 2, "max_retry_delay": timedelta(seconds=15)}, 5, 15),
        ({"retry_delay": 10, "retry_exponential_backoff": 2}, 50, 86400),
        ({"retry_delay": 10, "retry_exponential_backoff": 2}, 5000, 86400),
        ({"retry_delay": 0, "retry_exponential_backoff": 2}, 1, 2),
    ],
)
def test_the_longest_delay_before_a_retry(task: dict[str, Any], number: int, seconds: float) -> None:
    assert retry_delay(SimpleNamespace(**task), number) == seconds


def test_exit_codes() -> None:
    assert [exit_codes(given) for given in (None, 0, 99, [1, 2], range(3))] == [set(), {0}, {99}, {1, 2}, {0, 1, 2}]
