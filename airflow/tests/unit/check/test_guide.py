"""The guide says what becomes of each parameter."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_prewarm.parity.signature import PARAMETERS

GUIDE = Path(__file__).parents[4] / "docs" / "airflow-migrate.md"


def test_each_parameter_is_in_the_table_once() -> None:
    table = GUIDE.read_text().split("## All 47 parameters")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(named) == 47
    assert sorted(named) == sorted(PARAMETERS)
