"""What goes over the wire: requests, problems, times."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

_STATUS = {
    "invalid_request": 422,
    "path_not_found": 404,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_allowed": 403,
    "too_many_requests": 429,
    "queue_full": 429,
    "image_not_managed": 404,
    "host_not_managed": 404,
    "run_not_found": 404,
    "scope_not_found": 404,
    "log_removed": 410,
    "stopping": 503,
    "registry_unavailable": 502,
    "internal": 500,
}


class Problem(Exception):
    """A refusal. A code that is not listed above is a conflict: 409."""

    def __init__(self, code: str, detail: str, mend: str = "", retry_after: int = 0, status: int = 0) -> None:
        super().__init__(detail)
        self.status = status or _STATUS.get(code, 409)
        self.body: dict[str, Any] = {
            "type": f"https://github.com/prewarm/prewarm/blob/main/docs/errors.md#{code}",
            "title": code.replace("_", " "),
            "status": self.status,
            "detail": detail,
            "code": code,
        }
        if mend:
            self.body["mend"] = mend
        if retry_after:
            self.body["retry_after_seconds"] = retry_after
        self.headers = {"Retry-After": str(retry_after)} if retry_after else {}


@dataclass(frozen=True)
class Request:
    """One request that arrived."""

    method: str
    path: str
    """Without the query, as it was sent: a slash in a name is %2F."""
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: Any
    at: float = field(compare=False)
    """By time.monotonic."""


def rfc3339(at: datetime) -> str:
    """A time as Go writes it: without the zeros at the end of a second's fraction."""
    text = at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"
