"""What the provider relies on, held against a server: the fake one that its tests use, or a real one with one host, and
the image ``node-jobs`` with the program of test/fleet/program.

    PYTHONPATH=src:tests python -m pytest tests/contract                                          # the fake one
    PREWARM_CONTRACT_URL=http://127.0.0.1:8470 PYTHONPATH=src:tests python -m pytest tests/contract
"""

from __future__ import annotations

import os
import re
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from play import play

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import Client, parse
from airflow_provider_prewarm.api.connection import Server
from airflow_provider_prewarm.exceptions import RequestRefused, RequestWrong
from fake_prewarm import FakePrewarm

PIN = re.compile(r".+/.+@sha256:[0-9a-f]{64}")
SLEEP = ["sleep", "1h"]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The one at PREWARM_CONTRACT_URL, with PREWARM_CONTRACT_TOKEN, if it needs one; without them the fake server."""
    url = os.environ.get("PREWARM_CONTRACT_URL")
    if url:
        yield Server(url, os.environ.get("PREWARM_CONTRACT_TOKEN", ""))
        return
    with FakePrewarm() as fake:
        fake.program = play
        yield Server(fake.url)


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server, timeout=30) as client:
        yield client


@pytest.fixture
def name() -> str:
    """A name that no other test uses, on a server that may be old: for keys, scopes and words."""
    return f"contract/{uuid.uuid4()}"


def submit(client: Client, *command: str, word: str = "", **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.send(
        calls.submit({"image": "node-jobs", "command": list(command)} | fields, word or str(time.monotonic_ns()))
    )
    return answer


def ended(client: Client, run: dict[str, Any]) -> dict[str, Any]:
    after: dict[str, Any] = client.send(calls.wait_run(run["id"], 20))
    assert after["ended"], after
    return after


def log(client: Client, run: dict[str, Any], after: int = 0, follow: bool = True) -> list[dict[str, Any]]:
    with client.lines(calls.read_log(run["id"], after, follow)) as lines:
        return [parse(line) for line in lines]


def sleeping(client: Client, **fields: Any) -> dict[str, Any]:
    """A run whose program runs, and ends with 7 when it is stopped."""
    run = submit(client, *SLEEP, **fields)
    with client.lines(calls.read_log(run["id"])) as lines:
        assert parse(next(lines))["text"] == "sleeping"
    return run


def stop(client: Client, run: dict[str, Any]) -> dict[str, Any]:
    client.send(calls.cancel_run(run["id"]))
    return ended(client, run)


def refused(client: Client, call: calls.Call) -> RequestRefused:
    with pytest.raises(RequestRefused) as told:
        client.send(call)
    return told.value


def at(text: str) -> datetime:
    """A time of the API, whose fraction has from no to nine digits."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6].ljust(6, '0')}+00:00")


