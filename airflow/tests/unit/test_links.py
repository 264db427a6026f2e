"""The link is there from the submit on, and the end of a try doesn't take it away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_prewarm import links
from airflow_provider_prewarm._compat import AIRFLOW_3
from airflow_provider_prewarm.links import PrewarmRunLink, push_link

URL = "https://prewarm.example/runs/1/log"


class Ti(SimpleNamespace):
    """A task instance whose XComs are in a dict."""

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[self.dag_id, self.run_id, self.task_id, self.map_index, key] = value


@pytest.fixture
def ti(monkeypatch: pytest.MonkeyPatch) -> Ti:
    """Airflow's XComs are asked through the class that Airflow itself uses; only what is behind it is replaced."""
    ti = Ti(dag_id="d", run_id="r", task_id="t", map_index=3, xcoms={})
    if AIRFLOW_3:
        from airflow.sdk.execution_time.xcom import XCom
    else:
        from airflow.models.xcom import BaseXCom as XCom

    def get_one(*, key: str, dag_id: str, task_id: str, run_id: str, map_index: int, **_: Any) -> Any:
        return ti.xcoms.get((dag_id, run_id, task_id, map_index, key))

    monkeypatch.setattr(XCom, "get_one", staticmethod(get_one))
    return ti


def test_what_was_pushed_is_the_link(ti: Ti) -> None:
    push_link({"ti": ti}, URL)  # type: ignore[arg-type,typeddict-item]
    assert ti.xcoms == {("d", "r", "t", 3, "prewarm_run_link"): URL}
    assert PrewarmRunLink().get_link(None, ti_key=ti) == URL


def test_nothing_pushed_is_no_link(ti: Ti) -> None:
    push_link({"ti": ti}, "")  # type: ignore[arg-type,typeddict-item]
    assert ti.xcoms == {}
    assert PrewarmRunLink().get_link(None, ti_key=ti) == ""


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no finalize")
@pytest.mark.parametrize("url", [URL, ""])
def test_the_end_of_a_try_leaves_it(ti: Ti, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Airflow's own code, which pushes what get_link gives."""
    from airflow.sdk.execution_time import task_runner

    def push(ti: Ti, key: str, value: Any, **_: Any) -> None:
        ti.xcom_push(key, value)

    monkeypatch.setattr(task_runner, "_xcom_push_to_db", push)
    push_link({"ti": ti}, url)  # type: ignore[arg-type,typeddict-item]
    ti.task = SimpleNamespace(operator_extra_links=[PrewarmRunLink()])
    ti.start_date = ti.end_date = None
    logged: list[str] = []
    log = SimpleNamespace(
        debug=lambda *_, **__: None, info=lambda *_, **__: None, exception=lambda text, **_: logged.append(text)
    )
    task_runner.finalize(ti, None, {}, log)  # type: ignore[arg-type,typeddict-item]
    assert logged == []
    assert ti.xcoms == {("d", "r", "t", 3, "prewarm_run_link"): url}


@pytest.mark.parametrize(("link", "asked"), [("", 0), (URL, 0), (None, 1)])
def test_an_operator_that_knows_it_asks_nobody(
    ti: Ti, monkeypatch: pytest.MonkeyPatch, link: str | None, asked: int
) -> None:
    """Airflow logs an error for each XCom that is not there."""
    calls: list[Any] = []
    monkeypatch.setattr(links, "xcom_value", lambda *given: calls.append(given))
    assert PrewarmRunLink().get_link(SimpleNamespace(_link=link), ti_key=ti) == (link or "")
    assert len(calls) == asked


def test_its_name_and_key_are_what_airflow_shows() -> None:
    link = PrewarmRunLink()
    assert (link.name, link.xcom_key) == ("Prewarm run", "prewarm_run_link")
