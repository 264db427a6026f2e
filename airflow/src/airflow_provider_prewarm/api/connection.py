"""An Airflow connection of type ``prewarm``, read into what a client needs.

The command line reads the same connection (cmd/prewarm/airflow_connection.go), and takes it for the same server.
"""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from airflow.models.connection import Connection

DEFAULT_CONN_ID = "prewarm_default"
# Seconds for one call that is not a follow: a submit may wait for the first look at the hosts (10 s).
DEFAULT_TIMEOUT = 60.0
_EXTRA = ("ca_cert", "client_cert", "client_key", "verify", "timeout")
_IN_ITS_FIELD = "write the bare host, as prewarm.example.com, and port and schema in their own fields"


@dataclass(frozen=True)
class Server:
    """Where a server is and how it is spoken to.

    :param url: as ``https://prewarm.example.com:8470``, without a slash at its end
    :param token: of the API; empty: none
    :param ca_cert: path of the certificates that sign the server's; empty: the system's
    :param client_cert: path of a client certificate, with ``client_key``; empty: none
    :param verify: whether the server's certificate is verified
    :param timeout: seconds for one call
    :param conn_id: the connection that says so, for what is told; empty: none
    """

    url: str
    token: str = field(default="", repr=False)
    ca_cert: str = ""
    client_cert: str = ""
    client_key: str = ""
    verify: bool = True
    timeout: float = DEFAULT_TIMEOUT
    conn_id: str = field(default="", compare=False)

    def ssl_context(self) -> ssl.SSLContext | bool:
        """What httpx verifies with. A triggerer's clients share one, until a file of it is another one.

        :raises ValueError: a file can't be used
        """
        if not self.url.startswith("https://"):
            return False
        return _context(self, tuple(_changed(path) for path in (self.ca_cert, self.client_cert, self.client_key)))

    def _new_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_cert or None)
        except OSError as e:
            raise ValueError(f"the connection's extra ca_cert {self.ca_cert!r} can't be used: {_told(e)}") from e
        if self.client_cert:
            try:
                context.load_cert_chain(self.client_cert, self.client_key or None)
            except OSError as e:
                files = f"client_cert {self.client_cert!r} with client_key {self.client_key!r}"
                raise ValueError(f"the connection's extra {files} can't be used: {_told(e)}") from e
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@lru_cache(maxsize=16)
def _context(server: Server, changed: tuple[int, ...]) -> ssl.SSLContext:  # noqa: ARG001 - part of the cache's key
    # It takes 30 ms, in which a triggerer's loop stands still, and 0.8 MB.
    return server._new_context()


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns if path else 0
    except OSError:  # whoever reads it says why
        return 0


def server_of(connection: Connection) -> Server:
    """Read a connection: bare host, port, schema (http or https), password (the token), extra.

    :raises ValueError: with the connection's id and the field that is wrong, and never the token
    """
    wrong = f"connection {connection.conn_id!r}"
    extra = _extra(connection.extra, wrong)
    return Server(
        _url(connection.host or "", connection.port, connection.schema or "", connection.conn_type or "", wrong),
        _token(connection.password or "", wrong),
        ca_cert=_path(extra, "ca_cert", wrong),
        client_cert=_path(extra, "client_cert", wrong),
        client_key=_path(extra, "client_key", wrong),
        verify=_flag(extra.get("verify"), wrong),
        timeout=_seconds(extra.get("timeout"), wrong),
        conn_id=connection.conn_id or "",
    )


def _extra(text: str | None, wrong: str) -> Mapping[str, Any]:
    # Not Connection.extra_dejson: it takes what is no JSON for nothing, and in a triggerer's event loop it deadlocks.
    try:
        extra = json.loads(text) if text else {}
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ValueError(f"{wrong}: extra is no JSON object; write it as {{}} or leave it empty")
    # One that is misspelled would be no certificate, or no time, and nobody would hear of it.
    unknown = sorted(set(extra) - set(_EXTRA))
    if unknown:
        raise ValueError(f"{wrong}: extra has {', '.join(unknown)}, which is unknown; known are {', '.join(_EXTRA)}")
    return extra


def _url(host: str, port: int | None, schema: str, conn_type: str, wrong: str) -> str:
    """http, unless the host, the schema or the type says https; without a port it is that of the scheme."""
    host = host.strip()
    if "@" in host:  # it may be a token, so that it is not repeated
        raise ValueError(f"{wrong}: the host has an @ in it; the token goes into the field of the password")
    if schema not in {"", "http", "https"}:  # a token would go over a wire that everybody reads
        raise ValueError(f"{wrong}: schema {schema!r} is none of http and https; an empty one is http")
    scheme, rest = host.split("://", 1) if "://" in host else (_scheme(schema, conn_type), host)
    if scheme not in {"http", "https"}:
        raise ValueError(f"{wrong}: Prewarm speaks http and https, not {scheme!r}; {_IN_ITS_FIELD}")
    no_address = ValueError(f"{wrong}: host {host!r} is no address; {_IN_ITS_FIELD}")
    try:
        parts = urlsplit(f"{scheme}://{f'[{rest}]' if _is_ipv6(rest) else rest}")
        port = parts.port or port
    except ValueError:
        raise no_address from None
    name = parts.hostname or ""
    if not (re.fullmatch(r"[\w.-]+", name) or _is_ipv6(name)) or parts.query or parts.fragment:
        raise no_address
    if port and not 0 < port < 1 << 16:
        raise ValueError(f"{wrong}: port {port} is none; the server's usual one is 8470")
    url = f"{scheme}://{f'[{name}]' if ':' in name else name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
    try:
        httpx.URL(url)
    except httpx.InvalidURL:  # a name that can't be one
        raise no_address from None
    return url


def _scheme(schema: str, conn_type: str) -> str:
    """The schema counts; without one the type does."""
    return "https" if (schema or conn_type) == "https" else "http"


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def _token(text: str, wrong: str) -> str:
    # A line feed at its end is that of the file it came from. Any other odd byte would end up in an error of httpx.
    token = text.strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise ValueError(f"{wrong}: the password is no token: it has blanks, or what is no ASCII, in it")
    return token


def _path(extra: Mapping[str, Any], name: str, wrong: str) -> str:
    value = extra.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(f"{wrong}: extra {name} {value!r} is no path of a file")
    return value


def _seconds(value: Any, wrong: str) -> float:
    try:
        seconds = DEFAULT_TIMEOUT if value in (None, "") else float(value)
    except (TypeError, ValueError):
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{wrong}: extra timeout {value!r} is no number of seconds above 0")
    return seconds


def _flag(value: Any, wrong: str) -> bool:
    if value in (None, "", True, "true", "True", 1):
        return True
    if value in (False, "false", "False", 0):
        return False
    raise ValueError(f"{wrong}: extra verify {value!r} is neither true nor false")


def _told(e: OSError) -> str:
    return e.strerror or str(e)
