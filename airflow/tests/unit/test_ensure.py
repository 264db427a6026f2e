"""Images are made sure of: at once where they are warm, with progress where not, with hosts and reasons where never."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_prewarm._compat import AirflowFailException
from airflow_provider_prewarm.exceptions import ImageNotWarm, RequestRefused, RequestWrong, ServerUnavailable
from airflow_provider_prewarm.operators import ensure as operators_ensure
from airflow_provider_prewarm.operators.ensure import PrewarmEnsureOperator
from airflow_provider_prewarm.triggers.ensure import PrewarmEnsureTrigger
from airflow_provider_prewarm.warm import ensuring
from fake_prewarm import FakePrewarm

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred

PULLING = {
    "state": "pulling",
    "progress": {"bytes": 12_300_000, "total_bytes": 45_600_000, "layers_done": 3, "layers": 7},
    "rate_bytes_per_second": 4_100_000,
    "remaining_seconds": 8.1,
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensuring, "LOOK", 0.02)
    monkeypatch.setattr(ensuring, "PROMOTED", 0.2)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What the task's log says, whatever logger this Airflow has."""
    said: list[str] = []

    class Log:
        def info(self, msg: str, *args: Any) -> None:
            said.append(msg % args)

        warning = info

    monkeypatch.setattr(operators_ensure, "Ensuring", lambda want, _: ensuring.Ensuring(want, Log()))
    return lambda: said


def ensure(**arguments: Any) -> Any:
    defaults: dict[str, Any] = {"task_id": "ensure", "images": ["node-jobs"], "timeout": 5.0}
    return PrewarmEnsureOperator(**defaults | arguments)


def execute(**arguments: Any) -> Any:
    return ensure(**arguments).execute({})


def later(seconds: float, do: Any) -> None:
    threading.Timer(seconds, do).start()


def test_what_is_warm_ends_it_at_once_and_again(fake: FakePrewarm, conn: str, lines: Any) -> None:
    image = fake.add_image("several", tags=("1.4.2", "1.4.1"))
    pins = execute(images=["node-jobs", "several:1.4.1", "registry.test/etl/several:1.4.2"])
    assert pins == {
        "node-jobs": fake.world.images["node-jobs"].current("latest")["pin"],
        "several:1.4.1": image.current("1.4.1")["pin"],
        "registry.test/etl/several:1.4.2": image.current("1.4.2")["pin"],
    }
    assert execute(images="several") == {"several": image.current("1.4.2")["pin"]}
    assert not fake.requested("POST")
    assert any(line.startswith("node-jobs: sha256:") and line.endswith("is warm on etl-1") for line in lines())


def test_it_waits_for_a_pull_and_says_how_far_it_is(fake: FakePrewarm, conn: str, lines: Any) -> None:
    image = fake.world.images["node-jobs"]
    fake.add_host("etl-2")
    image.copies["etl-2"] = PULLING
    later(0.4, lambda: image.copies.clear())
    assert execute() == {"node-jobs": image.current("latest")["pin"]}
    told = [line for line in lines() if " on etl-2: " in line]
    assert told == ["node-jobs on etl-2: pulling, 12.3 MB of 45.6 MB (26 %), 3 of 7 layers, 4.1 MB/s, 8 s left"], (
        "one line, though it was looked at many times"
    )


def test_progress_is_told_again_after_a_while_and_a_change_at_once(
    fake: FakePrewarm, conn: str, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensuring, "TELL", 0.3)
    image = fake.world.images["node-jobs"]
    image.copies["etl-1"] = PULLING
    later(0.4, lambda: image.copies.update({"etl-1": {"state": "failed", "reason": "no route to the registry"}}))
    later(0.6, lambda: image.copies.clear())
    execute()
    told = [line for line in lines() if " on etl-1: " in line]
    assert [line.partition(", ")[0] for line in told] == [
        "node-jobs on etl-1: pulling",
        "node-jobs on etl-1: pulling",
        "node-jobs on etl-1: failed (no route to the registry)",
    ]


