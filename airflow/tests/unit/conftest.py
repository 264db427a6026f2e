"""Fixtures of the unit tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from records import Records, captured


@pytest.fixture
def log() -> Iterator[Records]:
    """What is written into Airflow's log."""
    with captured() as records:
        yield records
