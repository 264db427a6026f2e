"""What tests share: the fake server, the connection to it, an Airflow of their own."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterator

# Before anything imports Airflow, which makes its home as it is imported: never a developer's own.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

import pytest

from fake_prewarm import FakePrewarm


@pytest.fixture
def fake() -> Iterator[FakePrewarm]:
    """A fake server that runs."""
    with FakePrewarm() as server:
        yield server


@pytest.fixture
def conn(fake: FakePrewarm, monkeypatch: pytest.MonkeyPatch) -> str:
    """The connection ``prewarm_default``, which leads to the fake server."""
    monkeypatch.setenv("AIRFLOW_CONN_PREWARM_DEFAULT", json.dumps(fake.connection()))
    return "prewarm_default"
