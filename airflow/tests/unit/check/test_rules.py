"""Each rule, on tasks that Airflow has loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_prewarm.check.find import tasks_of
from airflow_provider_prewarm.check.fleet import Fleet
from airflow_provider_prewarm.check.load import load
from airflow_provider_prewarm.check.model import Finding, Task
from airflow_provider_prewarm.check.report import wanted
from airflow_provider_prewarm.check.rules import findings

from .conftest import DAGS, Answers, needs_docker

pytestmark = needs_docker


@pytest.fixture(autouse=True)
def _no_docker_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)


def _tasks(path: Path) -> list[Task]:
    loaded = load(path)
    assert loaded.errors == {}
    return [task for dag in loaded.dags for task in tasks_of(dag, lambda file, task_id: 0)]


@pytest.fixture
def found(dag_file: Callable[[str], Path], fleet: Fleet) -> Callable[..., list[tuple[str, str, str]]]:
    """What is found for one DockerOperator with these arguments: rule, severity, what."""

    def look(arguments: str, offline: bool = False) -> list[tuple[str, str, str]]:
        path = dag_file(f'DockerOperator(task_id="t", {arguments})')
        seen: list[Finding] = []
        for task in _tasks(path):
            seen += findings(task, None if offline else fleet)
        return [(f.rule, f.severity.word, f.what) for f in seen]

    return look


JOBS = 'image="registry.test/etl/node-jobs"'
BIND = '{"target": "/d", "source": "/srv/data", "type": "bind"}'


@pytest.mark.parametrize(
    ("arguments", "rule", "severity", "what"),
    [
        (JOBS, "image", "ok", "is node-jobs"),
        ('image="registry.test/etl/node-jobs:latest"', "image", "ok", "is node-jobs"),
        ('image="python:3.12"', "image", "ok", "is pythons:3.12"),
        ('image="docker.io/library/python:3.13"', "image", "ok", "is pythons"),
        ('image="registry.test/etl/soon"', "image", "note", "no digest is live yet"),
        ('image="python:3.11"', "image", "refused", "has no entry that tracks 3.11 (pythons: other tags of it)"),
        ('image="registry.test/etl/other"', "image", "refused", "has no entry in the configuration"),
        ('image="node-jobs"', "image", "changes", "docker.io/library/node-jobs:latest to Docker"),
        ('image="Node"', "image", "refused", "no name of a repository"),
        ('image="registry.test/etl/{{ params.which }}"', "image", "unchecked", "made at run time"),
        (f'{JOBS}, docker_url="tcp://10.0.0.11:2376"', "docker_url", "ok", "is host etl-1"),
        (f'{JOBS}, docker_url="https://ETL-2.internal:2376/"', "docker_url", "ok", "is host etl-2"),
        (
            f'{JOBS}, docker_url=["tcp://10.0.0.11:2376", "tcp://etl-2.internal:2376"]',
            "docker_url",
            "ok",
            "is any of the hosts etl-1, etl-2",
        ),
        (f'{JOBS}, docker_url="tcp://10.0.0.12:2376"', "docker_url", "refused", "no endpoint or alias"),
        (
            f'{JOBS}, docker_url="tcp://{{{{ var.value.host }}}}:2376"',
            "docker_url",
            "refused",
            "when the DAG is parsed",
        ),
        (f'{JOBS}, docker_url="unix://var/run/docker.sock"', "docker_url", "changes", "any of 2 hosts"),
        (
            f'{JOBS}, mounts=[{{"target": "/d", "source": "/srv/data/in", "type": "bind"}}]',
            "mounts",
            "ok",
            "declared by host etl-1",
        ),
        (
            f'{JOBS}, mounts=[{{"target": "/d", "source": "/srv/database", "type": "bind"}}]',
            "mounts",
            "refused",
            "no host",
        ),
        (
            f'{JOBS}, docker_url="etl-2.internal:2376", mounts=[{BIND}]',
            "mounts",
            "refused",
            "no host that may take the run declares it",
        ),
        (
            f'{JOBS}, mounts=[{{"target": "/s", "source": "/var/run/docker.sock", "type": "bind"}}]',
            "mounts",
            "refused",
            "is the engine itself",
        ),
        (f'{JOBS}, mounts=[{{"target": "/c", "source": "cache"}}]', "mounts", "changes", "each of 2 hosts has its own"),
        (
            f'{JOBS}, mounts=[{{"target": "/c", "source": "a", "driver_config": {{"Name": "nfs"}}}}]',
            "mounts",
            "refused",
            "driver_config",
        ),
        (
            f'{JOBS}, mounts=[{{"target": "/d", "source": "/d/{{{{ ds }}}}", "type": "bind"}}]',
            "mounts",
            "unchecked",
            "made at run time",
        ),
        (
            f'{JOBS}, retrieve_output=True, retrieve_output_path="/o.pkl"',
            "retrieve_output",
            "refused",
            "unpickled from /o.pkl",
        ),
        (f'{JOBS}, retrieve_output_path="/o.pkl"', "retrieve_output_path", "note", "no effect"),
        (f"{JOBS}, xcom_all=True", "xcom_all", "note", "xcom_max_bytes"),
        (f'{JOBS}, host_tmp_dir="/mnt"', "host_tmp_dir", "note", "a volume on the run's host"),
        (f'{JOBS}, tmp_dir="/work"', "mount_tmp_dir", "note", "/work is a volume"),
        (f"{JOBS}, force_pull=True", "force_pull", "note", "another digest than that of the other tasks"),
        (f'{JOBS}, private_environment={{"P": "x"}}', "private_environment", "note", "is *** in the log"),
        (f'{JOBS}, auto_remove="never"', "auto_remove", "note", "is removed"),
        (f'{JOBS}, container_name="jobs"', "container_name", "note", "alias"),
        (f"{JOBS}, port_bindings={{8080: 80}}", "port_bindings", "note", "host that the run is placed on"),
        (f"{JOBS}, timeout=600", "timeout", "note", "ignored"),
        (f'{JOBS}, api_version="auto"', "api_version", "note", "ignored"),
        (f'{JOBS}, docker_conn_id="r"', "docker_conn_id", "note", "for registry.test"),
        (f"{JOBS}, tls_verify=False", "tls_verify", "note", "ignored"),
        (f'{JOBS}, tls_ca_cert="/c", tls_client_cert="/c", tls_client_key="/k"', "tls_client_key", "note", "ignored"),
        (f"{JOBS}, privileged=True", "not_allowed", "refused", "does not allow privileged"),
        (f'{JOBS}, network_mode="host"', "not_allowed", "refused", "does not allow network host"),
        (f'{JOBS}, mem_limit="lots"', "mem_limit", "refused", "is no size"),
        (f"{JOBS}, environment={{'A': None}}", "environment", "refused", "has no value"),
    ],
)
def test_each_parameter(found, arguments: str, rule: str, severity: str, what: str) -> None:
    mine = [(s, w) for r, s, w in found(arguments) if r == rule]
    assert any(s == severity and what in w for s, w in mine), found(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        JOBS,
        f'{JOBS}, auto_remove="force", mount_tmp_dir=False, environment={{"A": "{{{{ ds }}}}"}}, command="{{{{ 1 }}}}"',
        f'{JOBS}, user=0, cpus=2, mem_limit="1g", skip_on_exit_code=99, dns=["10.0.0.2"], tty=True',
        f'{JOBS}, entrypoint="", command="{{{{ params.what }}}}"',
        f'{JOBS}, private_environment={{"P": "x"}}, do_xcom_push=False',
        f'{JOBS}, network_mode=None, hostname="a", labels=["b"], shm_size=1 << 26',
    ],
)
def test_nothing_is_said_of_what_stays(found, arguments: str) -> None:
    said = [f for f in found(arguments) if f[1] != "ok"]
    assert said == []


def test_arguments_that_are_results_of_other_tasks(dag_file: Callable[[str], Path], fleet: Fleet) -> None:
    path = dag_file(
        f'a = DockerOperator(task_id="a", {JOBS})\n'
        'DockerOperator(task_id="b", image=a.output, mounts=a.output, environment={"A": a.output}, command=a.output)'
    )
    _, b = _tasks(path)
    assert {f.rule: f.severity.word for f in findings(b, fleet)} == {"image": "unchecked", "mounts": "unchecked"}


def test_an_argument_of_a_strange_type_hides_nothing(found) -> None:
    said = found(f"{JOBS}, mounts=7, force_pull=True")
    assert [w for _, s, w in said if s == "unchecked"] == [
        "hosts: could not be looked at: TypeError: 'int' object is not iterable"
    ]
    assert ("force_pull", "note") in [(r, s) for r, s, _ in said]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (JOBS, "image"),
        (f'{JOBS}, docker_url="tcp://10.0.0.11:2376"', "docker_url"),
        (f'{JOBS}, mounts=[{{"target": "/d", "source": "/srv/data", "type": "bind"}}]', "mounts"),
        (f'{JOBS}, mounts=[{{"target": "/d", "source": "cache"}}]', "mounts"),
        (f"{JOBS}, privileged=True", "privileged"),
        (f'{JOBS}, cap_add=["SYS_ADMIN"]', "cap_add"),
        (f'{JOBS}, network_mode="container:db"', "network_mode"),
        (f'{JOBS}, ipc_mode="host"', "ipc_mode"),
        (f'{JOBS}, private_environment={{"P": "x"}}, do_xcom_push=False', "private_environment"),
    ],
)
def test_what_needs_a_server_is_not_guessed_without_one(found, arguments: str, rule: str) -> None:
    said = found(arguments, offline=True)
    assert {s for r, s, _ in said if r == rule} == {"unchecked"}
    assert {s for _, s, _ in said} == {"unchecked"}


def test_the_environment_of_the_process_counts_where_the_task_says_nothing(
    found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.11:2376")
    assert ("docker_url", "ok", "$DOCKER_HOST (tcp://10.0.0.11:2376) is host etl-1") in found(JOBS)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.99:2376")
    assert [s for r, s, _ in found(JOBS) if r == "docker_url"] == ["note"]


def test_no_value_of_a_variable_and_no_command_leaves_the_machine(found, answers: Answers) -> None:
    found(
        f'{JOBS}, command="run Zq7Xw9Kp", environment={{"A": "Zq7Xw9Kp"}}, private_environment={{"P": "Zq7Xw9Kp"}}, docker_url="tcp://10.0.0.11:2376"'
    )
    (body,) = answers.checked
    assert "Zq7Xw9Kp" not in str(body)
    assert [s["name"] for s in body["secret_env"]] == ["P"]
    assert body["hosts"] == ["etl-1"]


def test_each_submit_is_asked_about_once(found, answers: Answers) -> None:
    found(JOBS)
    found(JOBS)
    assert len(answers.checked) == 1


def _by_task(name: str, fleet: Fleet | None) -> dict[str, list[Finding]]:
    by: dict[str, list[Finding]] = {}
    for task in _tasks(DAGS / name):
        by.setdefault(task.task_id, []).extend(findings(task, fleet))
    return by


def test_mapped_tasks(fleet: Fleet) -> None:
    by = _by_task("mapped.py", fleet)
    assert all(any("privileged" in f.what for f in of) for of in by.values()), "default_args reach mapped tasks, too"
    assert [f.what for f in by["images"] if f.rule == "image"] == [
        "is node-jobs",
        "registry.test/etl/other:2 has no entry in the configuration of Prewarm",
    ]
    assert [f.severity.word for f in by["from_xcom"] if f.rule == "docker_url"] == ["unchecked"]
    assert [f.what for f in by["any"] if f.rule == "mapped"] == [
        "expand_kwargs: which parameters it replaces, and with what, is known at run time only"
    ]
    assert any("Strict could not be made" in f.what for f in by["strict"])
    assert not [f for name in ("commands", "dicts") for f in by[name] if f.severity.word == "unchecked"]


def test_subclasses(fleet: Fleet) -> None:
    by = _by_task("subclass.py", fleet)
    assert [f.severity.word for f in by["quiet"]] == ["ok"]
    deep = {f.rule: (f.severity.word, f.what) for f in by["deep"]}
    assert deep["use cli"][0] == "refused"
    assert "Deep._run_image uses cli" in deep["use cli"][1]
    assert "subclass.py:28" in deep["use cli"][1]
    assert deep["override _run_image"][0] == "refused"
    assert deep["override on_kill"][0] == "changes"
    assert deep["override execute"][0] == "note"
    assert [(r, s) for r, (s, _) in deep.items() if r.startswith("name ")] == [("name key", "changes")]
    assert "override format_command" not in deep, "PrewarmDockerOperator calls it as DockerOperator does"


def test_what_has_no_counterpart(fleet: Fleet) -> None:
    by = _by_task("others.py", fleet)
    assert {name: max(f.severity for f in of).word for name, of in by.items()} == {
        "square": "changes",
        "squares": "changes",
        "service": "changes",
    }
    assert "placement → hosts and host_labels" in next(f.do for f in by["service"] if f.rule == "swarm")
    assert not [f for f in by["squares"] if f.rule == "mapped"]


def test_more_mapped_values_than_are_looked_at_are_told(dag_file: Callable[[str], Path], fleet: Fleet) -> None:
    path = dag_file(
        f'DockerOperator.partial(task_id="t", {JOBS}).expand(command=["a"] * 201)\n'
        f'DockerOperator.partial(task_id="u", {JOBS}).expand(command=["a"] * 200)\n'
        f'DockerOperator.partial(task_id="v", entrypoint="", {JOBS}).expand(command=t.output)'.replace(
            "t.output", 'DockerOperator(task_id="w", image="registry.test/etl/node-jobs").output'
        )
    )
    said = {(t.task_id, f.severity.word, f.what) for t in _tasks(path) for f in findings(t, fleet) if f.severity}
    assert said == {("t", "unchecked", "of 201 values of command only the first 200 were looked at")}


MOVED = """
from airflow_provider_prewarm.operators.docker import PrewarmDockerOperator
PrewarmDockerOperator(task_id="t", image="{image}")
"""


@pytest.mark.parametrize(
    ("name", "severity", "what"),
    [
        ("node-jobs", "ok", "is node-jobs"),
        ("node-jobs:latest", "ok", "is node-jobs"),
        ("pythons", "refused", "pythons is asked for as pythons:latest, which the entry pythons does not track"),
        ("pythons:3.12", "ok", "is pythons:3.12"),
    ],
)
def test_an_entrys_name_is_judged_as_the_operator_asks_for_it(
    dag_file: Callable[[str], Path], fleet: Fleet, name: str, severity: str, what: str
) -> None:
    (task,) = _tasks(dag_file(MOVED.format(image=name)))
    (said,) = [f for f in findings(task, fleet) if f.rule == "image"]
    assert (said.severity.word, what in said.what) == (severity, True), said
    assert wanted(task, fleet) is None, "the entry is there"


def test_what_the_server_says_of_an_image_is_told_unless_it_is_said_already(found, answers: Answers) -> None:
    answers.objections = {"image": {"code": "tag_not_found", "detail": "the registry has no such tag"}}
    assert ("tag_not_found", "refused", "the registry has no such tag") in found(JOBS)
    assert not [r for r, _, _ in found('image="python:3.11"') if r == "tag_not_found"]
    assert not [r for r, _, _ in found('image="{{ params.image }}"') if r == "tag_not_found"]


BESIDE = """
class Mixin:
    def look(self):
        return self.cli.version()
    def execute(self, context):
        return "never called"
class Ours(DockerOperator, Mixin):
    def execute(self, context):
        self.container = None
        self.hook = None
        return [super(Ours, self).execute(context) for _ in range(2)]
class Twice(DockerOperator):
    def execute(self, context):
        super().execute(context)
        return super().execute(context)
class Once(DockerOperator):
    def execute(self, context):
        for name in ("A", "B"):
            self.environment[name] = "1"
        return super().execute(context)
Ours(task_id="ours", image="registry.test/etl/node-jobs")
Twice(task_id="twice", image="registry.test/etl/node-jobs")
Once(task_id="once", image="registry.test/etl/node-jobs")
"""


def test_what_classes_set_and_do_more_than_once(dag_file: Callable[[str], Path], fleet: Fleet) -> None:
    by = {t.task_id: {f.rule: f.severity.word for f in findings(t, fleet)} for t in _tasks(dag_file(BESIDE))}
    assert by["ours"] == {
        "image": "ok",
        "override execute": "note",
        "use cli": "refused",
        "set hook": "refused",
        "set container": "changes",
        "several runs": "changes",
    }
    assert by["twice"]["several runs"] == "changes"
    assert by["once"] == {"image": "ok", "override execute": "note"}