class TestRuns:
    def test_from_submit_to_end(self, client: Client) -> None:
        tries: dict[str, Any] = {"try": 1, "tries": 3}
        run = submit(client, "print", "a", "b", meta={"dag": "d"}, **tries)
        assert PIN.fullmatch(run["pin"])
        assert (run["asked"], run["image"], run["ended"], run["meta"]) == (
            "node-jobs",
            "node-jobs",
            False,
            {"dag": "d"},
        )
        assert "joined" not in run or run["joined"] is False
        after = ended(client, run)
        assert (after["id"], after["state"], after["exit_code"]) == (run["id"], "succeeded", 0)
        assert (after["pin"], after["try"], after["tries"]) == (run["pin"], 1, 3)
        assert after["host"]
        assert after["log"]["complete"] is True
        assert after["log"]["lines"] == 2
        assert at(after["submitted_at"]) <= at(after["started_at"]) <= at(after["ended_at"])
        assert client.send(calls.get_run(run["id"]))["state"] == "succeeded"

    def test_exit_codes(self, client: Client) -> None:
        after = ended(client, submit(client, "exit", "3"))
        assert (after["state"], after["exit_code"], after["reason"]) == ("failed", 3, "exit_code")

    def test_results(self, client: Client) -> None:
        run = submit(client, "write", "/out/return.json", '{"rows": 42}', result="/out/return.json")
        assert ended(client, run)["result"] == {"rows": 42}

    def test_a_repeated_submit_is_the_same_run(self, client: Client, name: str) -> None:
        first = submit(client, "print", "a", word=name)
        again = submit(client, "print", "a", word=name)
        assert (again["id"], again["joined"]) == (first["id"], True)
        ended(client, first)
        assert submit(client, "print", "a", word=name)["id"] == first["id"]

    def test_a_wait_ends_with_the_run_or_the_time(self, client: Client) -> None:
        run = sleeping(client)
        begun = time.monotonic()
        assert client.send(calls.wait_run(run["id"], 1))["state"] == "running"
        assert 0.9 < time.monotonic() - begun < 5
        waited: list[dict[str, Any]] = []

        def wait() -> None:
            with Client(client.server) as other:
                waited.append(ended(other, run))

        waiter = threading.Thread(target=wait)
        waiter.start()
        client.send(calls.cancel_run(run["id"]))
        waiter.join(20)
        assert waited[0]["state"] == "canceled"

    def test_deadlines_are_the_servers(self, client: Client) -> None:
        after = ended(client, submit(client, *SLEEP, deadline="1s"))
        assert (after["state"], after["reason"], after["stop"]) == ("timed_out", "deadline_passed", "deadline")

    def test_a_submit_tells_where_people_read_the_log(self, client: Client, name: str) -> None:
        """Where the server has a public_url, as it has to have here."""
        run = submit(client, "print", "a", word=name)
        assert re.fullmatch(rf"https?://.+/runs/{run['id']}/log.*", run["link"])
        assert f"/runs/{run['id']}/log" in submit(client, "print", "a", word=name)["link"]
        ended(client, run)

    def test_lists(self, client: Client, name: str) -> None:
        run = ended(client, submit(client, "exit", "1", key=name))
        second = sleeping(client, key=name)
        assert [r["id"] for r in client.send(calls.list_runs(key=name))["runs"]] == [second["id"], run["id"]]
        assert [r["id"] for r in client.send(calls.list_runs(key=name, active="true"))["runs"]] == [second["id"]]
        page = client.send(calls.list_runs(key=name, limit=1))
        assert page["next"] == second["id"]
        stop(client, second)


class TestChecks:
    def test_a_submit_that_would_be_taken(self, client: Client, name: str) -> None:
        current = client.send(calls.get_image("node-jobs"))["tracks"][0]["current"]
        asked = {"image": "node-jobs", "key": name, "pin_scope": name, "hosts": ["etl-1"]}
        checked = client.send(calls.check_submit(asked))
        assert checked == {
            "image": "node-jobs",
            "tag": "latest",
            "pin": current["pin"],
            "hosts": ["etl-1"],
            "warm": ["etl-1"],
            "problems": [],
        }
        assert client.send(calls.list_runs(key=name))["runs"] == []
        assert refused(client, calls.get_scope(name)).code == "scope_not_found"

    def test_one_that_would_be_refused(self, client: Client, name: str) -> None:
        checked = client.send(calls.check_submit({"image": "registry.example.com/etl/other:1.0"}))
        assert (checked["image"], checked["hosts"], checked["warm"]) == ("", [], [])
        assert [problem["code"] for problem in checked["problems"]] == ["image_not_managed"]
        assert "name: other" in checked["problems"][0]["mend"]
        nowhere = client.send(calls.check_submit({"image": "node-jobs", "hosts": ["nowhere"]}))
        assert (nowhere["hosts"], [problem["code"] for problem in nowhere["problems"]]) == ([], ["no_host"])
        run = sleeping(client, key=name)
        other = client.send(calls.check_submit({"image": "node-jobs", "command": ["print"], "key": name}))
        assert other["problems"][0]["code"] == "key_conflict"
        same = client.send(calls.check_submit({"image": "node-jobs", "command": SLEEP, "key": name}))
        assert same["problems"] == []
        stop(client, run)

    def test_one_that_is_none(self, client: Client) -> None:
        assert refused(client, calls.check_submit({"image": "node-jobs", "comand": ["x"]})).code == "invalid_request"


