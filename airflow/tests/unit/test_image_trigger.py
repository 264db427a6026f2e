"""What goes live is told, each promotion once and in order, whatever restarts in between."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("airflow.sdk", reason="Airflow 2 has no asset watchers; test_image_trigger_2.py says what it gets")

from airflow_provider_prewarm.triggers import image as module
from airflow_provider_prewarm.triggers.image import PrewarmImageTrigger
from airflow_provider_prewarm.warm.promotions import Memory, due, payloads, promoted, remember
from fake_prewarm import FakePrewarm
from fake_prewarm.wire import rfc3339


def aio(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, without a plugin."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


class Store:
    """An asset's state store, which outlives triggerers. As AssetStateStoreAccessors, to its users."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.broken = 0

    async def aget(self, key: str, default: Any = None) -> Any:
        self._break()
        return self.kept.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self._break()
        self.kept[key] = json.loads(json.dumps(value))

    def _break(self) -> None:
        if self.broken:
            self.broken -= 1
            raise RuntimeError("the supervisor is gone")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPACING", 0.1)
    monkeypatch.setattr(module, "PAUSE", 0.05)


@pytest.fixture
def store() -> Store:
    return Store()


class Triggerer:
    """Runs a trigger as a triggerer does: from the database, and on at once after each event."""

    def __init__(self, store: Any, **arguments: Any) -> None:
        defaults: dict[str, Any] = {"image": "node-jobs", "poll_interval": 0.1}
        wanted = PrewarmImageTrigger(**defaults | arguments)
        path, stored = wanted.serialize()
        assert path == f"{PrewarmImageTrigger.__module__}.{PrewarmImageTrigger.__name__}"
        self.trigger = PrewarmImageTrigger(**json.loads(json.dumps(stored)))
        self.trigger.asset_state_store = store
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def run(self) -> None:
        async for event in self.trigger.run():
            self.events.put_nowait(json.loads(json.dumps(event.payload)))
        raise AssertionError("an event trigger must not end")

    async def next(self, timeout: float = 5) -> dict[str, Any]:
        return await asyncio.wait_for(self.events.get(), timeout)

    async def silent(self, seconds: float = 0.5) -> bool:
        await asyncio.sleep(seconds)
        return self.events.empty()


@asynccontextmanager
async def running(store: Any, **arguments: Any) -> AsyncIterator[Triggerer]:
    triggerer = Triggerer(store, **arguments)
    task = asyncio.create_task(triggerer.run())
    try:
        yield triggerer
    finally:
        assert not task.done(), task.exception()
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled(), "it goes on though it was cancelled"


async def kept(store: Store, rollout: str) -> None:
    """Wait until a promotion is remembered."""
    for _ in range(100):
        if any(rollout in memory["current"].values() for memory in store.kept.values()):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{rollout} is not in {store.kept}")


def rollout_of(fake: FakePrewarm, number: int = 0) -> Any:
    return fake.world.images["node-jobs"].pushed["latest"][number]


@aio
async def test_what_is_current_is_no_news_and_what_goes_live_is(fake: FakePrewarm, conn: str, store: Store) -> None:
    first = rollout_of(fake)["pin"]
    async with running(store) as triggerer:
        assert await triggerer.silent()
        pin = fake.push(content="2")
        event = await triggerer.next()
    assert event == {
        "image": "node-jobs",
        "tag": "latest",
        "pin": pin,
        "digest": pin.partition("@")[2],
        "rollout": rollout_of(fake)["id"],
        "origin": "tag",
        "promoted_at": rollout_of(fake)["promoted_at"],
        "old_pin": first,
    }


@aio
async def test_what_only_warms_is_no_news(fake: FakePrewarm, conn: str, store: Store) -> None:
    async with running(store) as triggerer:
        assert await triggerer.silent(0.3)
        pin = fake.push(content="2", warm=False)
        assert await triggerer.silent()
        fake.warm()
        assert (await triggerer.next())["pin"] == pin


@aio
async def test_the_servers_events_are_heard_at_once(fake: FakePrewarm, conn: str, store: Store) -> None:
    async with running(store, poll_interval=60) as triggerer:
        assert await triggerer.silent()
        pin = fake.push(content="2")
        assert (await triggerer.next(3))["pin"] == pin


