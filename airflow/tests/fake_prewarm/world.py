"""What the fake server knows beside runs: images, hosts, pin scopes, events."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fake_prewarm.runs import Clock
from fake_prewarm.wire import Problem, rfc3339


def digest_of(content: str) -> str:
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


@dataclass
class FakeImage:
    """A configured image that tracks tags.

    :param warm: whether the hosts have its digests
    :param pushed: of each tag its rollouts, newest first
    :param copies: what a host's copy says instead, by host
    """

    name: str
    repository: str
    tags: tuple[str, ...] = ("latest",)
    warm: bool = True
    pushed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    copies: dict[str, dict[str, Any]] = field(default_factory=dict)

    def current(self, tag: str) -> dict[str, Any]:
        for rollout in self.pushed.get(tag, []):
            if rollout["phase"] == "current":
                return rollout
        raise Problem(
            "no_current",
            f"nothing of {self.name} has been promoted yet",
            "wait for it with --wait-warm, or see prewarm status",
        )

    def track(self, tag: str) -> str:
        return f"{self.name}:{tag}"


class World:
    """Images, hosts, scopes, events. The server holds ``changed`` around all calls."""

    def __init__(self, clock: Clock, changed: threading.Condition) -> None:
        self.clock = clock
        self.changed = changed
        self.images: dict[str, FakeImage] = {}
        self.hosts: list[dict[str, Any]] = [_host("etl-1", rfc3339(clock.now()))]
        self.scopes: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []

    def add_host(self, name: str, **fields: Any) -> dict[str, Any]:
        host = _host(name, rfc3339(self.clock.now())) | fields
        self.hosts.append(host)
        return host

    def push(self, image: FakeImage, content: str, tag: str, warm: bool) -> str:
        """Let the tag show a new digest, which is current at once where it is warm. Gives its pin."""
        digest = digest_of(f"{image.repository} {content}")
        number = sum(len(each) for each in image.pushed.values()) + 1
        rollout: dict[str, Any] = {
            "id": f"{image.name}-{number}",
            "tag": tag,
            "digest": digest,
            "pin": f"{image.repository}@{digest}",
            "phase": "warming",
            "origin": "tag",
            "seen_at": rfc3339(self.clock.now()),
            "trust": {},
        }
        image.pushed.setdefault(tag, []).insert(0, rollout)
        self.tell("rollout", "warming", image=image.name, tag=tag, digest=digest)
        if warm:
            self.promote(image, tag)
        return str(rollout["pin"])

    def promote(self, image: FakeImage, tag: str) -> None:
        """Make the newest digest of a tag current."""
        now = rfc3339(self.clock.now())
        newest, *older = image.pushed[tag]
        if newest["phase"] != "warming":
            return
        for rollout in older:
            if rollout["phase"] in {"current", "warming"}:
                rollout |= {"phase": "superseded" if rollout["phase"] == "current" else "overtaken", "ended_at": now}
        newest |= {"phase": "current", "promoted_at": now}
        self.tell("rollout", "current", image=image.name, tag=tag, digest=newest["digest"])

    def tell(self, kind: str, state: str, **fields: Any) -> None:
        """Add an event."""
        with self.changed:
            event = {
                "seq": len(self.events) + 1,
                "at": rfc3339(self.clock.now()),
                "kind": kind,
                **fields,
                "state": state,
            }
            self.events.append(event)
            self.changed.notify_all()

    def resolve(self, asked: str) -> tuple[FakeImage, str]:
        """The image that a submit names, and its tag; for repo@digest the digest."""
        for image in self.images.values():
            if asked == image.name:
                return image, image.tags[0]
            if asked.startswith(image.repository + "@"):
                return image, asked.partition("@")[2]
            for tag in image.tags:
                if asked in {f"{image.name}:{tag}", f"{image.repository}:{tag}"}:
                    return image, tag
        repository, _, _ = asked.partition(":")
        name = repository.rpartition("/")[2]
        raise Problem(
            "image_not_managed",
            f'no image of the configuration answers to "{asked}"',
            f"add it to the configuration:\nimages:\n  - name: {name}\n    repository: {repository}",
        )

    def image(self, name: str) -> FakeImage:
        if name not in self.images:
            raise Problem("image_not_managed", f'no image is called "{name}"', "prewarm images lists them")
        return self.images[name]

    def shown(self, image: FakeImage) -> dict[str, Any]:
        """An image as the API shows it."""
        tracks: list[dict[str, Any]] = []
        for tag in image.tags:
            rollouts = [self._copies(image, rollout) for rollout in image.pushed.get(tag, [])]
            current = [r for r in rollouts if r["phase"] == "current"]
            coming = [r for r in rollouts if r["phase"] == "warming"]
            tracks.append({"tag": tag, "held": [], "coming": coming} | ({"current": current[0]} if current else {}))
        mode = (
            {"mode": "tag", "tag": image.tags[0]}
            if len(image.tags) == 1
            else {"mode": "select", "chosen": list(image.tags)}
        )
        policy = {"promote_percent": 100, "straggler_seconds": 900, "keep": 3}
        return {
            "name": image.name,
            "repository": image.repository,
            "tracking": mode,
            "policy": policy,
            "tracks": tracks,
        }

    def _copies(self, image: FakeImage, rollout: dict[str, Any]) -> dict[str, Any]:
        state = "warm" if image.warm and rollout["phase"] != "warming" else "pulling"
        return rollout | {
            "hosts": [
                {"host": host["name"], "state": state, "platform": "linux/amd64"} | image.copies.get(host["name"], {})
                for host in self.hosts
            ]
        }

    def scope(self, namespace: str, name: str) -> dict[str, Any]:
        if (namespace, name) not in self.scopes:
            raise Problem("scope_not_found", f'no pin scope is called "{name}"', "prewarm scopes lists them")
        return self.scopes[namespace, name]

    def pin(self, namespace: str, scope: str, asked: str) -> tuple[FakeImage, str, str]:
        """The image of a submit, its pin, and how the submit met its scope."""
        image, tag = self.resolve(asked)
        now = rfc3339(self.clock.now())
        if tag.startswith("sha256:"):
            return image, asked, self._met(namespace, scope, now, image.name, asked) if scope else ""
        pin = str(image.current(tag)["pin"])
        if not scope:
            return image, pin, ""
        met = self._met(namespace, scope, now, image.track(tag), pin)
        held = {p["image"]: p["pin"] for p in self.scopes[namespace, scope]["pins"]}
        return image, held[image.track(tag)], met

    def _met(self, namespace: str, name: str, now: str, track: str, pin: str) -> str:
        new = {"name": name, "namespace": namespace, "live": True, "pins": [], "created_at": now}
        scope = self.scopes.setdefault((namespace, name), new)
        known = any(p["image"] == track for p in scope["pins"])
        met = "new" if not known else "existing" if scope["live"] else "renewed"
        if not known:
            scope["pins"].append({"image": track, "pin": pin, "since": now})
        scope |= {"live": True, "used_at": now}
        scope.pop("ended_at", None)
        return met

    def repin(self, namespace: str, name: str, asked: str) -> dict[str, Any]:
        image, tag = self.resolve(asked)
        current = str(image.current(tag)["pin"])
        scope = self.scope(namespace, name)
        for pin in scope["pins"]:
            if pin["image"] == image.track(tag):
                old, pin["pin"] = pin["pin"], current
                return {"scope": scope, "old": old, "new": current}
        raise Problem(
            "scope_not_found",
            f"pin scope {name} has no digest of {image.track(tag)}",
            f"prewarm scope show {name} lists what it has",
        )

    def follow_events(self, after: int, follow: bool) -> Iterator[bytes | None]:
        """As FakeRun.follow, without an end."""
        sent = after if after <= len(self.events) else 0
        while True:
            with self.changed:
                if len(self.events) <= sent and follow:
                    self.changed.wait(0.1)
                new = self.events[sent:]
            if not new and not follow:
                return
            sent += len(new)
            for event in new:
                yield json.dumps(event, separators=(",", ":")).encode() + b"\n"
            if not new:
                yield None


def _host(name: str, now: str) -> dict[str, Any]:
    return {
        "name": name,
        "endpoint": f"tcp://{name}.test:2376",
        "aliases": [],
        "labels": {"pool": "etl"},
        "binds": [],
        "contact": "reachable",
        "since": now,
        "engine": "20.10.24",
        "api_version": "1.41",
        "platform": "linux/amd64",
        "clock_offset_seconds": 0,
        "drift": {"total": 0, "last_hour": 0},
        "pulling": 0,
        "pulls": 2,
        "running": 0,
        "runs": 8,
        "memory_asked": 0,
        "cpus_asked": 0,
        "unclaimed_containers": [],
    }
