"""What is imported is what this Airflow has for it, not what it keeps for older DAGs."""

from __future__ import annotations

import importlib.util

from airflow_provider_prewarm import _compat


def test_an_airflow_3_is_seen_as_one() -> None:
    sdk = importlib.util.find_spec("airflow.sdk") is not None
    assert sdk == _compat.AIRFLOW_3
    assert _compat.BaseOperator.__module__.startswith("airflow.sdk." if sdk else "airflow.models.")
    assert _compat.Context.__module__.startswith("airflow.sdk." if sdk else "airflow.utils.")