def test_a_backoff_is_ended_where_the_token_may(fake: FakePrewarm, conn: str, lines: Any) -> None:
    image = fake.world.images["node-jobs"]
    fake.add_host("etl-2")
    image.copies["etl-2"] = {"state": "failed", "reason": "connection reset", "attempts": 4}
    later(0.3, lambda: image.copies.clear())
    execute()
    asked = fake.requested("POST", "/v1/images/node-jobs/warm")
    assert [r.body for r in asked] == [{"hosts": ["etl-2"]}], "once, and for the host that waits"


def test_a_token_that_may_not_is_a_line_and_no_failure(fake: FakePrewarm, conn: str, lines: Any) -> None:
    image = fake.world.images["node-jobs"]
    image.copies["etl-1"] = {"state": "failed", "reason": "connection reset"}
    fake.answer(403, "forbidden", times=99, method="POST")
    later(0.3, lambda: image.copies.clear())
    execute()
    assert len([line for line in lines() if "no scope warm" in line]) == 1
    assert len(fake.requested("POST")) == 1


def test_the_timeout_names_hosts_and_reasons(fake: FakePrewarm, conn: str) -> None:
    image = fake.world.images["node-jobs"]
    fake.add_host("etl-2")
    fake.add_host("etl-3")
    image.copies |= {"etl-2": {"state": "failed", "reason": "denied"}, "etl-3": PULLING}
    began = time.monotonic()
    with pytest.raises(ImageNotWarm) as e:
        execute(timeout=timedelta(seconds=0.3))
    assert time.monotonic() - began < 3
    assert not isinstance(e.value, AirflowFailException), "a retry may find it warm"
    for word in ("warm on 1 of 3 hosts", "etl-2: failed (denied)", "etl-3: pulling, 12.3 MB of 45.6 MB", "timeout="):
        assert word in str(e.value)


def test_execution_timeout_counts_too(fake: FakePrewarm, conn: str) -> None:
    fake.cool()
    with pytest.raises(ImageNotWarm, match="after 0 s"):
        execute(timeout=60.0, execution_timeout=timedelta(seconds=0.2))


def test_a_host_that_fails_for_long_ends_it(fake: FakePrewarm, conn: str) -> None:
    fake.add_host("etl-2")
    fake.world.images["node-jobs"].copies["etl-2"] = {"state": "failed", "reason": "no space left"}
    with pytest.raises(ImageNotWarm, match=r"can't be made warm: etl-2: failed \(no space left\)"):
        execute(timeout=30.0, fail_after=0.1)


FAILED = {"state": "failed", "reason": "connection reset"}


def pulling(megabytes: int) -> dict[str, Any]:
    progress = {"bytes": megabytes * 10**6, "total_bytes": 10**9, "layers_done": 0, "layers": 1}
    return {"state": "pulling", "progress": progress}


@pytest.mark.parametrize("between", [pulling(50), {"state": "unreachable", "reason": "restarting"}])
def test_two_hiccups_are_no_failure(fake: FakePrewarm, conn: str, between: Any) -> None:
    copies = fake.world.images["node-jobs"].copies
    copies["etl-1"] = FAILED
    later(0.2, lambda: copies.update({"etl-1": between}))
    later(0.8, lambda: copies.update({"etl-1": FAILED}))
    later(1.0, copies.clear)
    assert execute(timeout=30.0, fail_after=0.6)


def test_a_disk_that_is_full_is_a_failure(fake: FakePrewarm, conn: str) -> None:
    """Each pull begins, and comes as far as the one before."""
    copies = fake.world.images["node-jobs"].copies
    copies["etl-1"] = pulling(50)
    for i in range(10):
        later(0.2 * i + 0.1, lambda: copies.update({"etl-1": FAILED}))
        later(0.2 * i + 0.2, lambda: copies.update({"etl-1": pulling(50)}))
    with pytest.raises(ImageNotWarm, match="can't be made warm: etl-1: failed"):
        execute(timeout=30.0, fail_after=0.6)


def test_the_failures_of_another_digest_do_not_count(fake: FakePrewarm, conn: str) -> None:
    image = fake.world.images["node-jobs"]
    image.copies["etl-1"] = FAILED
    later(0.3, lambda: fake.push(content="2"))
    later(0.8, image.copies.clear)
    assert execute(timeout=30.0, fail_after=0.6)


