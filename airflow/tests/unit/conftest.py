"""Fixtures of the unit tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from records import Records, captured

from airflow_provider_prewarm.hooks import prewarm as hooks


@pytest.fixture
def log() -> Iterator[Records]:
    """What is written into Airflow's log."""
    with captured() as records:
        yield records


@pytest.fixture
def without_connection(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A triggerer that Airflow tells of no connection, so many times: it says so, too, where its database is busy."""

    def times(left: int) -> None:
        original = hooks.PrewarmHook.aserver

        async def aserver(hook: hooks.PrewarmHook) -> Any:
            nonlocal left
            if left:
                left -= 1
                raise LookupError("The conn_id `prewarm_default` isn't defined")
            return await original(hook)

        monkeypatch.setattr(hooks.PrewarmHook, "aserver", aserver)
        monkeypatch.setattr(hooks, "_LOOKS", (0.01, 0.01))

    return times
