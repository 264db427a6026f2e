"""What a line of a run's log says to Airflow: its level and its message."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

# Characters of a line that go into Airflow's log. Its reader holds thousands of records in memory at a time.
LONGEST = 1 << 16

_WORDS = {
    "trace": logging.DEBUG,
    "silly": logging.DEBUG,
    "debug": logging.DEBUG,
    "verbose": logging.DEBUG,
    "http": logging.INFO,
    "info": logging.INFO,
    "notice": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "critical": logging.CRITICAL,
}
# What pino and bunyan write into each line, and Airflow's own record or the link to the run says.
_KNOWN = {"time", "timestamp", "pid", "hostname", "v"}


def read(line: Mapping[str, Any], stderr_level: int = logging.INFO) -> tuple[int, str]:
    """Give the level and the message of a line.

    :param line: as the server gave it
    :param stderr_level: of a line on stderr that does not say its own
    """
    text: str = line["text"]
    stream = line["stream"]
    if stream == "prewarm":
        return logging.WARNING, f"prewarm: {text}"
    if "\r" in text:
        text = after_returns(text)
    level = stderr_level if stream == "stderr" else logging.INFO
    if text[:1] == "{" and len(text) <= LONGEST:
        level, text = _structured(text, level)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} [cut by Prewarm: {len(text) - LONGEST} characters more]"
    if "group::" in text:
        text = _no_group(text)
    return level, text


def after_returns(text: str) -> str:
    """What a terminal would show of a line with carriage returns: progress bars write over themselves."""
    return text.rstrip("\r").rpartition("\r")[2]


def moment(time: str) -> datetime:
    """Read the time of a line or a run. Python before 3.11 reads neither a Z nor any number of digits."""
    whole, _, rest = time.rstrip("Z").partition(".")
    return datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(
        microsecond=int(rest[:6].ljust(6, "0") or 0), tzinfo=timezone.utc
    )


def just_before(time: str) -> str:
    """The time that sorts before that of a line, and after the line before it."""
    return (moment(time) - timedelta(microseconds=1)).isoformat()


def _structured(text: str, level: int) -> tuple[int, str]:
    """Read a JSON line of pino, bunyan (a number, msg) or winston (a word, message); any other stays as it is.

    Whatever a program prints, no line of it may fail a try: one that is nested too deep stays, too.
    """
    try:
        level, message = _told(json.loads(text), text, level)
    except (ValueError, RecursionError):
        return level, text
    try:
        message.encode()
    except UnicodeEncodeError:  # half of a pair that an escape names, which no log can be written with
        message = message.encode("utf-8", "replace").decode()
    return level, message


def _told(said: Any, text: str, level: int) -> tuple[int, str]:
    if not isinstance(said, dict):
        return level, text
    own = _level(said.get("level"))
    name = "msg" if isinstance(said.get("msg"), str) else "message"
    message = said.get(name)
    if own is None or not isinstance(message, str):
        return level, text
    rest = {key: value for key, value in said.items() if key not in _KNOWN and key not in ("level", name)}
    if not rest:
        return own, message
    # Nothing that the program said is lost.
    more = json.dumps(rest, ensure_ascii=False, separators=(",", ":"))
    return own, f"{message} {more}" if message else more


def _level(said: Any) -> int | None:
    if isinstance(said, str):
        return _WORDS.get(said.lower())
    if not isinstance(said, int) or isinstance(said, bool) or not 0 < said <= 60:
        return None
    # 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal; levels of a program's own stand between them.
    return max(said // 10 - 1, 1) * 10


def _no_group(text: str) -> str:
    """Airflow's page takes these words, wherever they stand, for the begin and the end of a fold."""
    return text.replace("::group::", ":: group::").replace("::endgroup::", ":: endgroup::")
