"""What was written into Airflow's log, in any Airflow."""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_provider_prewarm._compat import AIRFLOW_3
from airflow_provider_prewarm.runs.lines import moment


@dataclass(frozen=True)
class Record:
    """A record of the log.

    :param time: what it says of itself; None: that is for Airflow to say
    """

    level: str
    message: str
    time: datetime | None = None


class Records(list[Record]):
    """Records in the order in which they were written."""

    @property
    def messages(self) -> list[str]:
        return [record.message for record in self]

    def with_time(self) -> list[str]:
        """Lines of a container, and what is put among them."""
        return [record.message for record in self if record.time]

    def find(self, part: str) -> Record:
        for record in self:
            if part in record.message:
                return record
        raise AssertionError(f"no record says {part!r}: {self.messages}")


@contextmanager
def captured() -> Iterator[Records]:
    """Catch what is written."""
    records = Records()
    with (_captured_3 if AIRFLOW_3 else _captured_2)(records):
        yield records


@contextmanager
def _captured_3(records: Records) -> Iterator[None]:
    import structlog

    def catch(_: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        args = event.get("positional_args")
        time = event.get("timestamp")
        read = datetime.fromisoformat(time) if time and "+" in time else moment(time) if time else None
        records.append(Record(method.upper(), event["event"] % args if args else event["event"], read))
        raise structlog.DropEvent

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[catch])
    try:
        yield
    finally:
        structlog.configure(processors=before)


@contextmanager
def _captured_2(records: Records) -> Iterator[None]:
    class Catch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            time = datetime.fromtimestamp(record.created, timezone.utc) if record.lineno == 0 else None
            records.append(Record(record.levelname, record.getMessage(), time))

    handler = Catch()
    loggers = [logging.getLogger(name) for name in ("", "airflow.task")]
    loggers = [log for log in loggers if log.name == "root" or not log.propagate]
    for log in loggers:
        log.addHandler(handler)
    before = loggers[0].level
    loggers[0].setLevel(logging.INFO)
    try:
        yield
    finally:
        loggers[0].setLevel(before)
        for log in loggers:
            log.removeHandler(handler)
