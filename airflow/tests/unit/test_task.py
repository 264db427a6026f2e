"""What a context says of a try. tests/e2e holds the same against real retries and clears."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_prewarm.runs.task import Try, meta_of, try_of


def context(number: int = 1, max_tries: int = 2, retries: int = 2, map_index: int | None = -1, **more: Any) -> Any:
    task = SimpleNamespace(retries=retries, owner=more.pop("owner", "etl"))
    ti = SimpleNamespace(
        dag_id="d",
        run_id="manual/1",
        task_id="t",
        try_number=number,
        max_tries=max_tries,
        map_index=map_index,
        task=task,
    )
    for name, value in more.items():
        setattr(ti, name, value)
    return {"ti": ti, "task": task}


def test_names() -> None:
    this = try_of(context(map_index=7))
    assert (this.key, this.scope) == ("d/manual/1/t/7", "d/manual/1")
    assert try_of(context(map_index=None)).key == "d/manual/1/t/-1"


# retries=2 throughout: what a task's life does to (try_number, max_tries), and what is made of it.
@pytest.mark.parametrize(
    ("number", "max_tries", "epoch", "tries", "first", "join"),
    [
        (1, 2, 0, 3, True, "active"),
        (2, 2, 0, 3, False, "success"),
        (3, 2, 0, 3, False, "success"),
        # cleared after try 1
        (2, 3, 1, 4, True, "active"),
        (3, 3, 1, 4, False, "success"),
        # cleared after try 3, and again after try 4
        (4, 5, 3, 6, True, "active"),
        (5, 6, 4, 7, True, "active"),
        # cleared while it was running, at its last try: Airflow raises no max_tries, and tries once more
        (4, 2, 0, 4, False, "success"),
    ],
)
def test_tries_and_epochs(number: int, max_tries: int, epoch: int, tries: int, first: bool, join: str) -> None:
    this = try_of(context(number, max_tries))
    assert (this.epoch, this.tries, this.first_of_epoch, this.join) == (epoch, tries, first, join)
    assert this.number <= this.tries


def test_without_retries() -> None:
    this = try_of(context(number=1, max_tries=0, retries=0))
    assert (this.epoch, this.tries, this.join) == (0, 1, "active")


@pytest.mark.parametrize(("number", "epoch", "join"), [(1, 0, "active"), (2, 0, "success"), (3, 0, "success")])
def test_a_dag_that_got_less_retries_meanwhile(number: int, epoch: int, join: str) -> None:
    this = try_of(context(number, max_tries=5, retries=2))
    assert (this.epoch, this.join) == (epoch, join)


def test_a_dag_that_got_more_retries_meanwhile() -> None:
    assert try_of(context(number=2, max_tries=1, retries=5)).epoch == 0


def test_missing_numbers_are_a_first_try() -> None:
    """As where a task is executed by hand."""
    this = try_of(context(number=0, max_tries=0, retries=0))
    assert (this.number, this.tries, this.epoch) == (1, 1, 0)


def test_each_try_has_a_word_of_its_own() -> None:
    assert try_of(context()).word != try_of(context()).word


def test_meta() -> None:
    ctx = context(number=2, log_url="https://airflow.example/log")
    assert meta_of(ctx, try_of(ctx)) == {
        "dag": "d",
        "run": "manual/1",
        "task": "t",
        "try": "2",
        "owner": "etl",
        "link": "https://airflow.example/log",
    }


def test_meta_of_a_mapped_task_without_owner_and_link() -> None:
    ctx = context(map_index=3, owner="")
    assert meta_of(ctx, try_of(ctx)) == {"dag": "d", "run": "manual/1", "task": "t", "try": "1", "map_index": "3"}


def test_a_try_is_a_value() -> None:
    assert Try("d", "r", "t", -1, 1, 1, 0, "w") == Try("d", "r", "t", -1, 1, 1, 0, "w")
