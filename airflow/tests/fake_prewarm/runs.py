"""Runs of the fake server: their log, their end, and what their keys make of a submit."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from fake_prewarm.wire import Problem, rfc3339

ENDED = {"succeeded", "failed", "canceled", "timed_out", "interrupted", "lost", "refused"}
# What decides whether two submits are the same piece of work, as docs/runs.md says, in the server's order.
# fmt: off
_WORK = (
    "image", "command", "entrypoint", "env", "secret_env", "user", "groups", "workdir", "hostname", "tty", "init",
    "network", "network_aliases", "dns", "dns_search", "dns_options", "extra_hosts", "ports", "ipc", "pid", "mounts",
    "scratch", "scope_volume", "result", "memory", "memory_swap", "memory_reservation", "cpus", "cpu_shares",
    "cpuset", "pids_limit", "shm_size", "ulimits", "devices", "device_requests", "cap_add", "cap_drop",
    "security_opt", "sysctls", "privileged", "read_only", "platform",
)
# fmt: on


@dataclass(frozen=True)
class Line:
    """A line that a program prints."""

    text: str
    stream: str = "stdout"


def stdout(text: str) -> Line:
    return Line(text)


def stderr(text: str) -> Line:
    return Line(text, "stderr")


class Clock:
    """The server's: two looks at it never give the same."""

    def __init__(self) -> None:
        self._last = datetime.min.replace(tzinfo=timezone.utc)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            self._last = max(datetime.now(timezone.utc), self._last + timedelta(microseconds=1))
            return self._last


class FakeRun:
    """A run, and the test's hand on its program.

    :param changed: the server's: held for each change, notified after it
    """

    def __init__(self, number: int, body: dict[str, Any], clock: Clock, changed: threading.Condition) -> None:
        self.body = body
        """The submit that made it."""
        self.fields: dict[str, Any] = {
            # The server's are UUIDs of version 7: they sort by time.
            "id": f"019a0000-0000-7000-8000-{number:012x}",
            "state": "queued",
            "ended": False,
            "namespace": "default",
            "submitted_at": rfc3339(clock.now()),
            "queue_seconds": 0.01,
            "log": {"lines": 0, "bytes": 0, "complete": False},
        }
        self.stop_on_cancel = True
        """Whether a cancel ends it at once. Otherwise it is ``canceling`` until the test ends it."""
        self.words: list[str] = []
        """The Idempotency-Keys of the calls that this run answered; the last one's caller may cancel it."""
        self.ends_by = float("inf")
        """Its deadline, by time.monotonic."""
        self.waits = 0
        """How many followers and waiters it has at this moment."""
        self._lines: list[bytes] = []
        self._clock = clock
        self._changed = changed
        self._log_ended = False

    @property
    def id(self) -> str:
        return str(self.fields["id"])

    @property
    def state(self) -> str:
        return str(self.fields["state"])

    @property
    def ended(self) -> bool:
        return bool(self.fields["ended"])

    @property
    def done(self) -> bool:
        """Whether it is a success that may answer a later submit."""
        return self.state == "succeeded" and not self.fields.get("rejected")

    @property
    def anew(self) -> bool:
        """Whether it began the work of its key anew."""
        return str(self.body.get("join") or "active") == "active"

    def line(self, text: str, stream: str = "stdout", open: bool = False) -> int:  # noqa: A002 - the API's word
        """Print a line and give its number."""
        with self._changed:
            at = self._clock.now()
            seq = len(self._lines) + 1
            line: dict[str, Any] = {"seq": seq, "time": rfc3339(at)}
            if stream != "prewarm":
                # An engine's clock is another one, and has nanoseconds.
                line["engine_time"] = rfc3339(at - timedelta(seconds=2)).replace("Z", "123Z")
            line |= {"stream": stream, "text": text}
            if open:
                line["open"] = True
            encoded = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            self._lines.append(encoded)
            self.fields.setdefault("first_line_at", rfc3339(at))
            self.fields["log"] |= {"lines": seq, "bytes": self.fields["log"]["bytes"] + len(text) + 130}
            self._changed.notify_all()
            return seq

    def start(self, host: str = "etl-1") -> None:
        """Let it go from the queue into a container."""
        with self._changed:
            now = rfc3339(self._clock.now())
            self.fields |= {"state": "running", "host": host, "engine": "20.10.24", "placed_at": now, "started_at": now}
            self.fields |= {"start_seconds": 0.2, "run_seconds": 0.1, "container_id": f"{self.id[-12:]:0>64}"}
            self.fields.pop("waiting", None)
            self._changed.notify_all()

    def end(self, exit_code: int | None = 0, state: str = "", log_ends: bool = True, **fields: Any) -> None:
        """End it: by its exit code, or in the state that is told.

        :param log_ends: False: followers are told of no end before ``end_log``
        :param fields: further ones of the run: result, reason, detail, oom_killed, signal …
        """
        with self._changed:
            if self.ended:
                raise AssertionError(f"run {self.id} has ended already: {self.state}")
            state = state or self._outcome(exit_code)
            never_started = "started_at" not in self.fields
            self.fields |= {"state": state, "ended": True, "ended_at": rfc3339(self._clock.now())}
            if exit_code is not None and not never_started and state not in {"interrupted", "lost", "refused"}:
                self.fields["exit_code"] = exit_code
            if state == "failed":
                fields = {"reason": "exit_code", "detail": f"the program ended with {exit_code}"} | fields
            self.fields |= fields
            self.fields["log"] = self.fields["log"] | {"complete": state not in {"interrupted", "lost"}}
            self._log_ended = log_ends
            self._changed.notify_all()

    def end_log(self) -> None:
        """Let followers come to the end of the log."""
        with self._changed:
            self._log_ended = True
            self._changed.notify_all()

    def _outcome(self, exit_code: int | None) -> str:
        stop = self.fields.get("stop")
        if stop:
            reason = {"cancel": "canceled", "deadline": "deadline_passed", "keepalive": "caller_silent"}.get(
                stop, "replaced"
            )
            self.fields["reason"] = reason
            return "timed_out" if stop == "deadline" else "canceled"
        return "succeeded" if exit_code == 0 else "failed"

    def cancel(self, why: str = "cancel") -> None:
        """What the server does when it is asked to stop it."""
        with self._changed:
            if self.ended or self.fields.get("stop"):
                return
            self.fields["stop"] = why
            if self.state == "queued":
                self.end(None)
            elif self.stop_on_cancel:
                self.end(143)
            else:
                self.fields["state"] = "canceling"
            self._changed.notify_all()

    def answer_by(self, first: FakeRun) -> None:
        """End it, without executing anything, by the success of the run that it waited for."""
        with self._changed:
            self._lines = first._lines
            kept = {name: first.fields[name] for name in ("result", "exit_code") if name in first.fields}
            self.fields |= kept
            self.end(None, "succeeded", same_as=first.id)

    def differs(self, body: dict[str, Any]) -> list[str]:
        """The fields in which a submit is another piece of work."""
        return [name for name in _WORK if _work(self.body, name) != _work(body, name)]

    def follow(self, after: int, follow: bool) -> Iterator[bytes | None]:
        """The log's lines behind a number, as they come. None: nothing is new, look whether the reader is there."""
        sent = after
        while True:
            with self._changed:
                if len(self._lines) <= sent and follow and not self._log_ended:
                    self._changed.wait(0.1)
                new = self._lines[sent:]
                over = not new and (self._log_ended or not follow)
            if over:
                return
            sent += len(new)
            yield from new
            if not new:
                yield None


