"""The fake answers as docs/openapi.yaml says, and its levers do what they are for."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest

from fake_prewarm import FakePrewarm, stderr
from fake_prewarm.schema import validator

SHAPES = {
    "/v1/images": "Images",
    "/v1/images/node-jobs": "Image",
    "/v1/images/node-jobs/history": "History",
    "/v1/hosts": "Hosts",
    "/v1/runs": "Runs",
    "/healthz": "Health",
}


def test_answers_are_those_of_the_document(fake: FakePrewarm) -> None:
    with httpx.Client(base_url=fake.url) as http:
        submitted = http.post(
            "/v1/runs", json={"image": "node-jobs", "pin_scope": "etl/1", "key": "k", "epoch": 1, "deadline": "1h30m"}
        )
        assert submitted.status_code == 201
        validator("Submitted").validate(submitted.json())
        run = fake.started()
        run.line("a")
        run.end(3)
        for path, schema in SHAPES.items():
            validator(schema).validate(http.get(path).json())
        validator("Run").validate(http.get(f"/v1/runs/{run.id}").json())
        validator("LogLine").validate(http.get(f"/v1/runs/{run.id}/logs").json())
        validator("Scope").validate(http.get("/v1/scopes/etl%2F1").json())
        validator("Repinned").validate(http.post("/v1/scopes/etl%2F1/repin", json={"image": "node-jobs"}).json())
        check = http.post("/v1/runs/check", json={"image": "node-jobs", "key": "k", "epoch": 1})
        validator("RunCheck").validate(check.json())
        validator("Problem").validate(http.get("/v1/runs/none").json())
        validator("CheckResult").validate(http.post("/v1/images/node-jobs/check").json())
        validator("WarmResult").validate(http.post("/v1/images/node-jobs/warm").json())
        for line in http.get("/v1/events").text.splitlines():
            validator("Event").validate(json.loads(line))


def test_a_program_plays_each_run(fake: FakePrewarm) -> None:
    fake.program = lambda run: [f"day {run.body['command'][1]}", stderr("slow"), 3]
    with httpx.Client(base_url=fake.url) as http:
        run = http.post("/v1/runs", json={"image": "node-jobs", "command": ["import", "1"]}).json()
        ended = http.get(f"/v1/runs/{run['id']}/wait?timeout=5").json()
        log = http.get(f"/v1/runs/{run['id']}/logs?follow=true").text
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    assert [part in log for part in ('"text":"day 1"', '"stream":"stderr"')] == [True, True]


def test_line_times_increase(fake: FakePrewarm) -> None:
    httpx.post(f"{fake.url}/v1/runs", json={"image": "node-jobs"})
    run = fake.started()
    for i in range(100):
        run.line(str(i))
    run.end()
    times = [
        line.split('"time":"')[1].split('"')[0]
        for line in httpx.get(f"{fake.url}/v1/runs/{run.id}/logs").text.splitlines()
    ]
    padded = [t.rstrip("Z").ljust(26, "0") if "." in t else t.rstrip("Z") + ".000000" for t in times]
    assert sorted(set(padded)) == padded


@pytest.mark.parametrize("within", [False, True])
def test_a_cut_log_breaks_off(fake: FakePrewarm, within: bool) -> None:
    httpx.post(f"{fake.url}/v1/runs", json={"image": "node-jobs"})
    run = fake.started()
    for text in "abc":
        run.line(text)
    fake.cut_log(after=2, within_line=within)
    got: list[bytes] = []
    logs = f"{fake.url}/v1/runs/{run.id}/logs?follow=true"
    with httpx.stream("GET", logs) as answer, pytest.raises(httpx.RemoteProtocolError):
        got.extend(answer.iter_raw())
    read = b"".join(got)
    assert (read.count(b"\n"), read.endswith(b"\n")) == (2, not within)
    run.end()
    assert httpx.get(f"{fake.url}/v1/runs/{run.id}/logs?follow=true&after=2").text.count("\n") == 1


def test_it_goes_away_and_comes_back(fake: FakePrewarm) -> None:
    httpx.post(f"{fake.url}/v1/runs", json={"image": "node-jobs"})
    run = fake.started()
    broken = []

    def follow() -> None:
        try:
            httpx.get(f"{fake.url}/v1/runs/{run.id}/logs?follow=true", timeout=5)
        except httpx.HTTPError as e:
            broken.append(e)

    follower = threading.Thread(target=follow)
    follower.start()
    fake.until(lambda: len(fake.requested("GET", "/logs")) == 1)
    with fake.away():
        follower.join(5)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{fake.url}/healthz")
    assert len(broken) == 1
    assert httpx.get(f"{fake.url}/v1/runs/{run.id}").json()["state"] == "running"


def test_a_lost_answer_was_acted_on(fake: FakePrewarm) -> None:
    fake.lose_answer("POST", "/v1/runs")
    word = {"Idempotency-Key": "w"}
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{fake.url}/v1/runs", json={"image": "node-jobs"}, headers=word)
    again = httpx.post(f"{fake.url}/v1/runs", json={"image": "node-jobs"}, headers=word)
    assert (again.status_code, again.json()["joined"], len(fake.runs)) == (200, True, 1)


def test_faults_are_answered_as_often_as_told(fake: FakePrewarm) -> None:
    fake.answer(503, times=2)
    fake.answer(429, "too_many_requests", path="/v1/hosts", retry_after=7)
    assert [httpx.get(f"{fake.url}/healthz").status_code for _ in range(3)] == [503, 503, 200]
    limited = httpx.get(f"{fake.url}/v1/hosts")
    assert (limited.status_code, limited.headers["Retry-After"], limited.json()["code"]) == (
        429,
        "7",
        "too_many_requests",
    )
    fake.hang(0.2, path="/healthz")
    begun = time.monotonic()
    httpx.get(f"{fake.url}/healthz")
    assert time.monotonic() - begun >= 0.2


def test_unknown_fields_are_refused(fake: FakePrewarm) -> None:
    refused = httpx.post(f"{fake.url}/v1/runs", json={"image": "node-jobs", "comand": ["x"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
