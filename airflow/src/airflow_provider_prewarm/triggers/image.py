"""Schedule DAGs when a new digest of an image goes live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import AsyncClient, parse
from airflow_provider_prewarm.api.connection import DEFAULT_CONN_ID
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.warm.ensuring import acarry_on, named
from airflow_provider_prewarm.warm.promotions import Memory, due, newest, payloads, promoted, remember
from airflow_provider_prewarm.warm.warmth import split

try:
    from airflow.triggers.base import BaseEventTrigger, TriggerEvent
except ImportError as e:
    raise ImportError(
        "PrewarmImageTrigger needs Airflow 3: Airflow 2 has no asset watchers; schedule the DAG by time there, "
        "and begin it with PrewarmEnsureOperator"
    ) from e

# Seconds between an event and its entry in the memory, and so between two events. The triggerer writes an event to the
# database within two seconds or so, and tells nobody when: remembered earlier, it could be lost; killed in between, it
# is told twice. And an event that comes while the scheduler has not yet made a DAG run of the one before starts none:
# it waits for the next event (3.3.2 queues a DAG once, with the time of the first).
SPACING = 10.0
# Seconds before a server or a store that failed is tried again, doubled up to the other.
PAUSE, LONGEST_PAUSE = 1.0, 60.0
# Promotions in one answer, at first and where more were missed.
SOME, MOST = 50, 1000


class PrewarmImageTrigger(BaseEventTrigger):
    """Fires for each digest of an image that goes live, and for an older one that a rollback makes current again.

    For an AssetWatcher::

        Asset("node-jobs", watchers=[AssetWatcher("live", trigger=PrewarmImageTrigger("node-jobs"))])

    The payload is ``image``, ``tag``, ``pin``, ``digest``, ``rollout``, ``origin``, ``promoted_at``, and ``old_pin``
    where there was one; Airflow puts it into the asset event's ``extra["payload"]``. A task runs just that digest with
    ``image="{{ (triggering_asset_events.values() | first | sort(attribute='timestamp') | last).extra.payload.pin }}"``,
    for as long as it is current or kept: a DAG run may have several events, in no certain order.

    What is current as the watcher is first seen is not news. From then on the last promotion that was told is kept in
    the asset's state store (Airflow 3.3): what went live while no triggerer ran is told later, each promotion once, in
    order, ten seconds apart, as far back as the server's history of the newest 1000 digests; killed within ten seconds
    after an event, it tells that one again. The memory stays with the asset, also while its DAGs are paused. Airflow
    deletes it where no DAG names the asset any more, be it for a minute, as with an import error: a watcher that runs
    on writes it again with its next look, one that begins then takes what is current as told.
    Below 3.3 each start of a triggerer begins anew with what is current then.

    It never ends: a server that is away is tried again for ever.

    :param image: ``node-jobs``: each tag that it tracks; ``node-jobs:1.4.2``: that one
    :param prewarm_conn_id: the connection; a token of scope ``read`` or ``run`` will do
    :param poll_interval: seconds between two looks; the server's events make a look at once, and are not relied on
    """

    def __init__(
        self, image: str, prewarm_conn_id: str = DEFAULT_CONN_ID, poll_interval: float = 60.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        split(image)  # refuses a pin, as the DAG is parsed
        self.image = image
        self.prewarm_conn_id = prewarm_conn_id
        self.poll_interval = float(poll_interval)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """For the database. Airflow tells triggers apart by it, so it is the same for the same arguments."""
        return (
            "airflow_provider_prewarm.triggers.image.PrewarmImageTrigger",
            {"image": self.image, "prewarm_conn_id": self.prewarm_conn_id, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, tell, remember, for ever."""
        told = await self._recall()
        pause = PAUSE
        watch: _Watch | None = None
        heard = 0
        try:
            while True:
                try:
                    watch = watch or await _Watch.open(self.image, self.prewarm_conn_id, heard)
                    rollouts = await watch.look(told)
                except Exception as e:  # an ended watcher would be started anew at once, and could forget
                    self.log.warning("watch %s: %s; trying again in %.0f s", self.image, e, pause)
                    await _close(watch)  # the connection may have been changed meanwhile
                    heard = watch.after if watch else heard
                    watch = None
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    continue
                pause = PAUSE
                news = [] if told is None else due(rollouts, told)
                for rollout, payload in zip(news, payloads(watch.name, rollouts, news), strict=True):
                    self.log.info("%s went live: %s", payload["image"], payload["pin"])
                    yield TriggerEvent(payload)
                    await asyncio.sleep(SPACING)
                    told = remember([rollout], told or Memory())
                    await self._keep(told)
                told = remember(rollouts, told or Memory())
                # Also where it is what it was: Airflow deletes what it keeps of an asset that no DAG names for a while,
                # with an import error, say.
                await self._keep(told)
                await watch.news(self.poll_interval)
        finally:
            await _close(watch)

    @property
    def memory_key(self) -> str:
        """Where the memory is, within the asset's state store."""
        return f"prewarm:{self.prewarm_conn_id}:{self.image}"

    async def _recall(self) -> Memory | None:
        """The newest memory, if there is any. A store that can't be read is not taken for an empty one."""
        pause = PAUSE
        while True:
            try:
                memories = []
                for store in self._stores():
                    found = await store.aget(self.memory_key)
                    memory = Memory.of_json(found)
                    if memory:
                        memories.append(memory)
                    elif found is not None:
                        self.log.warning("watch %s: %r is no memory of this watcher's", self.image, found)
                return newest(memories)
            except Exception as e:
                self.log.warning("watch %s: read its memory: %s; trying again in %.0f s", self.image, e, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _keep(self, told: Memory) -> None:
        """Remember. What could not be kept is kept after the next look."""
        for store in self._stores():
            try:
                await store.aset(self.memory_key, told.as_json())
            except Exception as e:
                self.log.warning("watch %s: keep its memory: %s", self.image, e)

    def _stores(self) -> list[Any]:
        """The stores of the assets that this trigger is for. Below 3.3 there are none."""
        store: Any = getattr(self, "asset_state_store", None)
        if store is None:
            return []
        # Several assets may share a trigger with the same arguments; a plain get is refused then.
        several = [*getattr(store, "_by_name", {}).values(), *getattr(store, "_by_uri", {}).values()]
        return several if len(several) > 1 else [store]


class _Watch:
    """One connection to the server: looks at an image, and hears when a look is worth while.

    :param after: the number of the last event that was heard
    """

    def __init__(self, client: AsyncClient, name: str, tag: str | None, after: int = 0) -> None:
        self.client = client
        self.name = name
        self.tag = tag
        self.after = after
        self._heard = asyncio.Event()
        self._ear = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, image: str, conn_id: str, after: int = 0) -> _Watch:
        # Airflow is asked for the connection, and certificates are read: neither may hold up the event loop.
        client = await sync_to_async(PrewarmHook(conn_id).get_async_conn)()
        try:
            name, tag = await acarry_on(named(image), client, asyncio.sleep)
        except BaseException:
            await client.close()
            raise
        return cls(client, name, tag, after)

    async def look(self, told: Memory | None) -> list[Mapping[str, Any]]:
        """The promotions, the oldest first: all since those that were told, as far as the server has them."""
        history = await self.client.send(calls.image_history(self.name, SOME))
        rollouts = history["rollouts"]
        known = set(told.current.values()) if told else set()
        if len(rollouts) >= SOME and told and not known & {r["id"] for r in rollouts}:
            history = await self.client.send(calls.image_history(self.name, MOST))
        return promoted(history, self.tag)

    async def news(self, timeout: float) -> None:
        """Wait for a hint, or for so many seconds."""
        heard = asyncio.create_task(self._heard.wait())
        try:
            # Not wait_for: before Python 3.12 it forgets that it was cancelled if the hint comes at that moment.
            await asyncio.wait({heard}, timeout=timeout)
        finally:
            heard.cancel()
        self._heard.clear()

    async def close(self) -> None:
        self._ear.cancel()
        try:
            await asyncio.wait({self._ear})
        finally:
            await self.client.close()

    async def _listen(self) -> None:
        pause = PAUSE
        while True:
            # Looks tell of a server that is away. An answer that is none leaves the looks, which come without a hint.
            with suppress(Exception):
                async with self.client.lines(calls.read_events(self.after)) as lines:
                    async for line in lines:
                        if not line:
                            continue
                        event = parse(line)
                        self.after, pause = event["seq"], PAUSE
                        if event.get("image") == self.name and event["state"] == "current":
                            self._heard.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


async def _close(watch: _Watch | None) -> None:
    if watch is not None:
        await watch.close()
