"""The hook: its server, and the test of a connection."""

from __future__ import annotations

import asyncio
import json

import pytest

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from fake_prewarm import FakePrewarm


def test_a_server_that_answers(conn: str, fake: FakePrewarm) -> None:
    assert PrewarmHook(conn).test_connection() == (True, f"Prewarm 0.9.0 answers at {fake.url}")


def test_a_wrong_token(conn: str, fake: FakePrewarm) -> None:
    fake.tokens = {"another": "default"}
    ok, told = PrewarmHook(conn).test_connection()
    assert (ok, "(unauthenticated)" in told) == (False, True)


def test_nobody_there(conn: str, fake: FakePrewarm) -> None:
    with fake.away():
        ok, told = PrewarmHook(conn).test_connection()
    assert not ok
    assert told.startswith(f"GET {fake.url}/healthz: ")


def test_something_else_there(conn: str, fake: FakePrewarm) -> None:
    fake.answer(200, path="/healthz", body='{"status": "UP"}')
    ok, told = PrewarmHook(conn).test_connection()
    assert not ok
    assert "what answers is not Prewarm" in told


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"host": ""}, "host '' is no address"),
        ({"host": "h", "schema": "https", "extra": {"ca_cert": "/none"}}, "ca_cert '/none'"),
    ],
)
def test_a_wrong_connection(monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], says: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps({"conn_type": "prewarm"} | fields))
    ok, told = PrewarmHook("wrong").test_connection()
    assert (ok, says in told) == (False, True)


def test_airflow_is_asked_once(conn: str, fake: FakePrewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = PrewarmHook(conn)
    assert hook.server.url == fake.url
    monkeypatch.delenv("AIRFLOW_CONN_PREWARM_DEFAULT")
    with hook.get_conn() as client:
        assert client.send(calls.health())["status"] == "ok"


def test_from_an_event_loop(conn: str, fake: FakePrewarm) -> None:
    hook = PrewarmHook(conn)

    async def ask() -> str:
        server = await hook.aserver()
        async with hook.get_async_conn() as client:
            return f"{server.url} {(await client.send(calls.health()))['status']}"

    assert asyncio.run(ask()) == f"{fake.url} ok"
    assert hook.server.url == fake.url


def test_a_token_that_can_only_read(conn: str, fake: FakePrewarm) -> None:
    fake.answer(403, "forbidden", method="POST", path="/v1/runs/check")
    ok, told = PrewarmHook(conn).test_connection()
    assert not ok
    assert told.startswith(f"Prewarm 0.9.0 answers at {fake.url}, and the token can't submit runs: ")
    assert not fake.runs
