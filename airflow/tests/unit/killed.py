"""A task's process: execute in its main thread, under a handler of SIGTERM as Airflow's own. Run as a program.

    python killed.py on_kill reconnect_timeout

says READY before it executes, and in the end what execute raised, and when, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from tasks import context, executed, task

from airflow_provider_prewarm._compat import AIRFLOW_3


def main() -> None:
    operator = task(on_kill=sys.argv[1], reconnect_timeout=float(sys.argv[2]))
    took = 0.0

    def killed(*_: Any) -> None:
        nonlocal took
        began = time.monotonic()
        try:
            operator.on_kill()
        finally:
            took = time.monotonic() - began
        if not AIRFLOW_3:
            from airflow.exceptions import AirflowTaskTerminated

            raise AirflowTaskTerminated("Task received SIGTERM signal")

    signal.signal(signal.SIGTERM, killed)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    # The task's log goes elsewhere: this pipe has no reader until the end.
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.write(out, b"READY\n")
    raised, message = "", ""
    try:
        executed(operator, context(operator))
    except BaseException as e:
        raised, message = type(e).__name__, str(e)
    os.write(out, json.dumps({"raised": raised, "message": message, "took": took, "at": time.time()}).encode())


if __name__ == "__main__":
    main()
