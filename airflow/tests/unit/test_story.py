"""The DAGs of docs/story.md, and the other Python in the pages, are Python; what they call takes what they give."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.docker.operators.docker import DockerOperator

from airflow_provider_prewarm.operators.ensure import PrewarmEnsureOperator
from airflow_provider_prewarm.operators.run import PrewarmRunOperator
from airflow_provider_prewarm.operators.scope import PrewarmScopeEndOperator

DOCS = Path(__file__).parents[3] / "docs"
STORY = DOCS / "story.md"
KNOWN: dict[str, Any] = {
    kind.__name__: kind for kind in (DockerOperator, PrewarmEnsureOperator, PrewarmRunOperator, PrewarmScopeEndOperator)
}


def blocks(page: Path) -> list[str]:
    """What stands in a page's fences of Python."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def tree(block: str) -> ast.Module:
    """A fence may hold a part of a call: arguments alone."""
    try:
        return ast.parse(block)
    except SyntaxError:
        return ast.parse(f"part(\n{textwrap.dedent(block)})")


def takes(kind: Any) -> set[str]:
    """The parameters of an operator and of what it is made of."""
    names: set[str] = set()
    for base in kind.__mro__:
        made = vars(base).get("__init__")
        if made is not None:
            names |= set(inspect.signature(getattr(made, "__wrapped__", made)).parameters)
    return names - {"self", "args", "kwargs"}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_python_in_the_pages_can_be_parsed(page: Path) -> None:
    for block in blocks(page):
        tree(block)


def test_the_story_has_a_dag_for_each_stage() -> None:
    dags = [block for block in blocks(STORY) if "with DAG(" in block]
    assert [re.findall(r'"(importer_\w+)"', dag) for dag in dags] == [
        ["importer_bash"],
        ["importer_docker"],
        ["importer_prewarm"],
    ]


def test_the_story_calls_operators_as_they_are() -> None:
    seen = set()
    for block in blocks(STORY):
        for call in ast.walk(tree(block)):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KNOWN:
                seen.add(call.func.id)
                given = {k.arg for k in call.keywords if k.arg}
                assert given <= takes(KNOWN[call.func.id]), call.func.id
    assert seen == set(KNOWN)
