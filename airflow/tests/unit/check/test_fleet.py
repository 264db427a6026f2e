"""Servers that do not answer everything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_prewarm.api.calls import Call
from airflow_provider_prewarm.check.find import tasks_of
from airflow_provider_prewarm.check.fleet import fleet_of
from airflow_provider_prewarm.check.load import load
from airflow_provider_prewarm.check.rules import findings
from airflow_provider_prewarm.exceptions import ServerUnavailable, refusal

from .conftest import Answers, needs_docker

TASK = 'DockerOperator(task_id="t", image="registry.test/etl/node-jobs", privileged=True, docker_url="tcp://10.0.0.11:2376")'


class Refusing(Answers):
    """One that does not check submits."""

    why: Exception

    def send(self, call: Call) -> Any:
        if call.method == "POST":
            self.checked.append(dict(call.body))
            raise self.why
        return super().send(call)


def _found(dag_file: Callable[[str], Path], sender: Answers, task: str = TASK) -> dict[str, tuple[str, str]]:
    fleet = fleet_of("http://prewarm.test", sender)
    (dag,) = load(dag_file(task)).dags
    return {f.rule: (f.severity.word, f.what) for t in tasks_of(dag, lambda _, __: 0) for f in findings(t, fleet)}


@needs_docker
@pytest.mark.parametrize(
    "why",
    [
        refusal("unknown", "POST /v1/runs/check: answered 404, not as Prewarm does", "", 404),
        refusal("forbidden", "the token has not the scope run", "", 403),
        ServerUnavailable("POST /v1/runs/check: it broke off"),
    ],
)
def test_a_submit_that_can_not_be_tried_is_not_checked(
    dag_file: Callable[[str], Path], answers: Answers, why: Exception
) -> None:
    sender = Refusing(answers.images, answers.hosts, {})
    sender.why = why
    found = _found(dag_file, sender, TASK + "\n" + TASK.replace('task_id="t"', 'task_id="u", cpus=2'))
    assert found["privileged"][0] == "unchecked"
    assert str(why) in found["privileged"][1]
    assert found["docker_url"][0] == "ok"
    assert len(sender.checked) == 1, "it is not asked again for each task"


@needs_docker
def test_a_refusal_of_the_body_is_one_of_the_task(dag_file: Callable[[str], Path], answers: Answers) -> None:
    sender = Refusing(answers.images, answers.hosts, {})
    sender.why = refusal("invalid_request", "memory: at least 6 MiB", "say more", 422)
    assert _found(dag_file, sender)["invalid_request"] == ("refused", "memory: at least 6 MiB")


@needs_docker
def test_a_server_that_tells_no_places_is_not_guessed_at(dag_file: Callable[[str], Path], answers: Answers) -> None:
    for host in answers.hosts:
        del host["aliases"]
    assert _found(dag_file, answers)["docker_url"][0] == "unchecked"


@needs_docker
def test_what_ends_by_itself_is_a_note(dag_file: Callable[[str], Path], answers: Answers) -> None:
    answers.objections = {"image": {"code": "host_unreachable", "detail": "etl-1 is not reachable"}}
    assert _found(dag_file, answers)["host_unreachable"][0] == "note"
