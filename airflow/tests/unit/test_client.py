"""The clients: what they make of answers, of broken ones, and of no answer. Both kinds do the same."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.calls import Call
from airflow_provider_prewarm.api.client import AsyncClient, Client, _split, parse
from airflow_provider_prewarm.api.connection import Server
from airflow_provider_prewarm.exceptions import (
    ImageNotWarm,
    PrewarmError,
    RequestRefused,
    RequestWrong,
    ServerUnavailable,
)
from certificates import Authority
from fake_prewarm import FakePrewarm, FakeRun

TOKEN = "pw_Zq7Xw9Kp"


class Both:
    """One of the two clients, called from a test that knows no event loop."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def send(self, server: Server, call: Call, timeout: float | None = None) -> Any:
        if self.kind == "task":
            with Client(server, timeout) as client:
                return client.send(call)

        async def send() -> Any:
            async with AsyncClient(server, timeout) as client:
                return await client.send(call)

        return asyncio.run(send())

    def lines(
        self, server: Server, call: Call, silence: float = 5, take: Callable[[bytes], None] = lambda _: None
    ) -> list[bytes]:
        got: list[bytes] = []

        def keep(line: bytes) -> None:
            got.append(line)
            take(line)

        if self.kind == "task":
            with Client(server) as client, client.lines(call, silence) as lines:
                for line in lines:
                    keep(line)
            return got

        async def read() -> None:
            async with AsyncClient(server) as client, client.lines(call, silence) as lines:
                async for line in lines:
                    keep(line)

        asyncio.run(read())
        return got


@pytest.fixture(params=["task", "triggerer"])
def client(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


@pytest.fixture
def server(fake: FakePrewarm) -> Server:
    return Server(fake.url)


def submitted(fake: FakePrewarm, server: Server) -> FakeRun:
    Both("task").send(server, calls.submit({"image": "node-jobs"}, "w"))
    return fake.started()


def test_a_call_and_its_answer(client: Both, fake: FakePrewarm) -> None:
    fake.tokens = {TOKEN: "etl"}
    run = client.send(Server(fake.url, TOKEN), calls.submit({"image": "node-jobs", "key": "k"}, "word"))
    assert (run["namespace"], run["key"]) == ("etl", "k")
    (request,) = fake.requested("POST", "/v1/runs")
    told = [request.headers[name] for name in ("idempotency-key", "authorization", "user-agent")]
    assert told == ["word", f"Bearer {TOKEN}", "airflow-provider-prewarm/0.1.0"]


def test_names_with_slashes_reach_the_server_in_one_piece(client: Both, fake: FakePrewarm, server: Server) -> None:
    client.send(server, calls.submit({"image": "node-jobs", "pin_scope": "etl/2026-11-22 ä"}, ""))
    scope = client.send(server, calls.get_scope("etl/2026-11-22 ä"))
    assert scope["name"] == "etl/2026-11-22 ä"


def test_a_path_of_the_server_stays(client: Both, fake: FakePrewarm) -> None:
    with pytest.raises(RequestRefused):
        client.send(Server(f"{fake.url}/prewarm"), calls.health())
    assert fake.requests[-1].path == "/prewarm/healthz"


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("image_not_warm", 409, ImageNotWarm),
        ("no_current", 409, ImageNotWarm),
        ("pin_cold", 409, ImageNotWarm),
        ("invalid_request", 422, RequestWrong),
        ("path_not_found", 404, RequestWrong),
        ("method_not_allowed", 405, RequestWrong),
        ("not_allowed", 403, RequestWrong),
        ("forbidden", 403, RequestWrong),
        ("key_conflict", 409, RequestWrong),
        ("unauthenticated", 401, RequestRefused),
        ("queue_full", 429, RequestRefused),
        ("registry_unavailable", 502, RequestRefused),
        ("internal", 500, RequestRefused),
        ("a_new_one", 409, RequestRefused),
    ],
)
def test_refusals(
    client: Both, fake: FakePrewarm, server: Server, code: str, status: int, kind: type[RequestRefused]
) -> None:
    fake.answer(status, code, retry_after=7)
    with pytest.raises(RequestRefused) as refused:
        client.send(server, calls.submit({"image": "node-jobs"}, "w"))
    e = refused.value
    assert (type(e), e.code, e.status, e.retry_after) == (kind, code, status, 7)
    assert str(e) == f"the test wants it so ({code})"


