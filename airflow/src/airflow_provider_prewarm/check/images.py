"""Image references as Docker reads them, and the entries of the configuration that they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_prewarm.check.model import Wanted

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_ID = re.compile(r"(sha256:)?[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Ref:
    """A reference, spelled out: ``node`` is repository docker.io/library/node with tag latest."""

    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


def parse(text: str) -> Ref:
    """Read a reference as Docker does.

    :raises ValueError: it is none, with why
    """
    if _ID.match(text):
        raise ValueError("it is the id of an image on one engine, not a repository")
    name, _, digest = text.partition("@")
    tag = "latest"
    if ":" in name.rsplit("/", 1)[-1]:
        name, _, tag = name.rpartition(":")
    if digest and not _DIGEST.match(digest):
        raise ValueError(f"{digest!r} is no digest")
    if not _TAG.match(tag):
        raise ValueError(f"{tag!r} is no tag")
    return Ref(repository(name), "" if digest else tag, digest)


def repository(name: str) -> str:
    """A repository with its registry. Docker takes the first part for a registry if it looks like one."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        registry, path = first, rest
    else:
        registry, path = "docker.io", name
    if registry in ("docker.io", "index.docker.io"):
        registry, path = "docker.io", path if "/" in path else f"library/{path}"
    if not all(_COMPONENT.match(part) for part in path.split("/")):
        raise ValueError(f"{name!r} is no name of a repository")
    return f"{registry}/{path}"


@dataclass(frozen=True)
class Entry:
    """An entry of the configuration.

    :param tags: that it tracks, its first one first
    :param digests: that can be run: current ones, and the one it follows
    :param current: tag → whether it has a digest that runs get
    """

    name: str
    repository: str
    mode: str
    tags: tuple[str, ...]
    digests: frozenset[str]
    current: Mapping[str, bool]

    @property
    def tagged(self) -> list[str]:
        """The names by which its tags are asked for."""
        return [f"{self.name}:{tag}" for tag in self.tags]


def entry_of(image: Mapping[str, Any]) -> Entry:
    """Read an image of ``GET /v1/images``."""
    tracking, tracks = image["tracking"], image["tracks"]
    tags = [t["tag"] for t in tracks if t.get("tag") and not t.get("leaving")]
    if tracking.get("tag") and tracking["tag"] not in tags:
        tags.insert(0, tracking["tag"])
    digests = {t["current"]["digest"] for t in tracks if t.get("current")} | {tracking.get("digest", "")}
    return Entry(
        image["name"],
        repository(image["repository"]),
        tracking["mode"],
        tuple(tags),
        frozenset(digests - {""}),
        {t.get("tag", ""): bool(t.get("current")) for t in tracks},
    )


def entries_for(ref: Ref, entries: Iterable[Entry]) -> list[Entry]:
    """Those that a reference means."""
    same = [e for e in entries if e.repository == ref.repository]
    return [e for e in same if (ref.digest in e.digests if ref.digest else ref.tag in e.tags)]


def spoken(entry: Entry, ref: Ref) -> str:
    """How a task would name what it runs now: the entry's name, with the tag where that is not its first one."""
    if ref.digest or (entry.tags and entry.tags[0] == ref.tag):
        return entry.name
    return f"{entry.name}:{ref.tag}"


def yaml_of(wanted: Sequence[Wanted], users: Mapping[Wanted, Sequence[str]], taken: Iterable[str]) -> str:
    """What to paste into the configuration, one entry for each tag. Empty for nothing."""
    if not wanted:
        return ""
    names = set(taken)
    lines = ["images:"]
    for want in sorted(set(wanted), key=lambda w: (w.repository, w.tag != "latest", w.tag, w.digest)):
        lines += [f"  # {used}" for used in _users(users.get(want, ()))]
        lines.append(f"  - name: {_name(want, names)}")
        lines.append(f"    repository: {want.repository}")
        follow = f"digest: {quoted(want.digest)}" if want.digest else f"tag: {quoted(want.tag)}"
        lines.append(f"    track: {{{follow}}}")
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A tag or a digest as YAML: 1.10 and null are texts, too."""
    plain = re.match(r"[a-zA-Z][a-zA-Z0-9._-]*\Z", text) and text.lower() not in _WORDS
    return text if plain else "'" + text.replace("'", "''") + "'"


_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def _users(users: Sequence[str]) -> list[str]:
    several = sorted(set(users))
    more = len(several) - 3
    return [", ".join(several[:3]) + (f" and {more} more" if more > 0 else "")] if several else []


def _name(want: Wanted, taken: set[str]) -> str:
    """A name that is free: the end of the repository, then with the tag, then with more of the repository."""
    parts, what = want.repository.split("/"), want.tag or want.digest[7:15]
    choices = [_plain(parts[-1]), _plain(f"{parts[-1]}-{what}"), _plain("-".join([*parts[-2:], what]))]
    choices += [_plain(f"{choices[-1][:55]}-{n}") for n in range(2, 2 + len(taken))]
    name = next(c for c in choices if c not in taken)
    taken.add(name)
    return name


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9.-]+", "-", text.lower()).strip(".-")[:63].strip(".-") or "image"