def test_what_is_gone_at_the_registry_ends_it_after_one_more_try(fake: FakePrewarm, conn: str) -> None:
    fake.world.images["node-jobs"].copies["etl-1"] = {"state": "gone_upstream", "reason": "no such manifest"}
    with pytest.raises(ImageNotWarm, match=r"etl-1: gone_upstream \(no such manifest\)"):
        execute(timeout=30.0)
    assert fake.requested("POST", "/warm")


def test_as_many_as_are_wanted_are_enough(fake: FakePrewarm, conn: str) -> None:
    fake.add_host("etl-2")
    fake.add_host("etl-3")
    copies = fake.world.images["node-jobs"].copies
    copies |= {"etl-2": {"state": "gone_upstream"}, "etl-3": PULLING}
    execute(min_hosts=1)
    later(0.2, lambda: copies.pop("etl-3"))
    execute(min_hosts=2)
    with pytest.raises(RequestWrong, match="min_hosts=4, and node-jobs has 3 such hosts"):
        execute(min_hosts=4)


def test_only_the_chosen_hosts_matter(fake: FakePrewarm, conn: str) -> None:
    fake.add_host("gpu-1", labels={"pool": "gpu"})
    fake.world.images["node-jobs"].copies["gpu-1"] = {"state": "waiting"}
    execute(hosts=["etl-1"])
    execute(host_labels={"pool": "etl"})
    with pytest.raises(RequestWrong, match="etl-9: not among the hosts of node-jobs, which are: etl-1, gpu-1"):
        execute(hosts=["etl-1", "etl-9"])
    with pytest.raises(RequestWrong, match="no host of node-jobs"):
        execute(host_labels={"pool": "none"})


@pytest.mark.parametrize("away", ["unreachable", "drained", "no_platform"])
def test_hosts_that_are_away_are_told_and_not_waited_for(fake: FakePrewarm, conn: str, lines: Any, away: str) -> None:
    fake.add_host("etl-2", drained=away == "drained")
    copy = {"state": "pulling"} if away == "drained" else {"state": away, "reason": "gone fishing"}
    fake.world.images["node-jobs"].copies["etl-2"] = copy
    execute()
    assert any("etl-2: " + away in line and line.endswith("it is not waited for") for line in lines())


def test_with_all_hosts_away_it_waits_for_one_to_come_back(fake: FakePrewarm, conn: str) -> None:
    copies = fake.world.images["node-jobs"].copies
    copies["etl-1"] = {"state": "unreachable", "reason": "connection refused"}
    later(0.3, lambda: copies.clear())
    assert execute()
    copies["etl-1"] = {"state": "unreachable", "reason": "connection refused"}
    with pytest.raises(ImageNotWarm, match=r"warm on 0 of 0 hosts; etl-1: unreachable \(connection refused\)"):
        execute(timeout=0.2)


def test_hosts_that_are_all_drained_are_named(fake: FakePrewarm, conn: str) -> None:
    """Warm or not."""
    fake.world.hosts[0]["drained"] = True
    with pytest.raises(ImageNotWarm, match="warm on 0 of 0 hosts; etl-1: drained"):
        execute(timeout=0.1)


def test_hosts_of_another_platform_are_no_hope(fake: FakePrewarm, conn: str) -> None:
    fake.add_host("etl-2")
    fake.add_host("arm-1")
    copies = fake.world.images["node-jobs"].copies
    copies |= {"etl-2": FAILED, "arm-1": {"state": "no_platform"}}
    with pytest.raises(ImageNotWarm, match=r"can't be made warm: etl-2: failed .*; arm-1: no_platform"):
        execute(min_hosts=2, timeout=30.0, fail_after=0.1)
    with pytest.raises(ImageNotWarm, match="can't be made warm: arm-1: no_platform"):
        execute(min_hosts=2, hosts=["etl-1", "arm-1"], timeout=30.0)