def test_a_refusal_tells_what_to_do(client: Both, server: Server) -> None:
    with pytest.raises(RequestRefused, match=r"(?s)\(image_not_managed\): add it to the configuration:.*name: other"):
        client.send(server, calls.submit({"image": "other:1"}, "w"))


@pytest.mark.parametrize(("status", "code"), [(503, "stopping"), (502, ""), (503, ""), (504, "")])
def test_a_server_that_stops_or_is_not_there(
    client: Both, fake: FakePrewarm, server: Server, status: int, code: str
) -> None:
    fake.answer(status, code)
    with pytest.raises(ServerUnavailable, match=f"POST {server.url}/v1/runs: answered {status}: it is stopping"):
        client.send(server, calls.submit({"image": "node-jobs"}, "w"))


@pytest.mark.parametrize("status", [301, 401, 404, 500])
def test_what_is_no_prewarm_is_told_so(client: Both, fake: FakePrewarm, server: Server, status: int) -> None:
    fake.answer(status)
    with pytest.raises(RequestRefused, match=f"answered {status}, not as Prewarm does.*host, port and schema"):
        client.send(server, calls.health())


def test_a_page_where_json_was_asked_for(client: Both, fake: FakePrewarm, server: Server) -> None:
    fake.answer(200, times=2)
    with pytest.raises(ServerUnavailable, match=r"not Prewarm \(no JSON\)"):
        client.send(server, calls.health())
    with pytest.raises(ServerUnavailable, match=r"not Prewarm \(text/html where lines of JSON were asked for\)"):
        client.lines(server, calls.read_log("r"))


def test_a_lost_answer(client: Both, fake: FakePrewarm, server: Server) -> None:
    fake.lose_answer("POST", "/v1/runs")
    with pytest.raises(ServerUnavailable, match=f"POST {server.url}/v1/runs: "):
        client.send(server, calls.submit({"image": "node-jobs"}, "w"))
    assert len(fake.runs) == 1


def test_nobody_there(client: Both) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        server = Server(f"http://127.0.0.1:{taken.getsockname()[1]}", TOKEN)
        with pytest.raises(ServerUnavailable, match=r"GET http://127.0.0.1:\d+/healthz: .*[Cc]onnect") as told:
            client.send(server, calls.health())
    assert TOKEN not in repr(told.value)


def test_a_call_has_its_time(client: Both, fake: FakePrewarm, server: Server) -> None:
    fake.hang(5, path="/healthz")
    begun = time.monotonic()
    with pytest.raises(ServerUnavailable):
        client.send(server, calls.health(), timeout=0.2)
    assert time.monotonic() - begun < 2


def test_a_wait_has_its_own_time_beside(client: Both, fake: FakePrewarm, server: Server) -> None:
    run = submitted(fake, server)
    waited = client.send(server, calls.wait_run(run.id, 1), timeout=0.3)
    assert waited["state"] == "running"


def test_lines_come_as_they_are_printed(client: Both, fake: FakePrewarm, server: Server) -> None:
    run = submitted(fake, server)
    run.line("first")

    def go_on(line: bytes) -> None:
        if parse(line)["text"] == "first":  # nothing more comes before it was read
            run.line("zweite ü")
            run.end()

    lines = client.lines(server, calls.read_log(run.id), take=go_on)
    assert [(parse(line)["seq"], parse(line)["text"]) for line in lines] == [(1, "first"), (2, "zweite ü")]


def test_lines_behind_a_number(client: Both, fake: FakePrewarm, server: Server) -> None:
    run = submitted(fake, server)
    for text in "abc":
        run.line(text)
    assert [parse(line)["text"] for line in client.lines(server, calls.read_log(run.id, 1, follow=False))] == ["b", "c"]


