"""What a task asks the server for: its container, and the terms of this try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_prewarm._compat import Context, mask_secret
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import Client
from airflow_provider_prewarm.exceptions import RequestRefused
from airflow_provider_prewarm.operators.base import PrewarmOperator
from airflow_provider_prewarm.runs import terms
from airflow_provider_prewarm.runs.follow import send
from airflow_provider_prewarm.runs.kill import Kill
from airflow_provider_prewarm.runs.task import Try, executes, meta_of


def body_of(op: PrewarmOperator, context: Context, this: Try) -> dict[str, Any]:
    """The submit of a try."""
    body = _terms(op, context, this) | op.run_spec(context)
    if op.airflow_env:
        body["env"] = terms.with_airflow_env(body.get("env") or [], body.get("secret_env") or [])
    for secret in body.get("secret_env") or []:
        if secret.get("value") and not body.get("unmasked"):
            mask_secret(secret["value"])
    return body


def key_of(op: PrewarmOperator, this: Try) -> str:
    """The key of an operator's first execute in a try."""
    return f"{this.key}/{op.key}" if op.key else this.key


def _terms(op: PrewarmOperator, context: Context, this: Try) -> dict[str, Any]:
    task: Any = context["ti"].task
    asked = {
        "key": executes.key(context["ti"], this.number, key_of(op, this)),
        "epoch": this.epoch,
        "join": this.join,
        # A retry whose template rendered otherwise, now() say, is the same work: not refused, not done twice.
        "on_conflict": "join",
        "pin_scope": this.scope if op.pin_scope is None else op.pin_scope,
        "fresh": op.fresh,
        "wait_warm": terms.duration(op.wait_warm) if op.wait_warm else None,
        "deadline": terms.duration(op.execution_timeout) if op.execution_timeout else None,
        "keepalive": terms.duration(terms.keepalive(op, this)),
        "keepalive_action": "stop",
        "priority": int(getattr(task, "priority_weight", 0) or 0),
        "hosts": terms.listed(op.hosts),
        "host_labels": dict(op.host_labels or {}),
        "concurrency_group": op.concurrency_group,
        "concurrency_limit": op.concurrency_limit,
        "meta": meta_of(context, this) | {name: str(value) for name, value in (op.meta or {}).items()},
        "try": this.number,
        "tries": this.tries,
        "skip_exit_codes": sorted(code for code in terms.exit_codes(op.skip_on_exit_code) if 0 < code < 256),
    }
    return {name: value for name, value in asked.items() if value not in (None, "", [], {}, False)}


def submit(op: PrewarmOperator, client: Client, kill: Kill, body: Mapping[str, Any], this: Try) -> dict[str, Any]:
    """Ask for the run, for as long as it takes to be answered."""
    if op.repin == "on_clear" and this.epoch > 0 and this.first_of_epoch and body.get("pin_scope"):
        _repin(op, client, kill, body["pin_scope"], body["image"])
    kill.submit = call = calls.submit(body, this.word)
    patience = op._patience()
    try:
        with kill.able():
            run: dict[str, Any] = send(client, call, patience)
            kill.answered(run)
    except RequestRefused:
        kill.submit = None  # a kill that comes later has nothing to look for
        raise
    if patience.tried and (run.get("meta") or {}).get("try") == str(this.number):
        run["joined"] = False  # this very try began it, by a call whose answer was lost
    return run


def _repin(op: PrewarmOperator, client: Client, kill: Kill, scope: str, image: str) -> None:
    """Let a cleared task run what is current now."""
    if "@" in image:  # it names its digest itself
        return
    try:
        with kill.able():
            moved = send(client, calls.repin(scope, image), op._patience())
    except RequestRefused as e:
        if e.code != "scope_not_found":
            raise
        return  # nothing is pinned yet, or no more
    op.log.info("Prewarm: %s of %s moved from %s to %s", image, scope, moved["old"] or "nothing", moved["new"])