def test_a_platform_that_no_host_has_is_not_waited_for(fake: FakePrewarm, conn: str) -> None:
    fake.world.images["node-jobs"].copies["etl-1"] = {"state": "no_platform", "reason": "nothing for linux/arm64"}
    with pytest.raises(ImageNotWarm, match="no host can ever have"):
        execute(timeout=30.0)


def test_an_image_that_was_never_current_is_waited_for(fake: FakePrewarm, conn: str) -> None:
    fake.add_image("new", pushed=False)
    later(0.3, lambda: fake.push("new"))
    assert execute(images=["new"])["new"].startswith("registry.test/etl/new@sha256:")
    fake.add_image("never", pushed=False)
    with pytest.raises(ImageNotWarm, match="never: no digest is current yet"):
        execute(images=["never"], timeout=0.2)


def test_refresh_waits_for_the_newest(fake: FakePrewarm, conn: str) -> None:
    fake.push(warm=False)
    image = fake.world.images["node-jobs"]
    newest = image.pushed["latest"][0]["pin"]
    assert execute() == {"node-jobs": image.current("latest")["pin"]}, "without refresh the current one is enough"
    later(0.3, fake.warm)
    assert execute(refresh=True) == {"node-jobs": newest}
    assert len(fake.requested("POST", "/v1/images/node-jobs/check")) == 1


def test_refresh_without_the_scope_names_it(fake: FakePrewarm, conn: str) -> None:
    fake.answer(403, "forbidden", method="POST")
    with pytest.raises(RequestWrong, match="give it the scope warm"):
        execute(refresh=True)


def test_refresh_waits_out_a_registry_that_is_busy_and_fails_where_it_refuses(fake: FakePrewarm, conn: str) -> None:
    fake.answer(502, "registry_unavailable", method="POST")
    assert execute(refresh=True)
    fake.answer(502, "registry_auth", method="POST")
    with pytest.raises(RequestRefused, match="registry_auth"):
        execute(refresh=True)


def test_refresh_of_a_held_digest_says_so_and_keeps_to_current(fake: FakePrewarm, conn: str, lines: Any) -> None:
    fake.push(warm=False)
    image = fake.world.images["node-jobs"]
    newest, current = image.pushed["latest"][0], image.current("latest")
    newest |= {"phase": "held", "holds": ["approval"]}
    shown = fake.world.shown

    def with_held(one: Any) -> Any:
        answer = shown(one)
        answer["tracks"][0]["held"] = [newest]
        return answer

    fake.world.shown = with_held  # type: ignore[method-assign, assignment]
    assert execute(refresh=True) == {"node-jobs": current["pin"]}
    assert any("is held (approval)" in line for line in lines())


def test_refresh_of_a_tag_that_is_not_looked_at_says_so(fake: FakePrewarm, conn: str, lines: Any) -> None:
    """As one that leaves the configuration, whose digests are kept for a while."""
    image = fake.add_image("several", tags=("1.4.2", "1.4.1"))
    fake.answer(200, "", method="POST", path="/check", body='{"image": "several", "tracks": []}')
    assert execute(images="several:1.4.1", refresh=True) == {"several:1.4.1": image.current("1.4.1")["pin"]}
    assert any(line.startswith("several:1.4.1: the server does not look") for line in lines())


def test_warm_but_not_promoted_ends_it_with_a_word(fake: FakePrewarm, conn: str, lines: Any) -> None:
    newest = fake.push(warm=False)
    fake.world.images["node-jobs"].copies["etl-1"] = {"state": "warm"}
    assert execute(refresh=True) == {"node-jobs": newest}
    assert any("is warm, and not current" in line for line in lines())


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (["nope"], "image_not_managed"),
        (["node-jobs:9.9"], "tracks no tag 9.9; it tracks: latest"),
        (["registry.test/etl/other:latest"], "no image of the server's configuration tracks"),
        (["registry.test/etl/node-jobs@sha256:0"], "is a pin"),
        ([], "names no image"),
    ],
)
def test_wrong_names_are_told(fake: FakePrewarm, conn: str, images: list[str], told: str) -> None:
    with pytest.raises(RequestRefused, match=told):
        execute(images=images, timeout=30.0)


