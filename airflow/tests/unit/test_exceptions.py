"""Exceptions go from process to process and lose nothing; Airflow tries again after the right ones only."""

from __future__ import annotations

import copy
import pickle

import pytest

from airflow_provider_prewarm import exceptions
from airflow_provider_prewarm._compat import AirflowException, AirflowFailException, AirflowSkipException
from airflow_provider_prewarm.exceptions import (
    ImageNotWarm,
    PrewarmError,
    RequestRefused,
    RequestWrong,
    RunError,
    RunNotWarm,
    refusal,
)

ALL = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, PrewarmError)]
RUN = {"id": "r", "state": "failed", "reason": "pin_cold", "exit_code": 3}


def make(kind: type[PrewarmError]) -> PrewarmError:
    if issubclass(kind, RunError):
        return kind("it failed", RUN, ["a", "b"])
    if issubclass(kind, RequestRefused):
        return kind("pin_cold", "it is cold", "wait", 409, 7.5)
    return kind("it is gone")


class Derived(exceptions.ContainerFailed):
    """As a user may derive one."""

    def __init__(self, run: dict[str, object]) -> None:
        super().__init__("derived", run)
        self.more = 7


def test_there_are_classes() -> None:
    assert len(ALL) >= 15


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("way", ["pickle", "copy"])
def test_nothing_is_lost_on_the_way(kind: type[PrewarmError], way: str) -> None:
    e = make(kind)
    again = pickle.loads(pickle.dumps(e)) if way == "pickle" else copy.copy(e)
    assert (type(again), str(again), again.args, vars(again)) == (type(e), str(e), e.args, vars(e))


def test_a_users_own_class_arrives_too() -> None:
    again = pickle.loads(pickle.dumps(Derived(RUN)))
    assert (str(again), again.run, again.more, again.exit_code) == ("derived", RUN, 7, 3)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_all_have_what_is_documented(kind: type[PrewarmError]) -> None:
    e = make(kind)
    assert isinstance(e, AirflowException)
    if isinstance(e, RunError):
        assert (e.run, e.logs, e.exit_code) == (RUN, ["a", "b"], 3)
    if isinstance(e, RequestRefused):
        assert e.code == "pin_cold"


def test_which_are_not_tried_again() -> None:
    final = {kind.__name__ for kind in ALL if issubclass(kind, AirflowFailException)}
    assert final == {"RequestWrong", "ContainerFailedForGood", "ResultUnusable"}
    assert [kind.__name__ for kind in ALL if issubclass(kind, AirflowSkipException)] == ["ContainerSkipped"]


def test_a_run_that_waited_in_vain_is_caught_as_not_warm() -> None:
    e = make(RunNotWarm)
    assert isinstance(e, ImageNotWarm)
    assert (e.code, str(e)) == ("pin_cold", "it failed")


def test_an_exit_code_may_be_missing() -> None:
    assert exceptions.RunInterrupted("gone", {"id": "r"}).exit_code is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [("invalid_request", RequestWrong), ("no_current", ImageNotWarm), ("queue_full", RequestRefused)],
)
def test_refusals_have_their_class(code: str, kind: type[RequestRefused]) -> None:
    e = refusal(code, "detail", "mend", 409, 3)
    assert (type(e), e.code, e.detail, e.mend, e.status, e.retry_after) == (kind, code, "detail", "mend", 409, 3)
    assert str(e) == f"detail ({code}): mend"