@aio
async def test_events_are_a_hint_and_no_more(fake: FakePrewarm, conn: str, store: Store) -> None:
    fake.answer(429, "too_many_requests", times=10_000, path="/v1/events")
    async with running(store) as triggerer:
        assert await triggerer.silent(0.3)
        pin = fake.push(content="2")
        assert (await triggerer.next())["pin"] == pin


@aio
async def test_a_triggerer_that_was_away_tells_each_promotion_in_order(
    fake: FakePrewarm, conn: str, store: Store
) -> None:
    async with running(store) as triggerer:
        await kept(store, rollout_of(fake)["id"])
    pins = [fake.push(content=c) for c in "234"]
    async with running(store) as triggerer:
        assert [(await triggerer.next())["pin"] for _ in pins] == pins
        await kept(store, rollout_of(fake)["id"])
    async with running(store) as triggerer:
        assert await triggerer.silent(), "each once"


@aio
async def test_one_killed_before_its_memory_was_kept_tells_again(fake: FakePrewarm, conn: str, store: Store) -> None:
    async with running(store):
        await kept(store, rollout_of(fake)["id"])
    pin = fake.push(content="2")
    async with running(store) as triggerer:
        assert (await triggerer.next())["pin"] == pin
    async with running(store) as triggerer:
        assert (await triggerer.next())["pin"] == pin, "twice rather than never"


