"""Which digests of an image went live since somebody looked, read from its history. Data in, data out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

# Go writes as many digits of a second as there are; Python 3.10 reads three or six.
_FRACTION = re.compile(r"\.(\d+)")
_NEVER = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Memory:
    """What was told already.

    :param at: when the newest promotion that was told happened
    :param current: of each tag the rollout that was current then
    """

    at: str = ""
    current: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"at": self.at, "current": dict(self.current)}

    @classmethod
    def of_json(cls, kept: Any) -> Memory | None:
        """What ``as_json`` gave; None: it is something else."""
        if not isinstance(kept, Mapping) or not isinstance(kept.get("current"), Mapping):
            return None
        at = kept.get("at")
        if not isinstance(at, str) or (at and not _readable(at)):
            return None
        return cls(at, {str(tag): str(rollout) for tag, rollout in kept["current"].items()})


def newest(memories: Iterable[Memory]) -> Memory | None:
    """That of the latest promotion: assets that share a trigger have one each, of which some may not have been kept."""
    return max(memories, key=lambda memory: _time(memory.at) if memory.at else _NEVER, default=None)


def promoted(history: Mapping[str, Any], tag: str | None) -> list[Mapping[str, Any]]:
    """The rollouts that were ever current, the oldest promotion first.

    :param tag: only those of this tag; None: of all that the image tracks
    """
    found = [r for r in history["rollouts"] if r.get("promoted_at") and tag in (None, r.get("tag"))]
    return sorted(found, key=lambda r: (_time(r["promoted_at"]), r["id"]))


def due(rollouts: Iterable[Mapping[str, Any]], told: Memory) -> list[Mapping[str, Any]]:
    """Those that were not told yet, in order.

    What is current and was not told is one of them whatever its time: the server's clock may have been set back.
    """
    return [
        r
        for r in rollouts
        if (r["phase"] == "current" and told.current.get(_tag(r)) != r["id"])
        or not told.at
        or _time(r["promoted_at"]) > _time(told.at)
    ]


def remember(rollouts: Iterable[Mapping[str, Any]], told: Memory) -> Memory:
    """The memory once all of these were told."""
    at, current = told.at, dict(told.current)
    for r in rollouts:
        if not at or _time(r["promoted_at"]) > _time(at):
            at = r["promoted_at"]
        if r["phase"] == "current":
            current[_tag(r)] = r["id"]
    return Memory(at, current)


def payloads(
    image: str, rollouts: Iterable[Mapping[str, Any]], news: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What is told of each: JSON, with the pin that a run takes as its image."""
    old_pin: dict[str, str] = {}
    last: dict[str, str] = {}
    for r in rollouts:
        if _tag(r) in last:
            old_pin[r["id"]] = last[_tag(r)]
        last[_tag(r)] = r["pin"]
    told = []
    for r in news:
        payload = {
            "image": image,
            "tag": _tag(r),
            "pin": r["pin"],
            "digest": r["digest"],
            "rollout": r["id"],
            "origin": r["origin"],
            "promoted_at": r["promoted_at"],
        }
        if r["id"] in old_pin:
            payload["old_pin"] = old_pin[r["id"]]
        told.append(payload)
    return told


def _tag(rollout: Mapping[str, Any]) -> str:
    """Empty where the image follows a digest."""
    return str(rollout.get("tag", ""))


def _time(text: str) -> datetime:
    micros = _FRACTION.sub(lambda m: "." + m.group(1)[:6].ljust(6, "0"), text)
    return datetime.fromisoformat(micros.replace("Z", "+00:00"))


def _readable(text: str) -> bool:
    try:
        return _time(text).tzinfo is not None
    except ValueError:
        return False
