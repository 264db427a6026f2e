"""Airflow 2 has no asset watchers: the import says so."""

from __future__ import annotations

import sys

import airflow.triggers.base
import pytest


def test_the_import_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(airflow.triggers.base, "BaseEventTrigger", raising=False)
    monkeypatch.delitem(sys.modules, "airflow_provider_prewarm.triggers.image", raising=False)
    with pytest.raises(ImportError, match="needs Airflow 3"):
        import airflow_provider_prewarm.triggers.image  # noqa: F401
