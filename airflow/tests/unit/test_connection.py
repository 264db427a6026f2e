"""A connection is read as the command line reads it, and what is wrong with it is told without its token."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import ssl
from pathlib import Path

import pytest

from airflow_provider_prewarm._compat import BaseHook
from airflow_provider_prewarm.api.connection import Server, server_of
from certificates import Authority

TOKEN = "pw_Zq7Xw9Kp"
CLI_TESTS = Path(__file__).parents[3] / "cmd" / "prewarm" / "connect_test.go"


def read(monkeypatch: pytest.MonkeyPatch, text: str) -> Server:
    """What Airflow itself makes of a variable, read."""
    monkeypatch.setenv("AIRFLOW_CONN_PREWARM_TEST", text)
    return server_of(BaseHook.get_connection("prewarm_test"))


def cases_of_the_command_line() -> list[tuple[str, str, dict[str, str]]]:
    """Name, variable and outcome of each case that cmd/prewarm's test has: it and this package read the same ones."""
    table = CLI_TESTS.read_text(encoding="utf-8").partition("func TestConnectionsOfAirflow")[2].partition("\n\t} {")[0]
    cases = re.findall(r'^\t\t"([^"]+)":\s*\{\s*`([^`]+)`,\s*airflowConnection\{([^}]*)\},?\s*\},', table, re.M)
    return [(name, text, dict(re.findall(r'(\w+): "([^"]*)"', outcome))) for name, text, outcome in cases]


CLI_CASES = cases_of_the_command_line()


def test_the_command_lines_cases_were_found() -> None:
    assert len(CLI_CASES) >= 10
    assert sum(bool(outcome) for _, _, outcome in CLI_CASES) >= 8


@pytest.mark.parametrize(("name", "text", "outcome"), CLI_CASES, ids=[name for name, _, _ in CLI_CASES])
def test_agrees_with_the_command_line(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, outcome: dict[str, str]
) -> None:
    if not outcome:
        with pytest.raises(Exception, match=r".+"):
            read(monkeypatch, text)
        return
    server = read(monkeypatch, text)
    told = {"url": server.url, "token": server.token, "ca": server.ca_cert, "cert": server.client_cert}
    told["key"] = server.client_key
    assert {field: value for field, value in told.items() if value} == outcome


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "h"}, "http://h"),
        ({"host": "h", "port": 8470}, "http://h:8470"),
        ({"host": "h", "port": "8470"}, "http://h:8470"),
        ({"host": "h", "schema": "https"}, "https://h"),
        ({"host": "h", "schema": "http", "conn_type": "https"}, "http://h"),
        ({"host": "https://h", "schema": "http", "port": 1}, "https://h:1"),
        ({"host": "h:8471", "port": 8470}, "http://h:8471"),
        ({"host": " h "}, "http://h"),
        ({"host": "h/", "port": 1}, "http://h:1"),
        ({"host": "https://h/prewarm/", "port": 1}, "https://h:1/prewarm"),
        ({"host": "::1", "port": 8470}, "http://[::1]:8470"),
        ({"host": "[fd00::3]", "port": 8470}, "http://[fd00::3]:8470"),
        ({"host": "[fd00::3]:8470", "schema": "https"}, "https://[fd00::3]:8470"),
    ],
)
def test_addresses(monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], url: str) -> None:
    assert read(monkeypatch, json.dumps({"conn_type": "prewarm"} | fields)).url == url


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "host '' is no address"),
        ({"host": "a b"}, "host 'a b' is no address"),
        ({"host": "h:port"}, "host 'h:port' is no address"),
        ({"host": "h?x=1"}, "is no address"),
        ({"host": "h#x"}, "is no address"),
        ({"host": "[::1"}, "is no address"),
        ({"host": "ä..b"}, "is no address"),
        ({"host": "h/a\x00b"}, "is no address"),
        ({"host": "ftp://h"}, "speaks http and https, not 'ftp'"),
        ({"host": "h", "port": 70000}, "port 70000 is none"),
        ({"host": f":{TOKEN}@h"}, "the token goes into the field of the password"),
        ({"host": "h", "password": f"{TOKEN}\nX: y"}, "the password is no token"),
        ({"host": "h", "password": f"{TOKEN}ü"}, "the password is no token"),
        ({"host": "h", "extra": "ca_cert=/x"}, "extra is no JSON object"),
        ({"host": "h", "extra": "[1]"}, "extra is no JSON object"),
        ({"host": "h", "extra": {"verify": "no"}}, "extra verify 'no' is neither true nor false"),
        ({"host": "h", "extra": {"timeout": "soon"}}, "extra timeout 'soon' is no number"),
        ({"host": "h", "extra": {"timeout": 0}}, "extra timeout 0 is no number"),
        ({"host": "h", "extra": {"timeout": "inf"}}, "is no number of seconds"),
        ({"host": "h", "schema": "htps"}, "schema 'htps' is none of http and https"),
        ({"host": "https://h", "schema": "htps"}, "schema 'htps' is none of http and https"),
        (
            {"host": "h", "extra": {"ca_crt": "/x"}},
            "extra has ca_crt, which is unknown; known are ca_cert",
        ),
        ({"host": "h", "extra": {"ca_cert": 7}}, "extra ca_cert 7 is no path"),
    ],
)
def test_what_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], says: str) -> None:
    text = json.dumps({"conn_type": "prewarm", "password": TOKEN} | fields)
    with pytest.raises(Exception, match=r"prewarm_test") as told:
        read(monkeypatch, text)
    assert TOKEN not in str(told.value)
    # Airflow 3.1 refuses by itself an extra that is no JSON.
    assert says in str(told.value) or ("no JSON" in says and "isn't defined" in str(told.value))


