"""Make an ended run the end of a try: its XCom, or an exception."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from airflow_provider_prewarm._compat import Context
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import Client
from airflow_provider_prewarm.exceptions import ContainerSkipped, PrewarmError, ResultUnusable
from airflow_provider_prewarm.operators.base import XCOM_KEY, PrewarmOperator
from airflow_provider_prewarm.runs import outcome, terms
from airflow_provider_prewarm.runs.follow import send
from airflow_provider_prewarm.runs.printer import Printer


def settle(
    op: PrewarmOperator,
    context: Context,
    client: Client,
    run: dict[str, Any],
    printer: Printer,
    known: Mapping[str, Any] | None,
) -> Any:
    """What ``execute`` gives, or raises.

    :param printer: has read the run's log
    :param known: the run as it was when its XCom was pushed, where that is known
    """
    if not known or _identity(run) != _identity(known):
        push(op, context, run)
    if run.get("same_as"):
        op.log.info("Prewarm: run %s did this work: returned, not executed again", run["same_as"])
    error = outcome.error_of(
        run,
        printer.kept,
        terms.exit_codes(op.skip_on_exit_code),
        terms.exit_codes(op.fail_on_exit_code),
    )
    good = error is None or isinstance(error, ContainerSkipped)
    op.log.log(logging.INFO if good else logging.ERROR, "Prewarm: run %s: %s", run["id"], outcome.report(run))
    if error:
        if isinstance(error, ResultUnusable):
            _reject(op, client, run)
        raise error
    if not op.do_xcom_push:
        return None
    # Of a log that was not read to its end, no line is known to be the last.
    value = op.xcom(run, printer.kept, printer.last_stdout) if printer.whole else op.xcom(run, [], None)
    size = _size(value)
    if size > op.xcom_max_bytes:
        _reject(op, client, run)
        what = f"run {run['id']} succeeded, and its XCom has {size} bytes; xcom_max_bytes is {op.xcom_max_bytes}"
        raise ResultUnusable(f"{what}: leave the data elsewhere, and say where", run, printer.kept)
    return value


def push(op: PrewarmOperator, context: Context, run: Mapping[str, Any]) -> None:
    """Tell the next tasks which run it is."""
    if op.do_xcom_push:
        context["ti"].xcom_push(key=XCOM_KEY, value=_identity(run))


def _reject(op: PrewarmOperator, client: Client, run: Mapping[str, Any]) -> None:
    """Let a success that can't be used answer no other try."""
    try:
        send(client, calls.reject_run(run["id"]), op._patience())
    except PrewarmError as e:
        op.log.warning("Prewarm: the success of run %s still answers its key: %s", run["id"], e)


def _identity(run: Mapping[str, Any]) -> dict[str, str]:
    pin = str(run.get("pin") or "")
    return {
        "run_id": str(run["id"]),
        "image": str(run.get("image") or ""),
        "pin": pin,
        "digest": pin.partition("@")[2],
        "host": str(run.get("host") or ""),
    }


def _size(value: Any) -> int:
    """Bytes of a value as JSON; 0 for what only a serializer of Airflow's can write."""
    try:
        return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except (TypeError, ValueError):
        return 0
