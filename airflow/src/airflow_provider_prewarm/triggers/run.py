"""Follow a run in the triggerer, while its task is deferred."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_prewarm._compat import AIRFLOW_3
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import STREAM_SILENCE, AsyncClient
from airflow_provider_prewarm.exceptions import PrewarmError, RequestRefused, ServerUnavailable
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.runs.follow import UNAVAILABLE, AsyncFollower, Patience, asend
from airflow_provider_prewarm.runs.printer import Printer, emitter, stderr_level_of

# Seconds for a cancel, and for which it is tried.
_CALL = 2.0
_WITHIN = 5.0
# Cancels that are under way: an event loop alone does not keep a task alive.
_stopping: set[asyncio.Task[None]] = set()


class RunTrigger(BaseTrigger):
    """Follows a run to its end, and prints its log.

    Its parameters are plain words in Airflow's database: no secret is among them. They never change, so that a trigger
    that was begun again, in another triggerer, say, prints from the start; each line with the same time as before,
    which Airflow's reader takes for the same line.

    :param run_id: the run
    :param prewarm_conn_id: the connection
    :param after: the number of the last line that was printed before
    :param word: of the try's submit
    :param stderr_level: of lines on stderr that do not say theirs
    :param cancel: whether a kill of the deferred task stops the run
    :param reconnect_timeout: seconds for which a server that is gone is tried
    :param silence: seconds without a line after which it looks whether the server is there
    """

    def __init__(
        self,
        run_id: str,
        prewarm_conn_id: str,
        after: int = 0,
        word: str = "",
        stderr_level: str = "INFO",
        cancel: bool = True,
        reconnect_timeout: float = 600.0,
        silence: float = STREAM_SILENCE,
    ) -> None:
        super().__init__()
        self.run_id = run_id
        self.prewarm_conn_id = prewarm_conn_id
        self.after = after
        self.word = word
        self.stderr_level = stderr_level
        self.cancel = cancel
        self.reconnect_timeout = reconnect_timeout
        self.silence = silence
        self._hook = PrewarmHook(prewarm_conn_id)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What it is made of again."""
        return (
            "airflow_provider_prewarm.triggers.run.RunTrigger",
            {
                "run_id": self.run_id,
                "prewarm_conn_id": self.prewarm_conn_id,
                "after": self.after,
                "word": self.word,
                "stderr_level": self.stderr_level,
                "cancel": self.cancel,
                "reconnect_timeout": self.reconnect_timeout,
                "silence": self.silence,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Give one event: the run, its state, and how much of its log is printed."""
        try:
            opened = await self._hook.aopen(self._lost)
        except Exception as e:  # whatever a missing connection, a secrets backend or a file raises
            self._lost(f"its connection can't be used here, so that a worker follows it: {e}")
            yield TriggerEvent(
                {"run_id": self.run_id, "state": "no_connection", "after": self.after, "word": self.word}
            )
            return
        printer = Printer(emitter(self.trigger_id), stderr_level_of(self.stderr_level), keep=0)
        async with opened as client:
            patience = Patience(self.reconnect_timeout, self._lost)
            follower = AsyncFollower(client, self.run_id, printer.line, patience, self.after, self.silence)
            try:
                state = str((await follower.to_end())["state"])
            except ServerUnavailable:
                state = UNAVAILABLE
            except RequestRefused as e:
                state = e.code  # the task asks again, and is told why
        yield TriggerEvent({"run_id": self.run_id, "state": state, "after": follower.after, "word": self.word})

    async def on_kill(self) -> None:
        """Stop the run of a deferred task whose state somebody set (Airflow 3.3 and later).

        Airflow calls this, too, where another triggerer has taken this trigger over. So Airflow is asked, and where it
        can't tell, the run goes on: the server ends it once nobody asks for it any more.

        Until it hears that the trigger has ended, Airflow cancels it anew with each of its loops, a second apart, and
        this with it. So what is to be done is a task of its own, and goes on.
        """
        if not self.cancel:
            return
        stop = asyncio.create_task(self._stop())
        _stopping.add(stop)
        stop.add_done_callback(_stopping.discard)
        await asyncio.shield(stop)

    async def _stop(self) -> None:
        state = await self._task_state()
        if state in ("deferred", None):
            return
        try:
            async with AsyncClient(await self._hook.aserver(), timeout=_CALL) as client:
                await asend(client, calls.cancel_run(self.run_id, self.word), Patience(_WITHIN))
        except PrewarmError as e:
            self.log.warning("Prewarm: run %s was not canceled: %s", self.run_id, e)
        else:
            self.log.info("Prewarm: the task is %s now: run %s is being stopped", state, self.run_id)

    async def _task_state(self) -> str | None:
        """The state of the task by Airflow's database; "none" where it has none, and None: it can't be told."""
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import GetTaskStates, TaskStatesResult

        ti: Any = self.task_instance
        asked = GetTaskStates(
            dag_id=ti.dag_id,
            task_ids=[ti.task_id],
            run_ids=[ti.run_id],
            map_index=ti.map_index if ti.map_index >= 0 else None,
        )
        try:
            answer = await task_runner.SUPERVISOR_COMMS.asend(asked)
        except Exception as e:  # whatever its reason, nothing is known
            self.log.warning("Prewarm: Airflow does not tell the state of the task: %s", e)
            return None
        if not isinstance(answer, TaskStatesResult):
            return None
        states = answer.task_states.get(ti.run_id, {})
        return next((str(getattr(state, "value", state) or "none") for state in states.values()), "none")

    def _lost(self, why: str) -> None:
        """Say that the server is gone: to the triggerer's own log.

        A line more in the task's would shift the others there, and Airflow's reader would no more know those that
        another triggerer prints again.
        """
        if not AIRFLOW_3:
            self.log.warning("Prewarm: run %s: %s", self.run_id, why)
            return
        from structlog.contextvars import bound_contextvars

        with bound_contextvars(trigger_id=None):
            self.log.warning("Prewarm: run %s: %s", self.run_id, why)