def _work(body: dict[str, Any], name: str) -> Any:
    value = body.get(name) or None
    if name == "env" and value:
        return sorted(e for e in value if not e.startswith("AIRFLOW_CTX_")) or None
    if name == "secret_env" and value:
        return [{k: v for k, v in secret.items() if k != "value"} for secret in value]
    return value


# The run that answers a submit, in what that one differs, the epoch of a new run, what that one waits for, what has to
# end for it, and why.
Verdict = tuple["FakeRun | None", list[str], int, "FakeRun | None", list[FakeRun], str]


def decide(runs: list[FakeRun], body: dict[str, Any]) -> Verdict:
    """What a submit's key makes of it, as runner/keys.go rules.

    :param runs: those of the key, newest first
    """
    epoch = max([int(body.get("epoch", 0))] + [run.fields.get("epoch", 0) for run in runs])
    after = next((run for run in runs if not run.ended or run.fields.get("stop_owed")), None)
    same = [run for run in runs if run.fields.get("epoch", 0) == epoch]
    met = next((run for run in same if not run.ended and not run.fields.get("stop")), None)
    if met is None and body.get("join") == "success":
        met = next((run for run in same if run.done or run.anew), None)
        met = met if met and met.done else None
    if met is None:
        earlier = [run for run in runs if run.fields.get("epoch", 0) < epoch and not run.ended]
        return None, [], epoch, after, earlier, "new_epoch"
    differs = met.differs(body)
    if not differs or body.get("on_conflict") == "join":
        return met, differs, epoch, None, [], ""
    if body.get("on_conflict") == "replace":
        return None, [], epoch, after, [] if met.ended else [met], "replaced"
    raise Problem(
        "key_conflict",
        f'run {met.id} of the key "{body.get("key")}" is {met.state}, and is another piece of work: '
        f"it differs in {', '.join(differs)}",
        "use another key, raise the epoch to ask for the work anew, or say on_conflict: join or replace",
    )
