"""Where the digests of an image stand, read from the server's answers. Data in, data out; nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_prewarm.exceptions import refusal

# Hosts in these states wait for no pull: a promotion does not count them, and no more do we.
_AWAY = {"unreachable", "duplicate_engine", "no_platform"}


@dataclass(frozen=True)
class Want:
    """What is to be warm, and where. Plain JSON, so that it may go to a trigger.

    :param images: as a run names them: ``node-jobs``, ``node-jobs:1.4.2``, ``registry.example.com/node-jobs:latest``
    :param hosts: only these of the image's hosts; empty: all
    :param host_labels: only hosts with all of these labels
    :param min_hosts: so many are enough; None: all that count
    :param newest: by image, the digest that its tag shows at the registry; empty: the current one is meant
    :param deadline: Unix time at which waiting ends
    :param waited: how long that is in all, in seconds, for the reader of an error
    :param fail_after: seconds for which a host may fail in a row
    """

    images: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    host_labels: Mapping[str, str] = field(default_factory=dict)
    min_hosts: int | None = None
    newest: Mapping[str, str] = field(default_factory=dict)
    deadline: float = 0
    waited: float = 0
    fail_after: float = 300

    def as_json(self) -> dict[str, Any]:
        """The same for a trigger's arguments."""
        return {
            "images": list(self.images),
            "hosts": list(self.hosts),
            "host_labels": dict(self.host_labels),
            "min_hosts": self.min_hosts,
            "newest": dict(self.newest),
            "deadline": self.deadline,
            "waited": self.waited,
            "fail_after": self.fail_after,
        }

    @classmethod
    def of_json(cls, plain: Mapping[str, Any]) -> Want:
        """What ``as_json`` gave."""
        return cls(**{**plain, "images": tuple(plain["images"]), "hosts": tuple(plain["hosts"])})


@dataclass(frozen=True)
class Place:
    """A digest on one host.

    :param counts: whether the host is waited for
    :param told: state and reason, for a reader; a new text is worth a line
    :param progress: how far its pull is; empty: none is under way
    :param bytes: of a pull that is under way, so far
    """

    host: str
    state: str
    counts: bool
    told: str
    progress: str = ""
    bytes: int = 0

    @property
    def warm(self) -> bool:
        return self.state == "warm"

    @property
    def backing_off(self) -> bool:
        """Whether it waits for its next try."""
        return self.state in {"failed", "gone_upstream"}


@dataclass(frozen=True)
class Standing:
    """Where an image's wanted digest stands.

    :param pin: what is to be warm; empty: nothing is current yet
    :param current: whether runs by name get it
    :param note: what a reader should know of the choice; may be empty
    """

    pin: str
    current: bool
    places: tuple[Place, ...]
    note: str = ""

    @property
    def counted(self) -> list[Place]:
        return [p for p in self.places if p.counts]

    @property
    def warm(self) -> list[Place]:
        return [p for p in self.counted if p.warm]

    def enough(self, min_hosts: int | None) -> bool:
        """Whether the digest is warm on as many hosts as are wanted, and on one at least."""
        return bool(self.pin) and len(self.warm) >= max(1, len(self.counted) if min_hosts is None else min_hosts)


def split(image: str) -> tuple[str, str | None]:
    """Name or repository, and tag.

    :raises RequestRefused: it is a pin
    """
    if "@" in image:
        raise refusal(
            "invalid_request",
            f"{image} is a pin: only what an image tracks can be made warm",
            "name the image, as node-jobs or node-jobs:1.4.2",
        )
    head, colon, tail = image.rpartition(":")
    return (head, tail) if colon and "/" not in tail else (image, None)