class TestKeys:
    def test_a_run_under_way_is_joined(self, client: Client, name: str) -> None:
        first = sleeping(client, key=name)
        again = submit(client, *SLEEP, key=name, env=["AIRFLOW_CTX_TRY_NUMBER=2"], meta={"try": "2"}, priority=3)
        assert (again["id"], again["joined"]) == (first["id"], True)
        assert not again.get("differs")
        stop(client, first)

    def test_another_piece_of_work_is_a_conflict(self, client: Client, name: str) -> None:
        first = sleeping(client, key=name)
        other = {"image": "node-jobs", "command": ["print", "secret-value"], "env": ["A=1"], "key": name}
        told = refused(client, calls.submit(other, f"{name}-1"))
        assert (type(told), told.code, told.status) == (RequestWrong, "key_conflict", 409)
        assert all(word in told.detail for word in ("command", "env", first["id"]))
        assert "secret-value" not in str(told)
        joined = client.send(calls.submit(other | {"on_conflict": "join"}, f"{name}-2"))
        assert (joined["id"], joined["differs"]) == (first["id"], ["command", "env"])
        instead = client.send(calls.submit(other | {"on_conflict": "replace"}, f"{name}-3"))
        assert instead["id"] != first["id"]
        assert ended(client, first)["reason"] == "replaced"
        assert ended(client, instead)["state"] == "succeeded"

    def test_a_success_is_had_again_only_by_who_asks_for_it(self, client: Client, name: str) -> None:
        first = ended(client, submit(client, "print", "a", key=name))
        again = submit(client, "print", "a", key=name, join="success")
        assert (again["id"], again["joined"], again["state"]) == (first["id"], True, "succeeded")
        anew = submit(client, "print", "a", key=name, join="active")
        assert anew["id"] != first["id"]
        ended(client, anew)

    def test_a_success_from_before_a_new_beginning_is_not_had_again(self, client: Client, name: str) -> None:
        first = ended(client, submit(client, "print", "a", key=name))
        second = ended(client, submit(client, "exit", "1", key=name))
        third = ended(client, submit(client, "exit", "1", key=name, join="success", on_conflict="join"))
        assert [run["state"] for run in (first, second, third)] == ["succeeded", "failed", "failed"]
        assert len({run["id"] for run in (first, second, third)}) == 3

    def test_a_rejected_success_is_not_had_again(self, client: Client, name: str) -> None:
        first = ended(client, submit(client, "print", "a", key=name))
        assert client.send(calls.reject_run(first["id"]))["rejected"] is True
        anew = submit(client, "print", "a", key=name, join="success")
        assert anew["id"] != first["id"]
        ended(client, anew)

    def test_a_failure_is_never_had_again(self, client: Client, name: str) -> None:
        first = ended(client, submit(client, "exit", "1", key=name))
        second = submit(client, "exit", "1", key=name, join="success")
        assert second["id"] != first["id"]
        ended(client, second)

    def test_a_higher_epoch_ends_what_runs(self, client: Client, name: str) -> None:
        first = sleeping(client, key=name)
        second = submit(client, *SLEEP, key=name, epoch=1, join="success")
        assert (second["id"] != first["id"], second["epoch"], second["after"]) == (True, 1, first["id"])
        before = ended(client, first)
        assert (before["state"], before["reason"], before["stop"]) == ("canceled", "replaced", "new_epoch")
        lower = submit(client, *SLEEP, key=name, epoch=0, join="success")
        assert (lower["id"], lower["joined"]) == (second["id"], True)
        stop(client, second)

    def test_a_success_of_an_earlier_epoch_counts_no_more(self, client: Client, name: str) -> None:
        first = ended(client, submit(client, "print", "a", key=name))
        second = submit(client, "print", "a", key=name, epoch=1, join="success")
        assert second["id"] != first["id"]
        ended(client, second)

    def test_keys_are_no_paths(self, client: Client, name: str) -> None:
        key = f"{name}/dag é/manual__2026-11-22T00:00:00+00:00/t/-1"
        run = ended(client, submit(client, "print", "a", key=key))
        assert client.send(calls.list_runs(key=key))["runs"][0]["id"] == run["id"]


