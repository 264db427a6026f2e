"""What is told of a failure is for who writes DAGs, not for who types commands."""

from __future__ import annotations

import ssl

import httpx
import pytest

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import Client
from airflow_provider_prewarm.api.connection import Server
from airflow_provider_prewarm.api.mends import mend_of, unreached
from airflow_provider_prewarm.exceptions import RequestRefused, ServerUnavailable
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from fake_prewarm import FakePrewarm

SERVER = Server("https://h", conn_id="team_a")


@pytest.mark.parametrize("code", ["image_not_warm", "no_current", "pin_cold"])
def test_an_image_that_is_not_warm(code: str) -> None:
    mend = mend_of(SERVER, code, "wait for it with --wait-warm, or see prewarm status")
    assert mend == "wait for it with wait_warm=timedelta(minutes=10), or see prewarm status (server https://h)"


def test_tokens() -> None:
    told = mend_of(SERVER, "unauthenticated", "set PREWARM_TOKEN or PREWARM_TOKEN_FILE, or send the header")
    assert told == "check the password, which is the API token, of connection 'team_a', which leads to https://h"
    assert mend_of(SERVER, "unauthenticated", "add auth.tokens").endswith("https://h; or add auth.tokens")
    assert "the password of connection 'team_a'" in mend_of(SERVER, "forbidden", "use a token that may, or ask for one")


def test_what_needs_no_translation_is_kept() -> None:
    assert mend_of(SERVER, "queue_full", "try again") == "try again"
    assert mend_of(Server("https://h"), "no_current", "wait for it with --wait-warm") == "wait for it with --wait-warm"


def test_a_refusal_names_the_connection(conn: str, fake: FakePrewarm) -> None:
    fake.tokens = {"another": "default"}
    with PrewarmHook(conn).get_conn() as client, pytest.raises(RequestRefused) as told:
        client.send(calls.list_runs())
    assert f"connection 'prewarm_default', which leads to {fake.url}" in str(told.value)
    assert "PREWARM_TOKEN" not in str(told.value)


def test_tls_to_a_server_without(fake: FakePrewarm) -> None:
    server = Server(fake.url.replace("http://", "https://"), conn_id="team_a")
    with Client(server) as client, pytest.raises(ServerUnavailable) as told:
        client.send(calls.health())
    assert "does the server speak http? see the connection's schema (connection 'team_a')" in str(told.value)
    assert told.value.__suppress_context__


def test_nobody_there() -> None:
    refused = httpx.ConnectError("[Errno 111] Connection refused")
    asks = "is prewarm serve up there, and reached from here? (connection 'team_a')"
    assert unreached(SERVER, refused) == f"[Errno 111] Connection refused: {asks}"
    told = unreached(SERVER, ssl.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"))
    assert "see the connection's extra ca_cert" in told