@pytest.mark.parametrize("within", [False, True])
def test_a_log_that_breaks_off_gives_whole_lines_only(
    client: Both, fake: FakePrewarm, server: Server, within: bool
) -> None:
    run = submitted(fake, server)
    for text in "abc":
        run.line(text)
    run.end()
    fake.cut_log(after=2, within_line=within)
    got: list[str] = []
    with pytest.raises(ServerUnavailable, match=f"/v1/runs/{run.id}/logs"):
        client.lines(server, calls.read_log(run.id), take=lambda line: got.append(parse(line)["text"]))
    assert got == ["a", "b"]


def test_a_silent_log_is_a_broken_one(client: Both, fake: FakePrewarm, server: Server) -> None:
    run = submitted(fake, server)
    with pytest.raises(ServerUnavailable):
        client.lines(server, calls.read_log(run.id), silence=0.2)


def test_a_log_that_is_refused(client: Both, server: Server) -> None:
    with pytest.raises(RequestRefused) as refused:
        client.lines(server, calls.read_log("none"))
    assert refused.value.code == "run_not_found"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_over_the_borders_of_chunks(size: int) -> None:
    text = b'{"a":1}\n{"b":"\xc3\xbc"}\n' + b"x" * 50 + b"\n"
    chunks = iter([text[i : i + size] for i in range(0, len(text), size)])
    assert list(_split(Server("http://h"), calls.read_log("r"), chunks)) == text.splitlines()


def test_a_last_line_without_its_end_is_none() -> None:
    """Where the connection ended as if all was well."""
    lines = _split(Server("http://h"), calls.read_log("r"), iter([b"a\nb\n", b'{"seq":1,"te']))
    assert [next(lines), next(lines)] == [b"a", b"b"]
    with pytest.raises(ServerUnavailable, match=r"GET http://h/v1/runs/r/logs: the answer broke off within a line"):
        next(lines)


def test_no_proxy_of_the_environment(
    client: Both, fake: FakePrewarm, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login u password p\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert client.send(server, calls.health())["status"] == "ok"
    assert "authorization" not in fake.requests[-1].headers


def test_the_token_is_in_no_error(client: Both, fake: FakePrewarm) -> None:
    server = Server(fake.url, TOKEN)
    fake.tokens = {"another": "default"}
    fake.answer(500, path="/v1/hosts")
    fake.lose_answer(path="/v1/images")
    for call in (calls.list_runs(), calls.list_hosts(), calls.list_images()):
        with pytest.raises(PrewarmError) as told:
            client.send(server, call)
        chain: BaseException | None = told.value
        while chain is not None:
            assert TOKEN not in repr(chain) + str(vars(chain))
            chain = chain.__cause__
    assert TOKEN not in repr(server)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secure(authority: Authority) -> Iterator[FakePrewarm]:
    """A fake server with TLS, which asks for a client's certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = authority.sign("server")
    tls.load_cert_chain(pair.cert, pair.key)
    tls.load_verify_locations(authority.cert)
    tls.verify_mode = ssl.CERT_REQUIRED
    with FakePrewarm(tls) as fake:
        yield fake


def test_tls_with_certificates_of_both_sides(client: Both, secure: FakePrewarm, authority: Authority) -> None:
    own = authority.sign("airflow")
    server = Server(secure.url, ca_cert=authority.cert, client_cert=own.cert, client_key=own.key)
    assert client.send(server, calls.health())["status"] == "ok"
    unverified = Server(secure.url, client_cert=own.cert, client_key=own.key, verify=False)
    assert client.send(unverified, calls.health())["status"] == "ok"


def test_a_certificate_that_nobody_signed(client: Both, secure: FakePrewarm, authority: Authority) -> None:
    own = authority.sign("airflow")
    with pytest.raises(ServerUnavailable, match=r"certificate verify failed"):
        client.send(Server(secure.url, client_cert=own.cert, client_key=own.key), calls.health())


def test_a_certificate_that_is_missing(client: Both, secure: FakePrewarm, authority: Authority) -> None:
    with pytest.raises(ServerUnavailable):
        client.send(Server(secure.url, ca_cert=authority.cert), calls.health())
