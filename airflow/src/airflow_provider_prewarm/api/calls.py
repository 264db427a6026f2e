"""The calls of the HTTP API that the provider makes, as data. A client sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Call:
    """One request of the API.

    :param patience: seconds that the server was asked to wait before it answers, beside the time for one call
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: float = 0


def submit(body: Mapping[str, Any], word: str) -> Call:
    """Execute a task. The same word always answers the same run: it makes the call repeatable."""
    return Call("POST", "/v1/runs", body=body, headers={"Idempotency-Key": word})


def check_submit(body: Mapping[str, Any]) -> Call:
    """What would become of a submit: its digest, the hosts that could take it, what it would be refused for."""
    return Call("POST", "/v1/runs/check", body=body)


def get_run(run: str) -> Call:
    return Call("GET", f"/v1/runs/{_segment(run)}")


def wait_run(run: str, seconds: int) -> Call:
    """The run once it has ended, or as it is after so many seconds (at most 600)."""
    return Call("GET", f"/v1/runs/{_segment(run)}/wait", params={"timeout": seconds}, patience=seconds)


def read_log(run: str, after: int = 0, follow: bool = True) -> Call:
    """The lines of a run's log behind number ``after``, NDJSON."""
    return Call("GET", f"/v1/runs/{_segment(run)}/logs", params={"after": after, "follow": _word(follow)})


def cancel_run(run: str, word: str = "") -> Call:
    """Stop a run. With the word of a submit: unless another call has joined it since (``joined_since``)."""
    return Call("POST", f"/v1/runs/{_segment(run)}/cancel", headers={"Idempotency-Key": word} if word else {})


def reject_run(run: str) -> Call:
    """Tell that a success can't be used: the key's next submit starts anew."""
    return Call("POST", f"/v1/runs/{_segment(run)}/reject")


def list_runs(**params: Any) -> Call:
    return Call("GET", "/v1/runs", params=params)


def get_scope(scope: str) -> Call:
    return Call("GET", f"/v1/scopes/{_segment(scope)}")


def end_scope(scope: str) -> Call:
    """End a pin scope: its digests are no longer held, and its volume is removed."""
    return Call("DELETE", f"/v1/scopes/{_segment(scope)}")


def repin(scope: str, image: str) -> Call:
    """Move an image of a pin scope to its current digest."""
    return Call("POST", f"/v1/scopes/{_segment(scope)}/repin", body={"image": image})


def list_images() -> Call:
    return Call("GET", "/v1/images")


def get_image(image: str) -> Call:
    return Call("GET", f"/v1/images/{_segment(image)}")


def check_image(image: str) -> Call:
    """Look at the image's tags at the registry now. Needs the scope ``warm``."""
    return Call("POST", f"/v1/images/{_segment(image)}/check")


def warm_image(image: str, hosts: list[str] | None = None) -> Call:
    """Warm the newest digest now, whatever waits for a backoff. Needs the scope ``warm``."""
    return Call("POST", f"/v1/images/{_segment(image)}/warm", body={"hosts": hosts} if hosts else None)


def image_history(image: str, limit: int = 50) -> Call:
    """The image's digests, newest first."""
    return Call("GET", f"/v1/images/{_segment(image)}/history", params={"limit": limit})


def list_hosts() -> Call:
    return Call("GET", "/v1/hosts")


def read_events(after: int = 0, follow: bool = True) -> Call:
    """What happened to images and hosts behind number ``after``, NDJSON."""
    return Call("GET", "/v1/events", params={"after": after, "follow": _word(follow)})


def health() -> Call:
    return Call("GET", "/healthz")


def _segment(text: str) -> str:
    return quote(text, safe="")


def _word(flag: bool) -> str:
    return "true" if flag else "false"