@aio
async def test_more_than_the_first_page_was_missed(
    fake: FakePrewarm, conn: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOME", 3)
    async with running(store):
        await kept(store, rollout_of(fake)["id"])
    pins = [fake.push(content=str(n)) for n in range(2, 9)]
    async with running(store) as triggerer:
        assert [(await triggerer.next())["pin"] for _ in pins] == pins


@aio
async def test_a_rollback_is_news(fake: FakePrewarm, conn: str, store: Store) -> None:
    old = rollout_of(fake)
    new = fake.push(content="2")
    async with running(store) as triggerer:
        await kept(store, rollout_of(fake)["id"])
        now = rfc3339(fake.clock.now())
        with fake.changed:
            rollout_of(fake)["phase"] = "rejected"
            back = old | {"id": "node-jobs-3", "phase": "current", "origin": "rollback", "promoted_at": now}
            fake.world.images["node-jobs"].pushed["latest"].insert(0, back)
        event = await triggerer.next()
    assert (event["pin"], event["old_pin"], event["origin"]) == (old["pin"], new, "rollback")


@aio
async def test_an_image_without_a_digest_is_watched_until_it_has_one(
    fake: FakePrewarm, conn: str, store: Store
) -> None:
    fake.add_image("new", pushed=False)
    async with running(store, image="new") as triggerer:
        assert await triggerer.silent(0.3)
        pin = fake.push("new", "1")
        event = await triggerer.next()
    assert event["pin"] == pin
    assert "old_pin" not in event


@aio
async def test_one_tag_or_all_of_them(fake: FakePrewarm, conn: str, store: Store) -> None:
    fake.add_image("several", tags=("1.4.2", "1.4.1"))
    other = Store()
    async with running(store, image="several") as every, running(other, image="several:1.4.2") as one:
        assert await every.silent(0.3)
        first = fake.push("several", "2", "1.4.1")
        assert (await every.next())["pin"] == first
        second = fake.push("several", "2", "1.4.2")
        assert (await every.next())["tag"] == "1.4.2"
        assert (await one.next())["pin"] == second, "and nothing of the other tag before it"


@aio
async def test_a_ref_finds_its_image(fake: FakePrewarm, conn: str, store: Store) -> None:
    async with running(store, image="registry.test/etl/node-jobs:latest") as triggerer:
        assert await triggerer.silent(0.3)
        fake.push(content="2")
        assert (await triggerer.next())["image"] == "node-jobs"


@aio
async def test_a_server_that_is_away_is_tried_for_ever(fake: FakePrewarm, conn: str, store: Store) -> None:
    async with running(store) as triggerer:
        await kept(store, rollout_of(fake)["id"])
        fake.down()
        assert await triggerer.silent()
        pin = fake.push(content="2")
        fake.up()
        assert (await triggerer.next())["pin"] == pin


@aio
async def test_an_image_that_is_not_configured_yet_is_waited_for(fake: FakePrewarm, conn: str, store: Store) -> None:
    async with running(store, image="later") as triggerer:
        assert await triggerer.silent(0.3)
        fake.add_image("later", pushed=False)
        assert await triggerer.silent(0.5)
        pin = fake.push("later", "1")
        assert (await triggerer.next())["pin"] == pin


@aio
async def test_a_store_that_fails_is_not_taken_for_an_empty_one(fake: FakePrewarm, conn: str, store: Store) -> None:
    async with running(store):
        await kept(store, rollout_of(fake)["id"])
    pin = fake.push(content="2")
    store.broken = 3
    async with running(store) as triggerer:
        assert (await triggerer.next())["pin"] == pin


@aio
async def test_what_could_not_be_kept_is_kept_later(fake: FakePrewarm, conn: str, store: Store) -> None:
    async with running(store) as triggerer:
        await kept(store, rollout_of(fake)["id"])
        store.broken = 2
        fake.push(content="2")
        await triggerer.next()
        await kept(store, rollout_of(fake)["id"])
        assert await triggerer.silent(0.3)


@aio
async def test_a_memory_that_airflow_deleted_is_written_again(fake: FakePrewarm, conn: str, store: Store) -> None:
    """As it does while no DAG names the asset: an import error is enough."""
    async with running(store) as triggerer:
        await kept(store, rollout_of(fake)["id"])
        store.kept.clear()
        assert await triggerer.silent()
    pin = fake.push(content="2")
    async with running(store) as triggerer:
        assert (await triggerer.next())["pin"] == pin


@aio
async def test_without_a_store_it_begins_with_what_is_current(fake: FakePrewarm, conn: str) -> None:
    async with running(None) as triggerer:
        assert await triggerer.silent(0.3)
        fake.push(content="2")
        await triggerer.next()
    fake.push(content="3")
    async with running(None) as triggerer:
        assert await triggerer.silent()


@aio
async def test_a_hint_at_the_moment_of_the_end_does_not_keep_it_alive(
    fake: FakePrewarm, conn: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches: list[Any] = []
    opened = module._Watch.open

    async def noted(*arguments: Any) -> Any:
        watches.append(await opened(*arguments))
        return watches[-1]

    monkeypatch.setattr(module._Watch, "open", noted)
    async with running(store, poll_interval=60) as triggerer:
        assert await triggerer.silent()
        watches[0]._heard.set()  # and the end of the block cancels it before the loop goes round


@aio
async def test_several_assets_may_share_a_trigger(fake: FakePrewarm, conn: str) -> None:
    class Several:
        def __init__(self) -> None:
            self._by_name = {"a": Store(), "b": Store()}
            self._by_uri: dict[str, Store] = {}

        async def aget(self, key: str, default: Any = None) -> Any:
            raise ValueError("Task has 2 concrete inlets and outlets")

        aset = aget

    several = Several()
    async with running(several) as triggerer:
        assert await triggerer.silent(0.3)
    assert several._by_name["a"].kept == several._by_name["b"].kept != {}
    older = dict(several._by_name["b"].kept)
    several._by_name["a"].kept.clear()  # as of an asset that came later
    pin = fake.push(content="2")
    async with running(several) as triggerer:
        assert (await triggerer.next())["pin"] == pin
        await kept(several._by_name["a"], rollout_of(fake)["id"])
        await kept(several._by_name["b"], rollout_of(fake)["id"])
    for stale, fresh in (("a", "b"), ("b", "a")):  # whose last write failed
        several._by_name[stale].kept = dict(older)
        async with running(several) as triggerer:
            assert await triggerer.silent(0.3), "it was told already"
        assert several._by_name[stale].kept == several._by_name[fresh].kept


@aio
async def test_events_are_heard_from_the_last_one_on(fake: FakePrewarm, conn: str, store: Store) -> None:
    """The server keeps thousands of them."""
    async with running(store) as triggerer:
        await kept(store, rollout_of(fake)["id"])
        fake.push(content="2")
        await triggerer.next()
        heard = len(fake.world.events)
        fake.down()
        assert await triggerer.silent(0.3)
        fake.up()
        assert await triggerer.silent(1)
        pin = fake.push(content="3")
        assert (await triggerer.next())["pin"] == pin
    afters = [int(r.query["after"]) for r in fake.requested("GET", "/v1/events")]
    assert afters[0] == 0
    assert afters[-1] == heard


@aio
async def test_an_event_that_is_none_does_not_end_the_listening(fake: FakePrewarm, conn: str, store: Store) -> None:
    fake.world.events.append({"kind": "rollout"})  # without seq
    async with running(store, poll_interval=60) as triggerer:
        await kept(store, rollout_of(fake)["id"])
        assert await triggerer.silent(0.3)
        fake.world.events[-1] = {"seq": len(fake.world.events), "kind": "host", "state": "ready"}
        pin = fake.push(content="2")
        assert (await triggerer.next())["pin"] == pin


@aio
async def test_a_foreign_value_is_no_memory(fake: FakePrewarm, conn: str, store: Store) -> None:
    store.kept["prewarm:prewarm_default:node-jobs"] = {"current": {}, "at": "noon"}
    async with running(store):
        await kept(store, rollout_of(fake)["id"])


def test_the_hash_is_that_of_the_arguments() -> None:
    def hash_of(**arguments: Any) -> int:
        return int(PrewarmImageTrigger.hash(*PrewarmImageTrigger(**arguments).serialize()))

    assert hash_of(image="node-jobs") == hash_of(image="node-jobs", poll_interval=60)
    assert hash_of(image="node-jobs") != hash_of(image="tools")
    with pytest.raises(Exception, match="is a pin"):
        PrewarmImageTrigger("registry.test/etl/node-jobs@sha256:0")


def test_a_watcher_takes_it() -> None:
    from airflow.sdk import Asset, AssetWatcher

    asset = Asset("node-jobs", watchers=[AssetWatcher(name="live", trigger=PrewarmImageTrigger("node-jobs"))])
    assert isinstance(asset.watchers[0].trigger, PrewarmImageTrigger)


def promotion(number: int, at: str, phase: str = "superseded", tag: str = "latest") -> dict[str, Any]:
    return {
        "id": f"r{number}",
        "tag": tag,
        "phase": phase,
        "promoted_at": at,
        "pin": f"repo@{number}",
        "digest": str(number),
        "origin": "tag",
    }


def test_a_clock_that_was_set_back_hides_nothing() -> None:
    rollouts = promoted(
        {"rollouts": [promotion(2, "2026-11-22T08:00:00Z", "current"), promotion(1, "2026-11-22T09:00:00.25Z")]}, None
    )
    told = Memory("2026-11-22T09:00:00.25Z", {"latest": "r1"})
    assert [r["id"] for r in due(rollouts, told)] == ["r2"]
    after = remember(rollouts, told)
    assert due(rollouts, after) == []


def test_times_are_compared_as_times() -> None:
    rollouts = promoted(
        {
            "rollouts": [
                promotion(3, "2026-11-22T10:00:00.123456789+01:00", "current"),
                promotion(2, "2026-11-22T09:00:00.1Z"),
                promotion(1, "2026-11-22T09:00:00Z"),
            ]
        },
        None,
    )
    assert [r["id"] for r in rollouts] == ["r1", "r2", "r3"]
    assert [r["id"] for r in due(rollouts, Memory("2026-11-22T09:00:00Z", {"latest": "r1"}))] == ["r2", "r3"]
    assert [p.get("old_pin") for p in payloads("i", rollouts, rollouts)] == [None, "repo@1", "repo@2"]


def test_a_memory_survives_its_store() -> None:
    memory = Memory("2026-11-22T09:00:00.25Z", {"latest": "r1", "": "r2"})
    assert Memory.of_json(json.loads(json.dumps(memory.as_json()))) == memory
    foreign: Any
    for foreign in (None, 7, [], {}, {"at": "noon", "current": {}}, {"at": "", "current": []}, {"current": {}}):
        assert Memory.of_json(foreign) is None