def test_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"ca_cert": "/ca", "client_cert": "/c", "client_key": "/k", "verify": False, "timeout": "2.5"}
    for written in (extra, json.dumps(extra)):
        server = read(monkeypatch, json.dumps({"conn_type": "prewarm", "host": "h", "extra": written}))
        files = (server.ca_cert, server.client_cert, server.client_key)
        assert (files, server.verify, server.timeout) == (("/ca", "/c", "/k"), False, 2.5)


def test_an_empty_extra_is_all_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a form leaves it."""
    empty = {"ca_cert": "", "client_cert": None, "client_key": "", "verify": None, "timeout": ""}
    server = read(monkeypatch, json.dumps({"conn_type": "prewarm", "host": "h", "extra": empty}))
    assert server == Server("http://h")


def test_a_token_is_taken_from_a_file_with_its_line_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    server = read(monkeypatch, json.dumps({"conn_type": "prewarm", "host": "h", "password": TOKEN + "\n"}))
    assert server.token == TOKEN
    assert TOKEN not in repr(server)


def test_airflow_masks_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "airflow.sdk._shared.secrets_masker",
        "airflow.sdk.execution_time.secrets_masker",
        "airflow.utils.log.secrets_masker",  # 2.11
    ):
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            break
    masker = module._secrets_masker()
    masker.patterns, masker.replacer = set(), None  # of the other tests' short tokens
    read(monkeypatch, json.dumps({"conn_type": "prewarm", "host": "h", "password": TOKEN}))
    assert module.redact(f"a line with {TOKEN} in it") == "a line with *** in it"


def test_certificates_are_asked_for_over_https_only() -> None:
    assert Server("http://h", ca_cert="/none").ssl_context() is False
    verifying = Server("https://h").ssl_context()
    trusting = Server("https://h", verify=False).ssl_context()
    assert isinstance(verifying, ssl.SSLContext)
    assert isinstance(trusting, ssl.SSLContext)
    assert (verifying.verify_mode, verifying.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (trusting.verify_mode, trusting.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (Server("https://h", ca_cert="/none/ca.pem"), "ca_cert '/none/ca.pem' can't be used: No such file"),
        (
            Server("https://h", client_cert="/none/c.pem", client_key="/k"),
            "client_cert '/none/c.pem' with client_key '/k'",
        ),
    ],
)
def test_files_that_cannot_be_read_are_named(server: Server, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        server.ssl_context()


def test_clients_share_what_they_verify_with(tmp_path: Path) -> None:
    pair = Authority(tmp_path).sign("client")
    server = Server("https://h", client_cert=pair.cert, client_key=pair.key)
    context = server.ssl_context()
    assert Server("https://h", client_cert=pair.cert, client_key=pair.key).ssl_context() is context
    assert Server("https://h").ssl_context() is not context
    os.utime(pair.cert, ns=(1, 1))  # as where it is renewed
    assert server.ssl_context() is not context