class TestLogs:
    def test_lines(self, client: Client) -> None:
        run = submit(client, "both", "3")
        lines = log(client, run)
        assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6]
        assert [line["text"] for line in lines if line["stream"] == "stdout"] == ["out 1", "out 2", "out 3"]
        assert [line["text"] for line in lines if line["stream"] == "stderr"] == ["err 1", "err 2", "err 3"]
        times = [at(line["time"]) for line in lines]
        assert sorted(set(times)) == times
        assert all(at(line["engine_time"]) for line in lines)
        assert log(client, run) == lines

    def test_a_cursor_gives_the_rest(self, client: Client) -> None:
        run = submit(client, "lines", "5", "1ms")
        lines = log(client, run)
        assert log(client, run, after=3) == lines[3:]
        assert log(client, run, after=5) == []
        assert log(client, run, after=3, follow=False) == lines[3:]

    def test_a_follower_sees_lines_while_the_program_runs(self, client: Client) -> None:
        run = sleeping(client)
        assert client.send(calls.get_run(run["id"]))["state"] == "running"
        assert [line["text"] for line in log(client, run, follow=False)] == ["sleeping"]
        stop(client, run)
        assert [line["text"] for line in log(client, run)] == ["sleeping", "terminated"]

    def test_an_ended_log_was_told_to_its_end_before_the_outcome_is_needed(self, client: Client) -> None:
        run = submit(client, "lines", "3", "100ms")
        lines = log(client, run)
        assert len(lines) == 3
        assert ended(client, run)["log"]["lines"] == 3


class TestCancel:
    def test_a_cancel_is_answered_at_once(self, client: Client) -> None:
        run = sleeping(client)
        told = client.send(calls.cancel_run(run["id"]))
        assert told["stop"] == "cancel"
        after = ended(client, run)
        assert (after["state"], after["reason"], after["exit_code"]) == ("canceled", "canceled", 7)

    def test_only_the_last_caller_cancels_by_its_word(self, client: Client, name: str) -> None:
        run = sleeping(client, key=name, word=f"{name}-1")
        assert submit(client, *SLEEP, key=name, word=f"{name}-2")["joined"] is True
        told = refused(client, calls.cancel_run(run["id"], f"{name}-1"))
        assert (told.code, told.status) == ("joined_since", 409)
        assert client.send(calls.get_run(run["id"]))["state"] == "running"
        client.send(calls.cancel_run(run["id"], f"{name}-2"))
        assert ended(client, run)["state"] == "canceled"

    def test_what_has_ended_keeps_its_outcome(self, client: Client) -> None:
        run = ended(client, submit(client, "print", "a"))
        assert client.send(calls.cancel_run(run["id"]))["state"] == "succeeded"

    def test_a_run_that_is_being_stopped_is_followed_by_a_new_one(self, client: Client, name: str) -> None:
        first = sleeping(client, key=name)
        client.send(calls.cancel_run(first["id"]))
        second = submit(client, *SLEEP, key=name, join="success")
        assert second["id"] != first["id"]
        assert ended(client, first)["state"] == "canceled"
        stop(client, second)


class TestScopes:
    def test_life(self, client: Client, name: str) -> None:
        first = submit(client, "print", "a", pin_scope=name)
        second = submit(client, "print", "a", pin_scope=name)
        assert [first["scope"], second["scope"]] == ["new", "existing"]
        assert first["pin"] == second["pin"]
        scope = client.send(calls.get_scope(name))
        assert (scope["name"], scope["live"]) == (name, True)
        assert [(pin["image"], pin["pin"]) for pin in scope["pins"]] == [("node-jobs:latest", first["pin"])]
        ended(client, first)
        ended(client, second)
        assert client.send(calls.end_scope(name))["live"] is False
        assert client.send(calls.end_scope(name))["live"] is False
        third = submit(client, "print", "a", pin_scope=name)
        assert third["scope"] == "renewed"
        ended(client, third)
        client.send(calls.end_scope(name))

    def test_repin(self, client: Client, name: str) -> None:
        run = ended(client, submit(client, "print", "a", pin_scope=name))
        moved = client.send(calls.repin(name, "node-jobs"))
        assert (moved["old"], moved["new"], moved["scope"]["name"]) == (run["pin"], run["pin"], name)
        client.send(calls.end_scope(name))

    def test_unknown_ones(self, client: Client, name: str) -> None:
        for call in (calls.get_scope(name), calls.end_scope(name), calls.repin(name, "node-jobs")):
            told = refused(client, call)
            assert (told.code, told.status) == ("scope_not_found", 404)


