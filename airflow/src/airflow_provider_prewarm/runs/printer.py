"""Write the lines of a run into the log of Airflow's task, each with the time that the server gave it.

The time is what makes a replay harmless: Airflow's reader sorts the files of a try by time, and drops a record that
equals the one before it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_prewarm._compat import AIRFLOW_3
from airflow_provider_prewarm.runs.lines import moment, read

# The most characters of lines that are kept: a line may have a million.
_KEPT = 1 << 20
# The logger of container lines: the log page shows it as their source.
LOGGER = "container"

Emit = Callable[[int, str, str], None]


class Printer:
    """Prints lines, and keeps the few that failures and XComs need.

    :param emit: writes a record: level, message, time
    :param stderr_level: of lines on stderr that do not say theirs
    :param keep: how many lines are kept; None: all
    :param longest: characters of a line that are kept at least, where it has more
    """

    def __init__(
        self, emit: Emit, stderr_level: int = logging.INFO, keep: int | None = 200, longest: int = _KEPT
    ) -> None:
        self.seq = 0
        """The number of the last line that was printed."""
        self.whole = True
        """Whether the log was read to its end."""
        self._emit = emit
        self._stderr_level = stderr_level
        self._most = keep
        self._longest = longest
        # The server gives a line of more than 1 MiB in pieces, of which all but the last are open.
        self._kept: deque[_Line] = deque()
        self._characters = 0
        self._open: dict[str, _Line] = {}
        self._first_stdout: _Line | None = None
        self._last_stdout: _Line | None = None

    @property
    def kept(self) -> list[str]:
        """The last lines of the program, as it printed them."""
        return ["".join(line.pieces) for line in self._kept]

    @property
    def last_stdout(self) -> str | None:
        """The last line on stdout that is not empty."""
        return None if self._last_stdout is None else "".join(self._last_stdout.pieces).rstrip("\r")

    @property
    def first_is_last(self) -> bool:
        """Whether no line on stdout came before the last one: where reading began late, its begin may be missing."""
        return self._last_stdout is self._first_stdout

    def take_last_stdout(self, other: Printer) -> None:
        """From one that has read the whole log."""
        self._last_stdout = other._last_stdout

    def line(self, line: Mapping[str, Any]) -> None:
        """Print a line."""
        self.note(line)
        level, message = read(line, self._stderr_level)
        self._emit(level, message, line["time"])
        self.seq = line["seq"]

    def note(self, line: Mapping[str, Any]) -> None:
        """Keep a line that was printed before, by a trigger."""
        stream, text = line["stream"], line["text"]
        if stream == "prewarm":
            return
        begun = self._open.pop(stream, None)
        whole = self._more(begun, text) if begun else self._keep(text)
        if line.get("open"):
            self._open[stream] = whole
        if stream != "stdout":
            return
        self._first_stdout = self._first_stdout or whole
        if text and not text.isspace():
            self._last_stdout = whole

    def _more(self, line: _Line, text: str) -> _Line:
        """Another piece of a line. What is longer than any XCom may be needs no more to be refused as one."""
        if line.length <= self._longest:
            line.pieces.append(text)
            line.length += len(text)
            if line in self._kept:
                self._characters += len(text)
                self._forget()
        return line

    def _keep(self, text: str) -> _Line:
        """With the lines before, as far as there is room. The last line is kept, however long."""
        line = _Line([text], len(text))
        self._kept.append(line)
        self._characters += line.length
        self._forget()
        return line

    def _forget(self) -> None:
        if self._most is None:
            return
        while len(self._kept) > self._most or (self._characters > _KEPT and len(self._kept) > 1):
            self._characters -= self._kept.popleft().length


@dataclass(eq=False)
class _Line:
    """A line, as far as it was seen.

    :param length: its characters
    """

    pieces: list[str]
    length: int


def emitter(trigger_id: int | None = None) -> Emit:
    """What writes a record into the log of this process's task, or of one of its triggers."""
    return _emitter_3(trigger_id) if AIRFLOW_3 else _emitter_2()


def _emitter_3(trigger_id: int | None) -> Emit:
    """Airflow 3 keeps the timestamp that a record brings.

    The logger is made without a level, since what a program calls debug was printed all the same. It adds neither the
    calling line of code nor the ids of the task to each record: they say nothing in a task's own log, take half of the
    time, and would tell a line that a trigger has printed from the same one that the task prints.

    :param trigger_id: by which the triggerer finds the task's log
    """
    import structlog

    config = structlog.get_config()
    processors = [
        processor
        for processor in config["processors"]
        if processor is not structlog.contextvars.merge_contextvars
        and not isinstance(processor, structlog.processors.CallsiteParameterAdder)
    ]
    log = structlog.wrap_logger(
        config["logger_factory"](LOGGER),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=False,
    ).bind(**({} if trigger_id is None else {"trigger_id": trigger_id}))
    methods = {
        level: getattr(log, logging.getLevelName(level).lower())
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    }

    def emit(level: int, message: str, time: str) -> None:
        methods[level](message, timestamp=time)

    return emit


def _emitter_2() -> Emit:
    """Airflow 2 takes a record's time from the record. Its root logger leads to the task's log, or the trigger's.

    It writes milliseconds, and shows one of equal neighbours. So what equals the line before gets the next millisecond,
    and no line a time before that of another.
    """
    log = logging.getLogger(LOGGER)
    last, said = 0, ""

    def emit(level: int, message: str, time: str) -> None:
        nonlocal last, said
        created = moment(time).timestamp()
        at = int(created * 1000)
        first = last + 1 if message == said else last
        if at < first:
            at, created = first, first / 1000
        last, said = at, message
        record = log.makeRecord(log.name, level, "", 0, message, (), None)
        record.created, record.msecs = created, at % 1000
        log.handle(record)

    return emit


def stderr_level_of(word: str) -> int:
    """The number of a level's name.

    :raises ValueError: with the names that there are
    """
    level = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}.get(
        word.upper()
    )
    if level is None:
        raise ValueError(f"stderr_level={word!r} is no level: write DEBUG, INFO, WARNING or ERROR")
    return level
