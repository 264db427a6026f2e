"""Wait until images are warm, as a conversation: what to send next, and how long to wait, given the answers so far.

The operator carries it on in a worker, its trigger in an event loop; neither knows what is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.calls import Call
from airflow_provider_prewarm.api.client import AsyncClient, Client
from airflow_provider_prewarm.exceptions import ImageNotWarm, PrewarmError, RequestRefused, ServerUnavailable, refusal
from airflow_provider_prewarm.warm.warmth import Place, Standing, Want, find, newest_of, short, split, standing

# Seconds between two looks. A look is one call for each image, and one for the hosts.
LOOK = 2.0
# Seconds between two lines on one host's pull, if nothing but its bytes changed.
TELL = 10.0
# Seconds between two requests not to wait for a backoff: the registry is asked anew with each.
ASK_AGAIN = 30.0
# Seconds until a digest that is warm must be current. Longer: somebody holds promotions, or a window is shut.
PROMOTED = 10.0
# Refusals of a check that end by themselves.
_PASSING = {"registry_unavailable", "registry_limited", "registry_answer"}


class Log(Protocol):
    """The part of a logger that is used."""

    def info(self, msg: str, *args: Any) -> None: ...
    def warning(self, msg: str, *args: Any) -> None: ...


@dataclass(frozen=True)
class Wait:
    """Send nothing for so many seconds.

    :param warming: it is the images that are waited for, not the server
    """

    seconds: float
    warming: bool = False


Talk = Generator["Call | Wait", Any, Any]


def _once(call: Call) -> Talk:
    return (yield call)


def named(image: str, send: Callable[[Call], Talk] = _once) -> Generator[Call | Wait, Any, tuple[str, str | None]]:
    """The configured name and the tag that an image is written as; without a tag, None.

    :raises RequestRefused: there is no such image
    """
    name, tag = split(image)
    if "/" not in name:
        try:
            yield from send(calls.get_image(name))
            return name, tag
        except RequestRefused as e:
            if e.code != "image_not_managed":
                raise
            unknown = e
        try:
            return find(image, (yield from send(calls.list_images()))["images"])
        except RequestRefused:
            raise unknown from None  # it names the nearest
    return find(image, (yield from send(calls.list_images()))["images"])


class Ensuring:
    """Makes sure that images are warm.

    :param want: what is to be warm, and where
    :param log: where progress goes
    :param now: Unix time
    """

    def __init__(self, want: Want, log: Log, now: Callable[[], float] = time.time) -> None:
        self.want = want
        self.log = log
        self.now = now
        self._told: dict[tuple[str, str], tuple[str, float]] = {}
        # By image, pin and host: since when it fails, and the most bytes of it that were seen.
        self._failing: dict[tuple[str, str, str], float] = {}
        self._most: dict[tuple[str, str, str], int] = {}
        self._asked: dict[str, float] = {}
        self._may_ask = True
        self._warm_since: dict[str, float] = {}

    def refresh(self) -> Generator[Call | Wait, Any, dict[str, str]]:
        """Have the server look at the registry now.

        :return: by image, the digest that its tag shows
        :raises RequestRefused: the token may not ask for it, or the registry refuses
        """
        newest: dict[str, str] = {}
        for image in self.want.images:
            name, tag = yield from named(image, self._send)
            try:
                checked = yield from self._send(calls.check_image(name), _PASSING)
            except RequestRefused as e:
                if e.code != "forbidden":
                    raise
                raise refusal(
                    "forbidden",
                    f"look at {image} at the registry: the connection's token may not ({e.detail})",
                    "give it the scope warm, or leave refresh out: the server looks by itself, too",
                    e.status,
                ) from e
            digest = newest_of(checked, (yield from self._send(calls.get_image(name))), tag)
            if digest:
                newest[image] = digest
                self.log.info("%s: the registry shows %s", image, digest[:19])
            else:
                self.log.warning(
                    "%s: the server does not look at the registry for this tag any more, or sees none there: "
                    "the current digest is made sure of",
                    image,
                )
        return newest

    def wait(self) -> Generator[Call | Wait, Any, dict[str, str]]:
        """Wait until all is warm.

        :return: the pin of each image
        :raises ImageNotWarm: a host fails for good, or the time is over
        """
        names = {}
        for image in self.want.images:
            names[image] = yield from named(image, self._send)
        pins: dict[str, str] = {}
        while True:
            hosts = (yield from self._send(calls.list_hosts()))["hosts"]
            cold: dict[str, Standing] = {}
            for image in (i for i in names if i not in pins):
                name, tag = names[image]
                answer = yield from self._send(calls.get_image(name))
                at = standing(answer, tag, hosts, self.want, self.want.newest.get(image, ""))
                if self._done(image, at):
                    pins[image] = at.pin
                    continue
                cold[image] = at
                self._tell(image, at)
                yield from self._push(image, name, at)
                self._give_up(image, at)
            if not cold:
                return {image: pins[image] for image in self.want.images}
            if self.now() >= self.want.deadline:
                raise self._too_late(cold)
            yield Wait(min(LOOK, max(self.want.deadline - self.now(), 0.05)), warming=True)

    def _send(self, call: Call, passing: Collection[str] = ()) -> Talk:
        """Send a call, again and again while the server is away or busy."""
        pause, told = 1.0, False
        while True:
            try:
                return (yield call)
            except (ServerUnavailable, RequestRefused) as e:
                if isinstance(e, RequestRefused):
                    if e.status != 429 and e.code not in passing:
                        raise
                    pause = max(pause, e.retry_after)
                if self.now() + pause >= self.want.deadline:
                    raise
                if not told:
                    told = True
                    self.log.warning("%s; trying again until the timeout", e)
            yield Wait(pause)
            pause = min(2 * pause, 30.0)

    def _done(self, image: str, at: Standing) -> bool:
        if not at.enough(self.want.min_hosts):
            self._warm_since.pop(image, None)
            return False
        if not at.current:
            if image not in self.want.newest:
                return False
            since = self._warm_since.setdefault(image, self.now())
            if self.now() - since < PROMOTED and self.now() < self.want.deadline:
                return False
            self.log.warning(
                "%s: %s is warm, and not current: promotions are held, or wait for a window or for more hosts. "
                "Runs by name get the current one, those with fresh=True this one",
                image,
                short(at.pin),
            )
        away = [p for p in at.places if not p.counts]
        for place in away:
            self._line(image, place)
        if at.note:
            self.log.warning("%s: %s", image, at.note)
        self.log.info("%s: %s is warm on %s", image, short(at.pin), ", ".join(p.host for p in at.warm))
        return True

    def _tell(self, image: str, at: Standing) -> None:
        if at.note and self._told.get((image, "")) != (at.note, 0):
            self._told[image, ""] = (at.note, 0)
            self.log.warning("%s: %s", image, at.note)
        for place in at.places:
            self._line(image, place)

    def _line(self, image: str, place: Place) -> None:
        """A line on a host, if there is news of it."""
        told, when = self._told.get((image, place.host), ("", 0.0))
        if told == place.told and (not place.progress or self.now() - when < TELL):
            return
        self._told[image, place.host] = (place.told, self.now())
        text = f"{place.told}, {place.progress}" if place.progress else place.told
        log = self.log.warning if place.backing_off or not place.counts else self.log.info
        log("%s on %s: %s", image, place.host, text if place.counts else f"{text}; it is not waited for")

    def _push(self, image: str, name: str, at: Standing) -> Talk:
        """Ask the server not to wait for a backoff."""
        hosts = [p.host for p in at.counted if p.backing_off]
        if not hosts or not self._may_ask or self.now() - self._asked.get(image, 0) < ASK_AGAIN:
            return
        self._asked[image] = self.now()
        try:
            yield calls.warm_image(name, hosts)
            self.log.info("%s: asked for another try now on %s", image, ", ".join(hosts))
        except RequestRefused as e:
            if e.code != "forbidden":
                self.log.warning("%s: %s", image, e)
                return
            self._may_ask = False
            self.log.info("%s: the token has no scope warm, so the server's own next try is waited for", image)
        except ServerUnavailable as e:
            self.log.warning("%s: %s", image, e)

    def _give_up(self, image: str, at: Standing) -> None:
        """Fail where waiting is of no use."""
        if at.places and all(p.state == "no_platform" for p in at.places):
            raise _not_warm(f"{image}: no host can ever have {short(at.pin)}: {_list(at.places)}")
        lost = [p for p in at.places if self._for_good(image, at.pin, p)]
        # Hosts that are away may come back, so they are no reason to give up; those of another platform never have it.
        never = [*lost, *(p for p in at.places if p.state == "no_platform")]
        least = self.want.min_hosts
        if lost if least is None else len(at.places) - len(never) < least:
            raise _not_warm(f"{image}: {short(at.pin)} can't be made warm: {_list(lost if least is None else never)}")

    def _for_good(self, image: str, pin: str, place: Place) -> bool:
        """Whether a host has failed for so long that it will go on to; what is gone upstream was asked for again.

        A pull that got further than any before ends a time of failures. One that comes as far as the last did not: a
        disk that is full lets each begin.
        """
        key = (image, pin, place.host)
        further = place.bytes > self._most.get(key, 0)
        self._most[key] = max(place.bytes, self._most.get(key, 0))
        if place.warm or further or not place.counts:
            self._failing.pop(key, None)
            return False
        if not place.backing_off:
            return False
        since = self._failing.setdefault(key, self.now())
        gone = place.state == "gone_upstream" and (not self._may_ask or self.now() - since >= PROMOTED)
        return gone or self.now() - since >= self.want.fail_after

    def _too_late(self, cold: Mapping[str, Standing]) -> ImageNotWarm:
        told = [f"{image}: {_cold(at)}" for image, at in cold.items()]
        return _not_warm(f"not warm after {self.want.waited:.0f} s: " + "; ".join(told))


def _cold(at: Standing) -> str:
    if not at.pin:
        return at.note
    rest = [p for p in at.places if not (p.warm and p.counts)]
    return f"{short(at.pin)} is warm on {len(at.warm)} of {len(at.counted)} hosts; {_list(rest)}"


def _list(places: list[Place] | tuple[Place, ...]) -> str:
    return "; ".join(f"{p.host}: {p.told}" + (f", {p.progress}" if p.progress else "") for p in places)


def _not_warm(told: str) -> ImageNotWarm:
    return ImageNotWarm("image_not_warm", told, "prewarm status shows each host; a longer timeout= waits longer")


class NotYetError(Exception):
    """Something is not warm yet, and who carries the conversation on does not wait for it."""


def carry_on(talk: Talk, client: Client, sleep: Callable[[float], None] = time.sleep, wait: bool = True) -> Any:
    """Carry a conversation on to its end.

    :param wait: whether to wait for images
    :raises NotYetError: they would have to be waited for
    """
    answer: Any = None
    error: PrewarmError | None = None
    while True:
        try:
            step = talk.send(answer) if error is None else talk.throw(error)
        except StopIteration as end:
            return end.value
        answer, error = None, None
        if isinstance(step, Wait):
            if step.warming and not wait:
                raise NotYetError
            sleep(step.seconds)
            continue
        try:
            answer = client.send(step)
        except PrewarmError as e:
            error = e


async def acarry_on(talk: Talk, client: AsyncClient, sleep: Callable[[float], Any]) -> Any:
    """The same in an event loop."""
    answer: Any = None
    error: PrewarmError | None = None
    while True:
        try:
            step = talk.send(answer) if error is None else talk.throw(error)
        except StopIteration as end:
            return end.value
        answer, error = None, None
        if isinstance(step, Wait):
            await sleep(step.seconds)
            continue
        try:
            answer = await client.send(step)
        except PrewarmError as e:
            error = e
