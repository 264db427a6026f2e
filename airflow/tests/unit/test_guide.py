"""The guide's tables of parameters have what the operator takes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from airflow_provider_prewarm.operators.base import PrewarmOperator
from airflow_provider_prewarm.operators.run import PrewarmRunOperator

GUIDE = Path(__file__).parents[3] / "docs" / "airflow.md"


def parameters(kind: type) -> set[str]:
    made: Any = vars(kind)["__init__"]
    signature = inspect.signature(getattr(made, "__wrapped__", made))
    return {name for name, p in signature.parameters.items() if p.kind is p.KEYWORD_ONLY}


def test_the_tables_have_each_parameter_once() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    section = text.partition("## Parameters of PrewarmRunOperator\n")[2].partition("\n## ")[0]
    own, _, common = section.partition("How the task is run")
    told = [re.findall(r"^\| `(\w+)` \|", table, re.M) for table in (own, common)]
    assert len(told[0]) + len(told[1]) == len({*told[0], *told[1]})
    everything, of_all = parameters(PrewarmRunOperator), parameters(PrewarmOperator)
    assert set(told[1]) == of_all
    assert set(told[0]) == everything - of_all
