"""What a line says."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_prewarm.runs.lines import LONGEST, just_before, moment, read


def line(text: str, stream: str = "stdout") -> dict[str, Any]:
    return {"seq": 1, "time": "2026-11-22T09:00:01.204518Z", "stream": stream, "text": text}


# Read by some Pythons, and too deep to be written again; a number with more digits than Python reads.
_DEEP = '{"level":30,"msg":"x","a":' + "[" * 20000 + "]" * 20000 + "}"
_LONG = '{"level":30,"msg":"x","a":' + "1" * 5000 + "}"


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        ("42 rows", "INFO", "42 rows"),
        ("100% of %s %(a)s", "INFO", "100% of %s %(a)s"),
        ("  indented", "INFO", "  indented"),
        ("", "INFO", ""),
        # pino and bunyan
        ('{"level":30,"time":1764000000000,"pid":7,"hostname":"c","msg":"ready"}', "INFO", "ready"),
        ('{"level":50,"time":1,"pid":7,"hostname":"c","msg":"no","rows":[1,"ä"]}', "ERROR", 'no {"rows":[1,"ä"]}'),
        ('{"name":"app","level":20,"msg":"","v":0,"a":1}', "DEBUG", '{"name":"app","a":1}'),
        ('{"level":10,"msg":"trace"}', "DEBUG", "trace"),
        ('{"level":35,"msg":"between"}', "INFO", "between"),
        ('{"level":40,"msg":"warn"}', "WARNING", "warn"),
        ('{"level":60,"msg":"fatal"}', "CRITICAL", "fatal"),
        # winston
        ('{"level":"warn","message":"slow","timestamp":"2026-11-22"}', "WARNING", "slow"),
        ('{"level":"http","message":"GET /"}', "INFO", "GET /"),
        ('{"level":"info","msg":"pino with words"}', "INFO", "pino with words"),
        # anything else stays
        ('{"rows": 42}', "INFO", '{"rows": 42}'),
        ('{"level":"loud","message":"x"}', "INFO", '{"level":"loud","message":"x"}'),
        ('{"level":70,"msg":"x"}', "INFO", '{"level":70,"msg":"x"}'),
        ('{"level":true,"msg":"x"}', "INFO", '{"level":true,"msg":"x"}'),
        ('{"level":30,"msg":{"a":1}}', "INFO", '{"level":30,"msg":{"a":1}}'),
        ("{not json", "INFO", "{not json"),
        ('{"level":30,"msg":"half \\ud83d","a":"\\ud83d"}', "INFO", 'half ? {"a":"?"}'),
        ('{"a":' * 13000, "INFO", '{"a":' * 13000),
        ('{"level":30,"msg":"x","a":' + "[" * 13000, "INFO", '{"level":30,"msg":"x","a":' + "[" * 13000),
        (_DEEP, "INFO", _DEEP),
        (_LONG, "INFO", _LONG),
        ("{}", "INFO", "{}"),
        # a terminal shows the last of these
        (" 10%\r 50%\r100%", "INFO", "100%"),
        ("windows\r", "INFO", "windows"),
        # nobody folds Airflow's log but Airflow
        ("::group::mine", "INFO", ":: group::mine"),
        ("x ::endgroup::", "INFO", "x :: endgroup::"),
        ('{"level":30,"msg":"::group::mine"}', "INFO", ":: group::mine"),
    ],
)
def test_a_line_says_its_level_and_its_message(text: str, level: str, message: str) -> None:
    assert read(line(text)) == (getattr(logging, level), message)


def test_streams() -> None:
    assert read(line("oops", "stderr")) == (logging.INFO, "oops")
    assert read(line("oops", "stderr"), logging.WARNING) == (logging.WARNING, "oops")
    assert read(line('{"level":30,"msg":"ready"}', "stderr"), logging.WARNING) == (logging.INFO, "ready")
    assert read(line("lines 3 to 9 are cut", "prewarm")) == (logging.WARNING, "prewarm: lines 3 to 9 are cut")


def test_a_long_line_is_cut_and_says_so() -> None:
    assert read(line("x" * LONGEST))[1] == "x" * LONGEST
    message = read(line("x" * (LONGEST + 7)))[1]
    assert message.startswith("x" * LONGEST + " [cut")
    assert "7 characters more" in message
    deep = json.dumps({"level": 30, "msg": "y" * LONGEST})
    assert read(line(deep))[1].startswith('{"level"')


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-11-22T09:00:01.204518Z", 204518),
        ("2026-11-22T09:00:01.2045Z", 204500),
        ("2026-11-22T09:00:01Z", 0),
        ("2026-11-22T09:00:01.187334912Z", 187334),
    ],
)
def test_times_with_any_number_of_digits(text: str, micros: int) -> None:
    assert moment(text) == datetime(2026, 11, 22, 9, 0, 1, micros, tzinfo=timezone.utc)


def test_just_before() -> None:
    assert just_before("2026-11-22T09:00:01Z") == "2026-11-22T09:00:00.999999+00:00"
