"""What to do about a failure, in the words of who writes DAGs and connections.

The server's advice speaks to its command line. It is kept, but for what has another name in Airflow.
"""

from __future__ import annotations

import httpx

from airflow_provider_prewarm.api.connection import Server

# Options of the command line, and what a task says instead.
_OPTIONS = {"--wait-warm": "wait_warm=timedelta(minutes=10)", "--fresh": "fresh=True"}


def mend_of(server: Server, code: str, mend: str) -> str:
    """The advice of a refusal, translated.

    :param mend: the server's
    """
    if not server.conn_id:  # a client that no connection made
        return mend
    where = f"connection {server.conn_id!r}, which leads to {server.url}"
    if code == "unauthenticated":
        # The variables are those of the command line.
        more = f"; or {mend}" if mend and "PREWARM_TOKEN" not in mend else ""
        return f"check the password, which is the API token, of {where}{more}"
    if code == "forbidden":
        return f"ask for a token that may, and make it the password of {where}"
    for option, parameter in _OPTIONS.items():
        mend = mend.replace(option, parameter)
    return f"{mend} (server {server.url})" if code in ("image_not_warm", "no_current", "pin_cold") and mend else mend


def unreached(server: Server, e: Exception) -> str:
    """Why a server was not reached, and what to look at."""
    why = str(e) or type(e).__name__
    of = f" (connection {server.conn_id!r})" if server.conn_id else ""
    if "WRONG_VERSION_NUMBER" in why:
        return f"{why}: does the server speak http? see the connection's schema{of}"
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return f"{why}: see the connection's extra ca_cert{of}"
    if isinstance(e, (httpx.ConnectError, httpx.ConnectTimeout)):
        return f"{why}: is prewarm serve up there, and reached from here?{of}"
    return f"{why}{of}"