def test_a_server_that_is_away_is_waited_for(fake: FakePrewarm, conn: str, lines: Any) -> None:
    fake.down()
    later(0.5, fake.up)
    assert execute(timeout=10.0)
    assert len([line for line in lines() if "trying again until the timeout" in line]) == 1
    with fake.away(), pytest.raises(ServerUnavailable):
        execute(timeout=0.5)


def deferred(**arguments: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as e:
        execute(deferrable=True, **arguments)
    return e.value


def restarted(trigger: PrewarmEnsureTrigger) -> PrewarmEnsureTrigger:
    """As another triggerer gets it: from the database."""
    path, arguments = trigger.serialize()
    assert path == f"{PrewarmEnsureTrigger.__module__}.{PrewarmEnsureTrigger.__name__}"
    return PrewarmEnsureTrigger(**json.loads(json.dumps(arguments)))


def event_of(trigger: PrewarmEnsureTrigger) -> Any:
    async def first() -> Any:
        return await asyncio.wait_for(trigger.run().__anext__(), 10)

    payload = asyncio.run(first()).payload
    return json.loads(json.dumps(payload))


def test_deferrable_ends_without_deferring_where_all_is_warm(fake: FakePrewarm, conn: str) -> None:
    assert execute(deferrable=True) == {"node-jobs": fake.world.images["node-jobs"].current("latest")["pin"]}


def test_the_trigger_waits_and_a_restarted_one_goes_on(fake: FakePrewarm, conn: str) -> None:
    fake.cool()
    defer = deferred()
    assert defer.method_name == "execute_complete"
    first = restarted(defer.trigger)

    async def killed() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(first.run().__anext__(), 0.3)

    asyncio.run(killed())
    later(0.3, fake.warm)
    event = event_of(restarted(first))
    pin = fake.world.images["node-jobs"].current("latest")["pin"]
    assert ensure().execute_complete({}, event) == {"node-jobs": pin}


def test_another_tasks_event_is_not_taken(fake: FakePrewarm, conn: str) -> None:
    fake.cool()
    defer = deferred()
    kwargs = json.loads(json.dumps(defer.kwargs))
    foreign = {"want": {**kwargs["deferred"], "images": ["other"]}, "pins": {"other": "x"}}
    with pytest.raises(TaskDeferred) as again:
        ensure().execute_complete({}, foreign, **kwargs)
    assert again.value.trigger.serialize() == defer.trigger.serialize()
    fake.warm()
    pin = fake.world.images["node-jobs"].current("latest")["pin"]
    assert ensure().execute_complete({}, event_of(restarted(defer.trigger)), **kwargs) == {"node-jobs": pin}


def test_the_trigger_ends_by_itself_and_a_restart_does_not_begin_its_time_anew(fake: FakePrewarm, conn: str) -> None:
    fake.cool()
    trigger = deferred(timeout=0.6).trigger
    time.sleep(0.7)
    began = time.monotonic()
    event = event_of(restarted(trigger))
    assert time.monotonic() - began < 2
    with pytest.raises(ImageNotWarm, match="warm on 0 of 1 hosts; etl-1: pulling"):
        ensure().execute_complete({}, event)


def test_refresh_looks_once_and_the_trigger_knows_what_it_saw(fake: FakePrewarm, conn: str) -> None:
    newest = fake.push(warm=False)
    trigger = deferred(refresh=True).trigger
    later(0.2, fake.warm)
    assert event_of(restarted(trigger))["pins"] == {"node-jobs": newest}
    assert len(fake.requested("POST", "/check")) == 1


def test_a_trigger_whose_server_stays_away_says_so(fake: FakePrewarm, conn: str) -> None:
    fake.cool()
    trigger = deferred(timeout=1.0).trigger
    with fake.away():
        event = event_of(restarted(trigger))
    with pytest.raises(RequestRefused, match="unavailable"):
        ensure().execute_complete({}, event)


def test_a_trigger_that_is_not_told_the_connection_asks_again(
    fake: FakePrewarm, conn: str, without_connection: Any
) -> None:
    fake.cool()
    trigger = deferred().trigger
    fake.warm()
    without_connection(2)
    assert "pins" in event_of(restarted(trigger))
