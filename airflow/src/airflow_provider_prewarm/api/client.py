"""Send calls to a server: one client for tasks, one for the triggerer's event loop.

Neither tries anything again: who calls knows whether that is safe, and for how long.
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any

import httpx

from airflow_provider_prewarm import __version__
from airflow_provider_prewarm.api.calls import Call
from airflow_provider_prewarm.api.connection import Server
from airflow_provider_prewarm.api.mends import mend_of, unreached
from airflow_provider_prewarm.exceptions import RequestRefused, ServerUnavailable, refusal

# Seconds. A server that takes none of them is down for all that a caller cares.
CONNECT_TIMEOUT = 10.0
# Seconds of silence in a stream before the connection counts as dead: the server sends nothing where a program prints
# nothing, so this is long; who follows looks at the run itself then and goes on.
STREAM_SILENCE = 300.0
# A proxy that does not know the server answers with these; so does a server that is stopping.
_GONE = {502, 503, 504}
# How a connection breaks. httpx's event loop lets through what TLS says after the handshake.
_BROKEN = (httpx.HTTPError, ssl.SSLError)

# httpx tells of each request. Airflow 3 keeps that out of the tasks' logs, Airflow 2 does not.
if logging.getLogger("httpx").level == logging.NOTSET:
    logging.getLogger("httpx").setLevel(logging.WARNING)


class Client:
    """Calls a server and waits for the answers. Not for two threads at once.

    :param server: where it is
    :param timeout: seconds for one call, instead of the server's own
    """

    def __init__(self, server: Server, timeout: float | None = None) -> None:
        self.server = server
        self._http = httpx.Client(**_options(server, timeout))

    def send(self, call: Call) -> Any:
        """Send a call and give the JSON of its answer.

        :raises ServerUnavailable: it was not reached, broke off, or is stopping: the call may have arrived
        :raises RequestRefused: it refused
        """
        try:
            response = self._http.request(
                call.method, call.path, timeout=_time_for(self._http, call), **_arguments(call)
            )
        except _BROKEN as e:
            raise _unavailable(self.server, call, e) from None
        return _decode(self.server, call, response)

    @contextmanager
    def lines(self, call: Call, silence: float = STREAM_SILENCE) -> Iterator[Iterator[bytes]]:
        """Read an answer of JSON lines, as they come. An answer that ends within a line is a broken connection.

        :param silence: seconds without a byte after which the connection counts as broken
        :raises ServerUnavailable: as for send, and at any line
        """
        timeout = httpx.Timeout(self.server.timeout, connect=CONNECT_TIMEOUT, read=silence)
        try:
            with self._http.stream(call.method, call.path, timeout=timeout, **_arguments(call)) as response:
                if response.status_code != httpx.codes.OK:
                    response.read()
                    raise _refused(self.server, call, response)
                _expect_lines(self.server, call, response)
                yield _split(self.server, call, response.iter_raw())
        except _BROKEN as e:
            raise _unavailable(self.server, call, e) from None

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncClient:
    """The same for an event loop."""

    def __init__(self, server: Server, timeout: float | None = None) -> None:
        self.server = server
        self._http = httpx.AsyncClient(**_options(server, timeout))

    async def send(self, call: Call) -> Any:
        """As Client.send."""
        timeout = _time_for(self._http, call)
        try:
            response = await self._http.request(call.method, call.path, timeout=timeout, **_arguments(call))
        except _BROKEN as e:
            raise _unavailable(self.server, call, e) from None
        return _decode(self.server, call, response)

    @asynccontextmanager
    async def lines(self, call: Call, silence: float = STREAM_SILENCE) -> AsyncIterator[AsyncIterator[bytes]]:
        """As Client.lines."""
        timeout = httpx.Timeout(self.server.timeout, connect=CONNECT_TIMEOUT, read=silence)
        try:
            async with self._http.stream(call.method, call.path, timeout=timeout, **_arguments(call)) as response:
                if response.status_code != httpx.codes.OK:
                    await response.aread()
                    raise _refused(self.server, call, response)
                _expect_lines(self.server, call, response)
                yield _asplit(self.server, call, response.aiter_raw())
        except _BROKEN as e:
            raise _unavailable(self.server, call, e) from None

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _options(server: Server, timeout: float | None) -> dict[str, Any]:
    headers = {"User-Agent": f"airflow-provider-prewarm/{__version__}", "Accept-Encoding": "identity"}
    if server.token:
        headers["Authorization"] = f"Bearer {server.token}"
    seconds = timeout or server.timeout
    return {
        "base_url": server.url,
        "headers": headers,
        "timeout": httpx.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT)),
        "verify": server.ssl_context(),
        # A worker's proxy is for what is outside; Prewarm is the operator's own.
        "trust_env": False,
    }


def _time_for(http: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Timeout:
    usual = http.timeout
    if not call.patience or usual.read is None:
        return usual
    return httpx.Timeout(usual.read, connect=usual.connect, read=usual.read + call.patience)


def _arguments(call: Call) -> dict[str, Any]:
    arguments: dict[str, Any] = {"params": dict(call.params), "headers": dict(call.headers)}
    if call.body is not None:
        arguments["json"] = call.body
    return arguments


def _decode(server: Server, call: Call, response: httpx.Response) -> Any:
    if response.is_success:
        try:
            return response.json() if response.content else None
        except ValueError as e:
            raise _stranger(server, call, "no JSON") from e
    raise _refused(server, call, response)


def _expect_lines(server: Server, call: Call, response: httpx.Response) -> None:
    kind = response.headers.get("Content-Type", "")
    if not kind.startswith("application/x-ndjson"):
        raise _stranger(server, call, f"{kind or 'something'} where lines of JSON were asked for")


def _stranger(server: Server, call: Call, why: str) -> ServerUnavailable:
    return ServerUnavailable(
        f"{_tried(server, call)}: what answers is not Prewarm ({why}); check the connection's host, port and schema"
    )


def _refused(server: Server, call: Call, response: httpx.Response) -> RequestRefused | ServerUnavailable:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    told = problem if isinstance(problem, dict) and "code" in problem else None
    if response.status_code in _GONE and (told is None or told["code"] == "stopping"):
        return ServerUnavailable(
            f"{_tried(server, call)}: answered {response.status_code}: it is stopping, or is not there behind its proxy"
        )
    if told is None:
        return refusal(
            "unknown",
            f"{_tried(server, call)}: answered {response.status_code}, not as Prewarm does",
            "check the connection's host, port and schema",
            response.status_code,
        )
    detail = str(told.get("detail", "")) or str(told.get("title", "refused"))
    code = str(told["code"])
    mend = mend_of(server, code, str(told.get("mend", "")))
    return refusal(code, detail, mend, response.status_code, _retry_after(response))


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(float(response.headers.get("Retry-After", 0)), 0.0)
    except ValueError:
        return 0.0


def _unavailable(server: Server, call: Call, e: Exception) -> ServerUnavailable:
    return ServerUnavailable(f"{_tried(server, call)}: {unreached(server, e)}")


def _tried(server: Server, call: Call) -> str:
    return f"{call.method} {server.url}{call.path}"


def _cut_off(server: Server, call: Call) -> ServerUnavailable:
    return ServerUnavailable(f"{_tried(server, call)}: the answer broke off within a line")


# Chunks come as the network brings them: with a size, httpx would hold lines back until it had so much.
def _split(server: Server, call: Call, chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        whole, end, tail = chunk.rpartition(b"\n")
        if not end:
            rest += chunk
            continue
        yield from (rest + whole).split(b"\n")
        rest = tail
    if rest:
        raise _cut_off(server, call)


async def _asplit(server: Server, call: Call, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        whole, end, tail = chunk.rpartition(b"\n")
        if not end:
            rest += chunk
            continue
        for line in (rest + whole).split(b"\n"):
            yield line
        rest = tail
    if rest:
        raise _cut_off(server, call)


def parse(line: bytes) -> dict[str, Any]:
    """One line of an answer."""
    parsed: dict[str, Any] = json.loads(line)
    return parsed