def find(image: str, listed: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """The configured name and the tag that a ref means.

    :raises RequestRefused: nothing tracks just that
    """
    repository, tag = split(image)
    for one in listed:
        if _normal(one["repository"]) == _normal(repository) and _track(one, tag or "latest"):
            return one["name"], tag or "latest"
    raise refusal(
        "image_not_managed",
        f"{image}: no image of the server's configuration tracks that tag of that repository",
        "prewarm status lists its images; add an entry, or use another's name",
    )


def standing(
    image: Mapping[str, Any], tag: str | None, hosts: Sequence[Mapping[str, Any]], want: Want, newest: str = ""
) -> Standing:
    """Where the wanted digest of an image stands.

    :param image: as GET /v1/images/{name} gives it
    :param tag: None: what the bare name means
    :param hosts: as GET /v1/hosts gives them
    :param newest: the digest that the tag showed at the registry; empty: the current one is meant
    :raises RequestRefused: the image has no such tag, or no such host
    """
    track = _track(image, tag)
    if track is None:
        tracked = ", ".join(str(t.get("tag")) for t in image["tracks"]) or "none yet"
        raise refusal("image_not_managed", f"{image['name']} tracks no tag {tag}; it tracks: {tracked}")
    rollout, note = _wanted(track, newest)
    if rollout is None:
        return Standing("", False, (), note)
    return Standing(rollout["pin"], rollout["phase"] == "current", _places(image, rollout, hosts, want), note)


def newest_of(checked: Mapping[str, Any], image: Mapping[str, Any], tag: str | None) -> str:
    """The digest that a tag shows at the registry, from the answer to a check; empty: the tag was not looked at."""
    track = _track(image, tag) or {}
    for seen in checked["tracks"]:
        if seen.get("tag") == track.get("tag"):
            return str(seen["digest"])
    return ""


def short(pin: str) -> str:
    """A digest as people tell them apart."""
    return pin.rpartition("@")[2][:19]


def _track(image: Mapping[str, Any], tag: str | None) -> Mapping[str, Any] | None:
    tracks: Sequence[Mapping[str, Any]] = image["tracks"]
    if tag is None:
        return tracks[0] if tracks else {"held": [], "coming": []}
    return next((t for t in tracks if t.get("tag") == tag), None)


def _wanted(track: Mapping[str, Any], newest: str) -> tuple[Mapping[str, Any] | None, str]:
    """The rollout that is to be warm, and what to tell of the choice."""
    current, coming = track.get("current"), track["coming"]
    if newest:
        for rollout in [*([current] if current else []), *coming]:
            if rollout["digest"] == newest:
                return rollout, ""
        held = next((r for r in track["held"] if r["digest"] == newest), None)
        if held:
            why = ", ".join(held.get("holds", [])) or "held"
            return current, f"the newest digest {short(held['pin'])} is held ({why}), so it is warmed nowhere yet"
        pushed = [r for r in coming if r["origin"] == "tag"]
        if pushed:  # a newer one took its place meanwhile
            return pushed[-1], f"{short(newest)} was overtaken by {short(pushed[-1]['pin'])}"
    if current:
        return current, ""
    if coming:
        return coming[-1], "no digest is current yet"
    return None, _nothing_yet(track)


def _nothing_yet(track: Mapping[str, Any]) -> str:
    if track["held"]:
        held = track["held"][-1]
        return f"no digest is current yet: {short(held['pin'])} is held ({', '.join(held.get('holds', []))})"
    if track.get("check_error"):
        return f"no digest is current yet: {track['check_error']}"
    return "no digest is current yet"


def _places(
    image: Mapping[str, Any], rollout: Mapping[str, Any], hosts: Sequence[Mapping[str, Any]], want: Want
) -> tuple[Place, ...]:
    known = {h["name"]: h for h in hosts}
    copies = rollout.get("hosts", [])
    names = [c["host"] for c in copies]
    if unknown := [h for h in want.hosts if h not in names]:
        raise refusal(
            "invalid_request",
            f"{', '.join(unknown)}: not among the hosts of {image['name']}, which are: {', '.join(names) or 'none'}",
            "hosts= takes names of the server's configuration",
        )
    chosen = [c for c in copies if _selected(c["host"], known.get(c["host"], {}), want)]
    if not chosen:
        raise refusal(
            "invalid_request",
            f"no host of {image['name']} ({', '.join(names) or 'none'}) has the labels {dict(want.host_labels)}",
            "host_labels= takes labels of the server's configuration",
        )
    if want.min_hosts is not None and want.min_hosts > len(chosen):
        raise refusal(
            "invalid_request",
            f"min_hosts={want.min_hosts}, and {image['name']} has {len(chosen)} such hosts: "
            + ", ".join(c["host"] for c in chosen),
        )
    return tuple(_place(c, known.get(c["host"], {})) for c in chosen)


def _selected(name: str, host: Mapping[str, Any], want: Want) -> bool:
    if want.hosts and name not in want.hosts:
        return False
    if not want.host_labels:
        return True
    if host and "labels" not in host:
        raise refusal(
            "invalid_request",
            "the server does not tell its hosts' labels",
            "name hosts instead, or take a newer server",
        )
    labels = host.get("labels", {})
    return all(labels.get(name) == value for name, value in want.host_labels.items())


def _place(copy: Mapping[str, Any], host: Mapping[str, Any]) -> Place:
    state = copy["state"]
    drained = bool(host.get("drained"))
    told = "drained" if drained and state not in _AWAY else state
    paused = bool(host.get("paused")) and state in {"waiting", "failed"}
    reason = copy.get("reason", "") or ("warming is paused" if paused else "")
    return Place(
        host=copy["host"],
        state=state,
        counts=state not in _AWAY and not drained,
        told=f"{told} ({reason})" if reason else told,
        progress=_progress(copy) if state == "pulling" else "",
        bytes=int((copy.get("progress") or {}).get("bytes", 0)) if state == "pulling" else 0,
    )


def _progress(copy: Mapping[str, Any]) -> str:
    """How far a pull is: bytes, layers, rate, what is left."""
    progress = copy.get("progress")
    if not progress:
        return ""
    done, total = progress["bytes"], progress["total_bytes"]
    parts = [f"{_size(done)} of {_size(total)}" + (f" ({100 * done // total} %)" if total else "")]
    parts.append(f"{progress['layers_done']} of {progress['layers']} layers")
    if copy.get("rate_bytes_per_second"):
        parts.append(f"{_size(copy['rate_bytes_per_second'])}/s")
    if copy.get("remaining_seconds"):
        parts.append(f"{copy['remaining_seconds']:.0f} s left")
    return ", ".join(parts)


def _size(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.2f} GB"


def _normal(repository: str) -> str:
    """As Docker reads it: ``node`` is ``docker.io/library/node``."""
    first, slash, rest = repository.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", repository
    if first == "index.docker.io":
        first = "docker.io"
    return f"{first}/library/{rest}" if first == "docker.io" and "/" not in rest else f"{first}/{rest}"
