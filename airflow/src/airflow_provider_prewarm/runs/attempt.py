"""One try at a task, from its submit to its outcome: what ``execute`` of the operators does.

It is a module of its own because a DAG file's parse has no need of it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from airflow_provider_prewarm._compat import AIRFLOW_3, AirflowTaskTimeout, Context
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import Client, parse
from airflow_provider_prewarm.api.connection import Server
from airflow_provider_prewarm.exceptions import PrewarmError, TryKilled
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.links import push_link
from airflow_provider_prewarm.operators.base import PrewarmOperator
from airflow_provider_prewarm.runs import ask, terms
from airflow_provider_prewarm.runs.follow import UNAVAILABLE, Follower, Patience, send
from airflow_provider_prewarm.runs.kill import Kill
from airflow_provider_prewarm.runs.lines import just_before
from airflow_provider_prewarm.runs.printer import Printer, emitter, stderr_level_of
from airflow_provider_prewarm.runs.settle import push, settle
from airflow_provider_prewarm.runs.task import executes, try_of

# Seconds for a server to stop a run whose deadline has passed, once Airflow's own clock says that it has.
_LATE = 5.0
# Seconds for one call then.
_CALL = 1.0
# The state of a run in place of an event that was of another one.
_STRANGER = "stranger"
# Seconds for the first line of a log that is there.
_FIRST_LINE = 10.0


class Attempt:
    """One try.

    :param operator: its task's, with templates rendered
    """

    def __init__(self, operator: PrewarmOperator, context: Context) -> None:
        self.operator = operator
        self._context = context
        self._this = try_of(context)
        self._silence = terms.silence(operator, self._this)
        self._printer = self._new_printer()

    def begin(self) -> Any:
        """Submit, follow, settle; or submit and defer."""
        op, this = self.operator, self._this
        op._link = ""
        hook = PrewarmHook(op.prewarm_conn_id)
        kill = self._new_kill(hook.server, this.word)
        body = ask.body_of(op, self._context, this)
        with hook.get_conn() as client:
            try:
                run = ask.submit(op, client, kill, body, this)
                self._tell(client, kill, run)
                if op.deferrable and not run["ended"]:
                    self._defer(run["id"], this.word)
                ended = self._print(client, kill, run, op._patience())
                return settle(op, self._context, client, ended, self._printer, run)
            except AirflowTaskTimeout as e:
                return self._late(hook.server, kill, e)

    def own(self, event: Mapping[str, Any] | None, run: str, word: str, after: int) -> Mapping[str, Any] | None:
        """The event, unless it is of another deferral's trigger; then one that has the task deferred again.

        Airflow knows a trigger by the number of its row. SQLite gives the number of a row that was deleted, after a
        clear, say, to the next one; a triggerer that still has the old trigger takes its event for this task's.

        :param run: what this task was deferred for; empty: that is not known
        """
        if not run or (isinstance(event, Mapping) and str(event.get("run_id")) == run):
            return event
        self.operator.log.warning("Prewarm: another task's trigger answered, not that of run %s, which goes on", run)
        return {"run_id": run, "state": _STRANGER, "after": after, "word": word}

    def complete(self, event: Mapping[str, Any] | None) -> Any:
        """Settle a run that a trigger has followed.

        :param event: of the trigger: the run, its state, the number of the last line that is printed, the try's word
        """
        if not event or "run_id" not in event:
            raise PrewarmError(f"the trigger said {event!r}, which names no run")
        op = self.operator
        op._link = None  # it was pushed before the task was deferred
        run_id, word, after = str(event["run_id"]), str(event.get("word", "")), int(event.get("after", 0))
        hook = PrewarmHook(op.prewarm_conn_id)
        kill = self._new_kill(hook.server, word, run_id)
        # Where the trigger has lost the server, it has been tried for long enough.
        lost = event.get("state") == UNAVAILABLE
        patience = Patience(0) if lost else op._patience()
        with hook.get_conn() as client:
            try:
                with kill.able():
                    run = send(client, calls.get_run(run_id), patience)
                # Only the answer to a submit has one: what was pushed then is to stay.
                op._link = str(run.get("link") or "") or None
                executes.resumed(
                    self._context["ti"], self._this.number, ask.key_of(op, self._this), str(run.get("key") or "")
                )
                if not run["ended"]:
                    if lost or event.get("state") == _STRANGER:
                        self._defer(run_id, word, after)
                    # A trigger that is refused what the worker gets would be refused again, at once and for ever.
                    op.log.warning("Prewarm: followed here, since the trigger was refused: %s", event.get("state"))
                ended = self._print(client, kill, run, op._patience(), after)
                return settle(op, self._context, client, ended, self._printer, None)
            except AirflowTaskTimeout as e:
                return self._late(hook.server, kill, e)

    def _new_kill(self, server: Server, word: str, run: str = "") -> Kill:
        op = self.operator
        kill = Kill(server, word, op.kill_action == "release")
        kill.run = run
        op._kill = kill
        if op._killed:  # before there was one
            kill.now()
        return kill

    def _defer(self, run: str, word: str, after: int = 0) -> NoReturn:
        # Neither a worker that does not defer needs it, nor the parse of a DAG.
        from airflow_provider_prewarm.triggers.run import RunTrigger

        op = self.operator
        if AIRFLOW_3:
            # A triggerer writes the log of a try's second trigger over that of its first: it is printed from the start.
            after = 0
        trigger = RunTrigger(
            run,
            op.prewarm_conn_id,
            after,
            word,
            op.stderr_level,
            op.kill_action == "cancel",
            terms.seconds_of(op.reconnect_timeout),
            self._silence,
        )
        kill, op._kill = op._kill, None  # from here on the run is the trigger's
        if kill:
            kill.check()
        told = {"run_id": run, "word": word, "after": after}
        op.defer(trigger=trigger, method_name="execute_complete", kwargs=told)
        raise AssertionError("defer raises")

    # What is told of the run at once.

    def _tell(self, client: Client, kill: Kill, run: Mapping[str, Any]) -> None:
        link = self.operator._link = str(run.get("link") or "")
        push_link(self._context, link)
        what = f"run {run['id']} of {run.get('pin') or run['asked']}"
        where = f"is {run['state']} on {run['host']}" if run.get("host") else f"is {run['state']}"
        waits = f", waiting: {run['waiting']}" if run.get("waiting") else ""
        self.operator.log.info("Prewarm: %s %s%s%s", what, where, waits, f": {link}" if link else "")
        push(self.operator, self._context, run)
        if self.operator.fresh and run.get("scope") == "existing":
            self.operator.log.info(
                "Prewarm: fresh=True changes nothing: %s has its digest already", run.get("pin_scope") or "its scope"
            )
        if run.get("joined"):
            self._tell_joined(client, kill, run)

    def _tell_joined(self, client: Client, kill: Kill, run: Mapping[str, Any]) -> None:
        """Say whose work this is: now, and once more before its first line, which is older than this try."""
        if run["ended"]:
            said = (
                f"run {run['id']} {run['state']} before this try: returned, not executed again; its log from its start"
            )
        else:
            said = f"joined run {run['id']}, begun by an earlier try at {run['submitted_at']}; its log from its start"
        self.operator.log.info("Prewarm: %s", said)
        differs = ", ".join(run.get("differs") or [])
        if differs:
            self.operator.log.warning("Prewarm: run %s was asked for with other values of %s", run["id"], differs)
        try:
            with kill.able(), client.lines(calls.read_log(run["id"], follow=False), _FIRST_LINE) as lines:
                first = next(lines, None)
        except TryKilled:
            raise
        except PrewarmError:
            first = None  # whoever follows meets that again
        began = parse(first)["time"] if first else run["submitted_at"]
        emitter()(logging.INFO, f"Prewarm: {said}", just_before(began))

    # The log, and the end.

    def _new_printer(self) -> Printer:
        op = self.operator
        return Printer(emitter(), stderr_level_of(op.stderr_level), op.kept_lines, op.xcom_max_bytes)

    def _print(
        self, client: Client, kill: Kill, run: Mapping[str, Any], patience: Patience, after: int = 0
    ) -> dict[str, Any]:
        """Print a run's log to its end, and give the ended run.

        :param after: the number of the last line that is printed already: lines before it are looked at for what is
            kept
        """
        op, printer = self.operator, self._printer
        printer.seq = after

        def line(told: dict[str, Any]) -> None:
            (printer.line if told["seq"] > after else printer.note)(told)

        kept = op.kept_lines
        begin = 0 if kept is None else max(min(after, run["log"]["lines"] - kept), 0)
        log = Follower(client, run["id"], line, kill, patience, begin, self._silence)
        ended = log.to_end()
        if not log.told:
            op.log.warning("Prewarm: run %s has ended, and its log can't be read behind line %d", run["id"], log.after)
            printer.whole = False
        elif begin and op.wants_last_stdout and printer.first_is_last:
            whole = Printer(lambda *_: None, keep=0, longest=op.xcom_max_bytes)
            log = Follower(client, run["id"], whole.note, kill, patience, 0, self._silence)
            log.to_end()
            printer.take_last_stdout(whole)
            printer.whole = log.told
        return ended

    def _late(self, server: Server, kill: Kill, e: AirflowTaskTimeout) -> Any:
        """Settle a run that has ended, whose log was not printed to its end within ``execution_timeout``.

        Trying again would print the same log within the same time. So its rest is not printed, and what the XCom needs
        of it is read.

        :raises AirflowTaskTimeout: it has not ended
        """
        op = self.operator
        with Client(server, timeout=_CALL) as client:
            run = self._ended(client, kill)
            if run is None:
                kill.release = False  # Airflow calls on_kill next
                raise e
            op.log.warning(
                "Prewarm: execution_timeout is over, and run %s had ended: %d of %d lines are printed; the log: %s",
                run["id"],
                self._printer.seq,
                run["log"]["lines"],
                run.get("link") or f"prewarm logs {run['id']}",
            )
            self._printer = self._new_printer()
            run = self._print(client, kill, run, Patience(_LATE), sys.maxsize)
            return settle(op, self._context, client, run, self._printer, None)

    def _ended(self, client: Client, kill: Kill) -> dict[str, Any] | None:
        """The run, if it has ended now that Airflow's clock for ``execution_timeout`` has run out.

        The server's does at about the same moment: it stops the container and says why. So that is waited for. A run
        that has no such deadline, one that was joined, say, is canceled by ``on_kill`` then.
        """
        if not kill.run:
            return None
        log = self.operator.log
        until = time.monotonic() + _LATE
        try:
            run: dict[str, Any] = client.send(calls.get_run(kill.run))
            while not (run["ended"] or run.get("stop")) and time.monotonic() < until:
                run = client.send(calls.wait_run(kill.run, 1))
        except PrewarmError as e:
            log.warning("Prewarm: execution_timeout is over; whether run %s was stopped is not known: %s", kill.run, e)
            return None
        if run["ended"]:
            return run
        log.error("Prewarm: execution_timeout is over, and run %s is stopped", kill.run)
        return None
