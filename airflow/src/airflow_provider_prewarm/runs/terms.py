"""The terms of a task's submit: how long its run may take, and what happens when nobody asks for it any more."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from airflow_provider_prewarm._compat import conf
from airflow_provider_prewarm.api.client import STREAM_SILENCE
from airflow_provider_prewarm.runs.task import Try

# Seconds that Airflow may take to begin a retry whose time has come.
_SCHEDULING = 120
# Airflow's own bound of a delay between tries.
_LONGEST_DELAY = 24 * 60 * 60
# The least seconds for which a deferred task's run waits for a triggerer.
_DEFERRED = 60 * 60
_CONTEXT = "AIRFLOW_CTX_"


def seconds_of(time: timedelta | float | None) -> float:
    """A time as a number of seconds; 0: none."""
    return time.total_seconds() if isinstance(time, timedelta) else float(time or 0)


def duration(time: timedelta | float) -> str:
    """A time as the API takes it."""
    return f"{math.ceil(seconds_of(time) * 1000)}ms"


def keepalive(task: Any, this: Try) -> float:
    """How many seconds a run may be without anybody who asks for it.

    While a try remains, that is until Airflow has noticed that the worker is gone and has begun the next try, which
    joins the run. At the last one nobody will come. No less than a server that is gone is tried, at whose return the
    follower is there. While a task is deferred, its triggerer may be away, with Airflow none the wiser.

    :param task: the operator
    """
    if task.keepalive is not None:
        return seconds_of(task.keepalive)
    seconds = max(heartbeat_timeout(), seconds_of(task.reconnect_timeout))
    if this.number < this.tries:
        seconds += retry_delay(task, this.number) + _SCHEDULING
    return max(seconds, _DEFERRED) if task.deferrable else seconds


def silence(task: Any, this: Try) -> float:
    """After how many seconds without a line a follower looks whether the server is there.

    A connection that broke unseen keeps nothing alive: this is soon enough for another one.
    """
    return min(STREAM_SILENCE, keepalive(task, this) / 2)


def heartbeat_timeout() -> float:
    """After how many seconds Airflow gives a worker up that says nothing."""
    found = conf.getint("scheduler", "task_instance_heartbeat_timeout", fallback=0)
    return float(found or conf.getint("scheduler", "scheduler_zombie_task_threshold", fallback=0) or 300)


def retry_delay(task: Any, number: int) -> float:
    """The most seconds that Airflow waits after a try before the next one."""
    delay = seconds_of(getattr(task, "retry_delay", None))
    backoff = getattr(task, "retry_exponential_backoff", 0)
    multiplier = 2.0 if backoff is True else float(backoff or 1)  # a flag before 3.2
    if multiplier == 1:
        return delay
    longest = seconds_of(getattr(task, "max_retry_delay", None)) or _LONGEST_DELAY
    try:
        # Airflow adds up to as much again, by a hash of the try.
        backed_off = 2 * max(math.ceil(delay * multiplier ** (number - 1)), 1)
    except OverflowError:
        return longest
    return min(backed_off, longest, _LONGEST_DELAY)


def listed(given: str | Collection[str] | None) -> list[str]:
    """Words, of which one may be given bare; it is not a list of its letters."""
    if not given:
        return []
    return [given] if isinstance(given, str) else list(given)


def exit_codes(given: int | Collection[int] | None) -> set[int]:
    """Exit codes, of which one may be given bare."""
    if given is None:
        return set()
    return {given} if isinstance(given, int) else set(given)


def with_airflow_env(env: Collection[str], secret: Collection[Mapping[str, Any]]) -> list[str]:
    """Variables with those that Airflow set for this task before them; a task's own go before Airflow's."""
    own = {variable.partition("=")[0] for variable in env} | {variable["name"] for variable in secret}
    context = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(_CONTEXT) and name not in own]
    return [*sorted(context), *env]
