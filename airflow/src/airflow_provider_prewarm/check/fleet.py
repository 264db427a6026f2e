"""What the server says: its images, its hosts, and what it would answer to a submit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.calls import Call
from airflow_provider_prewarm.check.images import Entry, entry_of
from airflow_provider_prewarm.exceptions import RequestRefused, ServerUnavailable


class Sender(Protocol):
    """What is needed of a client."""

    def send(self, call: Call) -> Any: ...


@dataclass(frozen=True)
class Problem:
    """What a submit would be refused for."""

    code: str
    detail: str
    mend: str = ""


# Refusals that say nothing of the submit, but of the caller, or of what answers.
_OF_THE_CALLER = {"unknown", "unauthenticated", "forbidden", "too_many_requests", "internal"}


@dataclass
class Fleet:
    """A server, as far as the check asks it.

    :param hosts: as ``GET /v1/hosts`` has them
    :param why_not: why submits can't be tried; empty: they can
    """

    url: str
    entries: Sequence[Entry]
    hosts: Sequence[Mapping[str, Any]]
    sender: Sender
    why_not: str = ""
    _answers: dict[str, list[Problem]] = field(default_factory=dict)

    @property
    def tells_places(self) -> bool:
        """Whether it says how hosts are reached and which folders they have; a server of before 0.9 does not."""
        return all("aliases" in h and "binds" in h for h in self.hosts)

    def problems(self, body: Mapping[str, Any]) -> list[Problem] | None:
        """What the server would refuse a submit for; None: that can't be known, and ``why_not`` says why."""
        same = json.dumps(body, sort_keys=True, default=str)
        if same not in self._answers:
            found = None if self.why_not else self._ask(body)
            if found is None:
                return None
            self._answers[same] = found
        return self._answers[same]

    def _ask(self, body: Mapping[str, Any]) -> list[Problem] | None:
        try:
            answer = self.sender.send(calls.check_submit(body))
        except RequestRefused as e:
            if e.code not in _OF_THE_CALLER:
                return [Problem(e.code, e.detail, e.mend)]
            self.why_not = str(e)
            return None
        except ServerUnavailable as e:
            self.why_not = str(e)
            return None
        return [Problem(p["code"], p["detail"], p.get("mend", "")) for p in answer.get("problems", [])]


def fleet_of(url: str, sender: Sender) -> Fleet:
    """Ask a server for its images and hosts.

    :raises ServerUnavailable: it could not be reached
    :raises RequestRefused: it refused
    """
    images = sender.send(calls.list_images())["images"]
    hosts = sender.send(calls.list_hosts())["hosts"]
    return Fleet(url, [entry_of(image) for image in images], hosts, sender)
