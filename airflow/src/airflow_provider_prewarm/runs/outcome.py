"""How an ended run ends the try: well, or by one of the exceptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from airflow_provider_prewarm.exceptions import (
    ContainerFailed,
    ContainerFailedForGood,
    ContainerOutOfMemory,
    ContainerSkipped,
    ResultUnusable,
    RunCanceled,
    RunError,
    RunInterrupted,
    RunLost,
    RunNotExecuted,
    RunNotWarm,
    RunTimedOut,
    is_not_warm,
)
from airflow_provider_prewarm.runs.lines import moment

# By whom a run was canceled, as far as the server says it.
_STOPS = {
    "cancel": " by a call: Airflow's kill of a task, or a person's prewarm cancel",
    "keepalive": ": nobody asked for it any more, for as long as its keepalive says",
    "replaced": ": a clear, or another submit under its key, took its place",
}

Run = Mapping[str, Any]
# The program did well, and what it was to leave as its result is none.
_NO_RESULT = {"result_missing", "result_invalid", "result_too_large"}
_ENDS = {
    "canceled": (RunCanceled, "was stopped"),
    "timed_out": (RunTimedOut, "was stopped by its deadline"),
    "interrupted": (RunInterrupted, "was interrupted: it may have done its work in part, and runs no more"),
    "lost": (RunLost, "is lost: contact with its host was lost, and it may still run"),
}


def error_of(
    run: Run, logs: Sequence[str], skip: Set[int] = frozenset(), fail: Set[int] = frozenset()
) -> RunError | None:
    """What a run's end is raised as; None: nothing, it ended well.

    :param logs: the last lines of its log
    :param skip: exit codes that mean that there was nothing to do
    :param fail: exit codes after which another try is of no use
    """
    kind, what = _kind(run, skip, fail)
    if kind is None:
        return None
    detail = run.get("detail")
    message = f"run {run['id']} of {run.get('asked') or run['image']} {what}"
    return kind(f"{message}: {detail}" if detail and detail not in what else message, run, logs)


def _kind(run: Run, skip: Set[int], fail: Set[int]) -> tuple[type[RunError] | None, str]:
    state, reason, code = run["state"], run.get("reason", ""), run.get("exit_code")
    if reason in _NO_RESULT:
        return ResultUnusable, f"ended well, and its result can't be used ({reason})"
    if state in ("succeeded", "failed") and code in skip:
        return ContainerSkipped, f"ended with exit code {code}, which skips the task"
    if run.get("oom_killed") and state == "failed":
        return ContainerOutOfMemory, f"was ended by the kernel for its memory, with exit code {code}"
    if state == "succeeded":
        return None, ""
    if state == "failed":
        if code in fail:
            return ContainerFailedForGood, f"failed with exit code {code}, after which there is no other try"
        return ContainerFailed, f"failed with exit code {code}"
    if state == "refused":
        return (RunNotWarm if is_not_warm(reason) else RunNotExecuted), f"was not executed ({reason})"
    kind, what = _ENDS.get(state, (RunError, f"is {state}"))
    if state == "timed_out":
        what += _deadline(run)
    if state == "canceled":
        what += _STOPS.get(run.get("stop", ""), "")
    return kind, f"{what} ({reason})" if reason else what


def _deadline(run: Run) -> str:
    """How long a run had, and by what: execution_timeout, unless options say another deadline."""
    if not (run.get("deadline_at") and run.get("submitted_at")):
        return ""
    had = (moment(run["deadline_at"]) - moment(run["submitted_at"])).total_seconds()
    return f", {had:g} s after its submit (execution_timeout)"


def report(run: Run) -> str:
    """Where a run was, on what, how it ended and how long that took: what a failure is looked into with."""
    facts = [
        str(run["state"]),
        f"host {run.get('host') or 'none'}",
        f"image {run.get('pin') or run.get('asked') or run['image']}",
        f"exit code {run['exit_code']}" if run.get("exit_code") is not None else "no exit code",
        f"signal {run['signal']}" if run.get("signal") else "",
        "out of memory" if run.get("oom_killed") else "",
        _times(run),
        _log(run.get("log") or {}) if _began(run) else "",
    ]
    return "; ".join(fact for fact in facts if fact)


def _began(run: Run) -> bool:
    """Whether there was a container, or a line of one, as far as is known."""
    return bool(run.get("started_at") or run.get("container_id") or (run.get("log") or {}).get("lines"))


def _times(run: Run) -> str:
    named = {"queue_seconds": "queued for", "start_seconds": "started in", "run_seconds": "ran for"}
    return ", ".join(f"{word} {run[name]:.1f} s" for name, word in named.items() if run.get(name) is not None)


def _log(log: Mapping[str, Any]) -> str:
    if log.get("removed"):
        return "log removed"
    if log.get("complete"):
        return "log complete"
    return f"log may lack lines: {log.get('gap') or 'it was not compared with that of the engine'}"