class TestImagesAndHosts:
    def test_image(self, client: Client) -> None:
        image = client.send(calls.get_image("node-jobs"))
        current = image["tracks"][0]["current"]
        assert (image["name"], current["phase"]) == ("node-jobs", "current")
        assert PIN.fullmatch(current["pin"])
        assert {copy["state"] for copy in current["hosts"]} == {"warm"}
        assert "node-jobs" in [each["name"] for each in client.send(calls.list_images())["images"]]
        history = client.send(calls.image_history("node-jobs", 5))
        assert current["digest"] in [rollout["digest"] for rollout in history["rollouts"]]

    def test_looking_and_warming(self, client: Client) -> None:
        current = client.send(calls.get_image("node-jobs"))["tracks"][0]["current"]
        checked = client.send(calls.check_image("node-jobs"))
        assert [(track["digest"], track["pin"]) for track in checked["tracks"]] == [(current["digest"], current["pin"])]
        assert client.send(calls.warm_image("node-jobs")) == {"image": "node-jobs", "digest": current["digest"]}

    def test_hosts(self, client: Client) -> None:
        host = client.send(calls.list_hosts())["hosts"][0]
        assert host["contact"] == "reachable"
        assert (host["name"], host["aliases"], host["binds"]) == ("etl-1", [], [])
        assert "://" in host["endpoint"]
        assert isinstance(host["labels"], dict)
        run = ended(client, submit(client, "print", "a", hosts=[host["name"]]))
        assert run["host"] == host["name"]

    def test_events(self, client: Client) -> None:
        with client.lines(calls.read_events(follow=False)) as lines:
            events = [parse(line) for line in lines]
        current = [e for e in events if (e["kind"], e["state"], e.get("image")) == ("rollout", "current", "node-jobs")]
        assert current
        assert current[-1]["digest"] == client.send(calls.get_image("node-jobs"))["tracks"][0]["current"]["digest"]
        assert [e["seq"] for e in events] == sorted({e["seq"] for e in events})
        with client.lines(calls.read_events(after=events[-2]["seq"])) as lines:
            assert parse(next(lines)) == events[-1]

    def test_health(self, client: Client) -> None:
        health = client.send(calls.health())
        assert health["status"] == "ok"
        assert health["version"]


class TestRefusals:
    def test_an_image_that_is_not_managed(self, client: Client) -> None:
        told = refused(client, calls.submit({"image": "registry.example.com/etl/other:1.0"}, ""))
        assert (told.code, told.status) == ("image_not_managed", 404)
        assert "registry.example.com/etl/other:1.0" in told.detail
        assert "name: other" in told.mend
        assert "repository: registry.example.com/etl/other" in told.mend

    @pytest.mark.parametrize("call", [calls.get_run("none"), calls.wait_run("none", 1), calls.cancel_run("none")])
    def test_an_unknown_run(self, client: Client, call: calls.Call) -> None:
        told = refused(client, call)
        assert (told.code, told.status) == ("run_not_found", 404)

    def test_the_log_of_an_unknown_run(self, client: Client) -> None:
        with pytest.raises(RequestRefused) as told, client.lines(calls.read_log("none")):
            pass
        assert told.value.code == "run_not_found"

    @pytest.mark.parametrize(
        "fields", [{"comand": ["x"]}, {"deadline": "soon"}, {"epoch": 1}, {"try": 3, "tries": 2}, {"command": "echo"}]
    )
    def test_a_wrong_field(self, client: Client, fields: dict[str, Any]) -> None:
        told = refused(client, calls.submit({"image": "node-jobs"} | fields, ""))
        assert (type(told), told.code, told.status) == (RequestWrong, "invalid_request", 422)
        assert next(iter(fields)) in told.detail

    def test_no_host_of_those_that_were_asked_for(self, client: Client) -> None:
        told = refused(client, calls.submit({"image": "node-jobs", "hosts": ["nowhere"]}, ""))
        assert (told.code, told.status) == ("no_host", 409)
        assert "no host of node-jobs can take the run: etl-1: " in told.detail

    def test_a_call_that_the_server_does_not_know(self, client: Client) -> None:
        """As an older one may not know a newer client's."""
        told = refused(client, calls.Call("GET", "/v1/nothing"))
        assert (told.code, told.status) == ("path_not_found", 404)
