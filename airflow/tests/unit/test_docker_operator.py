"""PrewarmDockerOperator in DAGs, in users' subclasses, and against a server."""

from __future__ import annotations

import inspect
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import pytest
from tasks import context

from airflow_provider_prewarm import known_hosts
from airflow_provider_prewarm._compat import AirflowException, AirflowFailException, AirflowSkipException
from airflow_provider_prewarm.exceptions import ContainerFailed, ContainerSkipped, RequestWrong, ServerUnavailable
from airflow_provider_prewarm.operators.docker import PrewarmDockerOperator
from airflow_provider_prewarm.runs import earlier
from fake_prewarm import FakePrewarm, FakeRun, Line

try:
    from airflow.sdk import DAG
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # up to 3.1, and 2.11
    from airflow.exceptions import TaskDeferred
    from airflow.models.dag import DAG

IMAGE = "registry.test/etl/node-jobs"


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    known_hosts.forget()
    monkeypatch.delenv("DOCKER_HOST", raising=False)


Told = Callable[[], str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Iterator[Told]:
    """What the task's log says: it goes to standard output here, or, before 3.2, through a logger of Airflow's own."""
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("airflow.task")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield lambda: "\n".join(records) or capsys.readouterr().out
    log.removeHandler(handler)


def a_dag(dag_id: str = "etl", **more: Any) -> DAG:
    return DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), **more)


def operator(kind: type = PrewarmDockerOperator, /, **more: Any) -> Any:
    return kind(**{"task_id": "import", "image": IMAGE, "airflow_env": False, "reconnect_timeout": 5} | more)


def run(op: Any, **more: Any) -> Any:
    """Execute a task as Airflow does, once its templates are rendered."""
    return type(op).execute.__wrapped__(op, context(op, **more))


def body_of(fake: FakePrewarm) -> dict[str, Any]:
    body: dict[str, Any] = fake.requested("POST", "/v1/runs")[-1].body
    return body


def prints(*lines: Any) -> Any:
    return lambda _: lines


# A DAG and its parse.


def test_default_args_reach_all_parameters(conn: str) -> None:
    defaults = {
        "image": IMAGE,
        "environment": {"A": "1"},
        "auto_remove": "force",
        "mount_tmp_dir": False,
        "wait_warm": 5,
        "result_path": "/r.json",
        "prewarm_conn_id": "other",
        "skip_on_exit_code": 9,
        "owner": "me",
        "retries": 3,
    }
    with a_dag(default_args=defaults):
        op: Any = PrewarmDockerOperator(task_id="t")  # type: ignore[call-arg]
    assert (op.image, op.environment, op.auto_remove, op.mount_tmp_dir) == (IMAGE, {"A": "1"}, "force", False)
    assert (op.wait_warm, op.result_path, op.prewarm_conn_id) == (5, "/r.json", "other")
    assert (op.skip_on_exit_code, op.owner, op.retries) == ([9], "me", 3)


def test_default_args_reach_a_subclass_that_names_nothing(conn: str) -> None:
    class Ours(PrewarmDockerOperator):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)

    with a_dag(default_args={"image": IMAGE, "environment": {"A": "1"}, "deferrable": True}):
        op = Ours(task_id="t", cpus=2.0)
    assert (op.image, op.environment, op.deferrable, op.cpus) == (IMAGE, {"A": "1"}, True, 2.0)


def test_it_defers_only_where_it_says_so(conn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert operator().deferrable is False
    assert operator(deferrable=True).deferrable is True


def test_an_unknown_parameter_is_refused(conn: str) -> None:
    with pytest.raises((TypeError, AirflowException), match="cpu_limit"):  # the latter in 2.11
        operator(cpu_limit=2)


def test_partial_and_expand(conn: str) -> None:
    with a_dag():
        mapped = PrewarmDockerOperator.partial(task_id="t", image=IMAGE, auto_remove="success", cpus=2).expand(
            command=["echo a", "echo b"], environment=[{"A": "1"}]
        )
    op = mapped.unmap({"command": "echo a", "environment": {"A": "1"}})
    assert isinstance(op, PrewarmDockerOperator)
    assert (op.command, op.environment, op.image, op.cpus) == ("echo a", {"A": "1"}, IMAGE, 2)
    assert op.run_spec({})["command"] == ["echo", "a"]


def test_the_output_of_another_task_is_taken(conn: str) -> None:
    with a_dag():
        first = operator(task_id="first", command="echo 1")
        second = operator(task_id="second", command=first.output, environment={"A": first.output, "B": "1"})
    assert second.upstream_task_ids == {"first"}


def test_templates_are_rendered_mounts_of_docker_types_too(conn: str) -> None:
    types = pytest.importorskip("docker.types")
    op = operator(
        command="echo {{ ds }}",
        environment={"DAY": "{{ ds }}"},
        container_name="import-{{ ds }}",
        network_mode="etl",
        mounts=[types.Mount("/data", "/srv/{{ ds }}", type="bind"), {"target": "/v", "source": "v-{{ ds }}"}],
    )
    op.render_template_fields({"ds": "2026-11-22"})
    made = op.run_spec({})
    assert made["command"] == ["echo", "2026-11-22"]
    assert "DAY=2026-11-22" in made["env"]
    assert made["network_aliases"] == ["import-2026-11-22"]
    assert made["mounts"] == [
        {"type": "bind", "source": "/srv/2026-11-22", "target": "/data"},
        {"type": "volume", "source": "v-2026-11-22", "target": "/v"},
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"retrieve_output": True}, "task import: retrieve_output: .*result_path"),
        ({"mounts": [{"target": "/d", "source": "v", "driver_config": {"Name": "nfs"}}]}, "mounts.0..driver_config"),
        ({"mem_limit": "2x"}, "mem_limit: '2x' is no size"),
        ({"entrypoint": "", "command": ""}, "entrypoint: an empty one takes the image's entrypoint away"),
        ({"auto_remove": True}, "Invalid `auto_remove` value True"),
        ({"port_bindings": {1: 1}, "network_mode": "host"}, "Port bindings is not supported in the host network mode"),
    ],
)
def test_what_can_only_fail_fails_at_parse(conn: str, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        operator(**arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"environment": {"A": None, "B": "{{ ds }}"}}, "environment..A"),
        ({"private_environment": {"A": None}}, "private_environment..A"),
        ({"command": ["a", None]}, "command.1"),
        ({"mounts": [{"target": "/d", "source": None, "type": "bind"}]}, "mounts.0..source"),
        ({"image": None}, "image"),
    ],
)
def test_none_may_be_a_variable_of_the_worker_and_fails_there_only(
    fake: FakePrewarm, conn: str, arguments: dict[str, Any], text: str
) -> None:
    op = operator(**arguments)
    with pytest.raises(RequestWrong, match=text):
        run(op)
    assert fake.runs == []


@pytest.mark.parametrize("command", ["{{ params.what }}", ["{{ params.what }}"], "jobs/run.sh"])
def test_an_empty_entrypoint_waits_for_a_command_that_is_a_template(conn: str, command: Any) -> None:
    op = operator(entrypoint="", command=command)
    op.command = "node a.js"  # as rendered
    made = op.run_spec({})
    assert (made["entrypoint"], made["command"]) == (["node"], ["a.js"])


def test_a_strange_docker_url_fails_at_parse(fake: FakePrewarm, conn: str) -> None:
    fake.add_host("etl-2", endpoint="tcp://10.0.0.12:2376", aliases=["tcp://etl-2.internal:2375"])
    operator(docker_url="tcp://etl-2.internal:2375/")
    operator(docker_url=["http://10.0.0.12:2376", "tcp://etl-2.internal:2375"])
    operator(docker_url="unix://var/run/docker.sock")
    with pytest.raises(ValueError, match="task import: docker_url: tcp://old:2375 is no host of Prewarm's"):
        operator(docker_url="tcp://old:2375")
    with pytest.raises(ValueError, match="tcp://old:2375 is no host"):
        operator(docker_url=["tcp://etl-2.internal:2375", "tcp://old:2375"])
    assert len(fake.requested("GET", "/v1/hosts")) == 1


def test_a_bind_that_no_host_declares_fails_at_parse(fake: FakePrewarm, conn: str) -> None:
    fake.add_host("etl-2", binds=["/srv/data"])
    operator(mounts=[{"target": "/d", "source": "/srv/data/in", "type": "bind"}])
    operator(mounts=[{"target": "/d", "source": "/home/{{ params.who }}", "type": "bind"}])
    with pytest.raises(ValueError, match=r"the folder /home/airflow, or one above it, .*`binds`"):
        operator(mounts=[{"target": "/d", "source": "/home/airflow", "type": "bind"}])


def test_nothing_is_asked_where_nothing_is_said_of_places(fake: FakePrewarm, conn: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://old:2375")
    operator(command="echo", mounts=[{"target": "/d", "source": "v"}])
    operator(docker_url="unix:///var/run/docker.sock")
    assert fake.requested("GET", "/v1/hosts") == []


@pytest.mark.parametrize("why", ["no connection", "away", "setting"])
def test_the_check_is_left_to_the_task_where_it_can_t_be_made(
    fake: FakePrewarm, conn: str, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "no connection":
        monkeypatch.delenv("AIRFLOW_CONN_PREWARM_DEFAULT")
    if why == "setting":
        monkeypatch.setenv("AIRFLOW__PREWARM__CHECK_AT_PARSE", "False")
    if why == "away":
        fake.down()
    op = operator(docker_url="tcp://old:2375")
    operator(docker_url="tcp://old:2375")
    if why == "no connection":
        monkeypatch.setenv("AIRFLOW_CONN_PREWARM_DEFAULT", json.dumps(fake.connection()))
    if why == "away":
        fake.up()
    with pytest.raises(RequestWrong, match="tcp://old:2375 is no host of Prewarm's") as refused:
        run(op)
    assert isinstance(refused.value, AirflowFailException)  # no retry
    assert fake.runs == []


def test_a_server_that_hangs_costs_a_parse_two_seconds_once(fake: FakePrewarm, conn: str, monkeypatch: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv(
            "AIRFLOW_CONN_PREWARM_DEFAULT", f'{{"conn_type": "prewarm", "host": "127.0.0.1", "port": {port}}}'
        )
        monkeypatch.setattr(known_hosts, "LIMIT", 0.2)
        began = time.monotonic()
        for _ in range(20):
            operator(docker_url="tcp://old:2375")
        assert time.monotonic() - began < 2


def test_a_server_that_answers_a_byte_at_a_time_does_not_hold_a_parse_up(conn: str, monkeypatch: Any) -> None:
    def drip(listener: socket.socket) -> None:
        with suppress(OSError):
            client, _ = listener.accept()
            while True:
                client.sendall(b"H")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as slow:
        threading.Thread(target=drip, args=(slow,), daemon=True).start()
        connection = {"conn_type": "prewarm", "host": "127.0.0.1", "port": slow.getsockname()[1]}
        monkeypatch.setenv("AIRFLOW_CONN_PREWARM_DEFAULT", json.dumps(connection))
        monkeypatch.setattr(known_hosts, "LIMIT", 0.3)
        began = time.monotonic()
        operator(docker_url="tcp://old:2375")
        assert time.monotonic() - began < 1


def test_no_task_fails_to_begin_for_hosts_that_have_changed(
    fake: FakePrewarm, conn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Airflow sets these around the parse that a task begins with.
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "etl")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "other")
    op = operator(docker_url="tcp://old:2375")
    assert fake.requested("GET", "/v1/hosts") == []
    with pytest.raises(RequestWrong, match="tcp://old:2375 is no host of Prewarm's"):
        run(op)


# Subclasses.


def test_a_subclass_may_set_attributes_and_override_execute(fake: FakePrewarm, conn: str) -> None:
    fake.program = prints("done", 0)

    class Ours(PrewarmDockerOperator):
        def __init__(self, job: str, **kwargs: Any) -> None:
            super().__init__(image=f"{IMAGE}", **kwargs)
            self.job = job
            self.environment = {**self.environment, "JOB": job}
            self._private_environment["TOKEN"] = "t0psecret"
            self.auto_remove = "force"
            self.mounts = [*self.mounts, {"target": "/d", "source": "jobs"}]

        def execute(self, context: Any) -> Any:
            self.command = f"node {self.job}.js"
            return f"{super().execute(context)} {self.image} {self.docker_url} {self.container_name}"

    op = Ours(task_id="t", job="import", airflow_env=False)
    assert run(op) == f"done {IMAGE} unix://var/run/docker.sock None"
    body = body_of(fake)
    assert body["command"] == ["node", "import.js"]
    assert body["env"] == ["JOB=import", "AIRFLOW_TMP_DIR=/tmp/airflow"]
    assert body["secret_env"] == [{"name": "TOKEN", "value": "t0psecret"}]
    assert body["mounts"] == [{"type": "volume", "source": "jobs", "target": "/d"}]


def test_a_subclass_that_sets_docker_url_means_it(fake: FakePrewarm, conn: str) -> None:
    class Ours(PrewarmDockerOperator):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.docker_url = "tcp://old:2375"

    with pytest.raises(RequestWrong, match="tcp://old:2375 is no host"):
        run(operator(Ours))


def test_a_subclass_may_have_its_own_reading_of_commands_and_files(fake: FakePrewarm, conn: str) -> None:
    class Ours(PrewarmDockerOperator):
        @staticmethod
        def format_command(command: Any) -> Any:
            return ["ours", *command.split("+")] if command else None

        @staticmethod
        def unpack_environment_variables(env_str: str) -> dict:
            return dict(line.split(":") for line in env_str.split(","))

    made = operator(Ours, command="a'+b", env_file="A:1,B:2").run_spec({})
    assert made["command"] == ["ours", "a'", "b"]
    assert made["env"][:2] == ["A=1", "B=2"]


@pytest.mark.parametrize("name", ["_run_image", "_run_image_with_mounts", "_attempt_to_retrieve_result"])
def test_a_method_that_would_never_be_called_is_refused(conn: str, name: str) -> None:
    ours = type("Ours", (PrewarmDockerOperator,), {name: lambda self: None})
    with pytest.raises(ValueError, match=f"Ours has {name}, which DockerOperator calls"):
        operator(ours)


@pytest.mark.parametrize("name", ["hook", "cli"])
def test_a_docker_client_is_not_there_and_the_error_says_what_is(conn: str, name: str) -> None:
    op = operator()
    assert not hasattr(op, name)
    with pytest.raises(AttributeError, match=f"has no {name!r}.*docker_operator"):
        getattr(op, name)


# Against a server.


def test_it_waits_for_warmth_as_docker_operator_would_pull(fake: FakePrewarm, conn: str) -> None:
    fake.program = prints("one", "two", 0)
    assert run(operator(command="node a.js")) == "two"
    body = body_of(fake)
    assert body["image"] == f"{IMAGE}:latest"
    assert body["wait_warm"] == "900000ms"
    assert "fresh" not in body
    assert "hosts" not in body


def test_force_pull_is_fresh(fake: FakePrewarm, conn: str) -> None:
    fake.program = prints(0)
    run(operator(force_pull=True))
    assert body_of(fake)["fresh"] is True


def test_force_pull_is_not_the_dag_runs_digest(fake: FakePrewarm, conn: str, told: Told) -> None:
    fake.program = prints(0)
    run(operator())
    assert body_of(fake)["pin_scope"] == "etl/manual__1"
    run(operator(task_id="pulls", force_pull=True))
    assert "pin_scope" not in body_of(fake)
    assert "not the digest of the DAG run's other tasks" in told()
    run(operator(task_id="both", force_pull=True, pin_scope="mine"))
    assert body_of(fake)["pin_scope"] == "mine"


def test_what_is_private_is_readable_where_that_is_asked_for(fake: FakePrewarm, conn: str) -> None:
    fake.program = prints(0)
    run(operator(private_environment={"P": "t0psecret"}))
    assert "unmasked" not in body_of(fake)
    run(operator(task_id="other", private_environment={"P": "t0psecret"}, unmasked=True))
    assert body_of(fake)["unmasked"] is True


@pytest.mark.parametrize("deferrable", [False, True])
def test_xcom_all_may_be_set_by_a_subclass(fake: FakePrewarm, conn: str, deferrable: bool) -> None:
    class Ours(PrewarmDockerOperator):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.xcom_all = True

    lines = [str(n) for n in range(300)]
    if not deferrable:
        fake.program = prints(*lines, 0)
        assert run(operator(Ours)) == lines
        return
    with pytest.raises(TaskDeferred):
        run(operator(Ours, deferrable=True))
    playing = fake.started()
    for line in lines:
        playing.line(line)
    playing.end(0)
    again = operator(Ours, deferrable=True)
    event = {"run_id": playing.id, "after": 300, "word": "w", "state": "succeeded"}
    assert again.execute_complete(context(again), event=event) == lines


@pytest.mark.parametrize(
    ("more", "lines", "xcom"),
    [
        ({}, [Line("out"), Line("err", "stderr")], "err"),
        ({}, ["one", "last \r"], "last"),
        ({}, ["one", ""], ""),
        ({}, [], None),
        ({"xcom_all": True}, [Line("out "), Line("err", "stderr")], ["out", "err"]),
        ({"xcom_all": True}, [str(n) for n in range(300)], [str(n) for n in range(300)]),
        ({"xcom_all": True}, [], None),
        ({"do_xcom_push": False}, ["one"], None),
    ],
)
def test_the_xcom_is_of_both_streams(fake: FakePrewarm, conn: str, more: Any, lines: Any, xcom: Any) -> None:
    fake.program = prints(*lines, 0)
    assert run(operator(**more)) == xcom


def test_the_xcom_is_the_result(fake: FakePrewarm, conn: str) -> None:
    def program(run: FakeRun) -> list[str]:
        run.line("a line")
        run.end(0, result={"rows": 42})
        return []

    fake.program = program
    op = operator(retrieve_output=True, retrieve_output_path="/tmp/out", result_path="/airflow/xcom/return.json")
    assert run(op) == {"rows": 42}
    assert body_of(fake)["result"] == "/airflow/xcom/return.json"


@pytest.mark.parametrize(("more", "xcom"), [({}, "err"), ({"xcom_all": True}, ["one", "err"])])
def test_a_deferred_task_has_the_same_xcom(fake: FakePrewarm, conn: str, more: Any, xcom: Any) -> None:
    op = operator(deferrable=True, **more)
    with pytest.raises(TaskDeferred) as deferred:
        run(op)
    playing = fake.started()
    playing.line("one")
    playing.line("err", "stderr")
    playing.end(0)
    event = {"run_id": playing.id, "after": 2, "word": "w", "state": "succeeded"}
    # Airflow makes the operator anew, and asks it for nothing but this.
    again = operator(deferrable=True, **more)
    assert getattr(again, deferred.value.method_name)(context(again), event=event) == xcom


def test_a_failure_carries_the_last_lines(fake: FakePrewarm, conn: str) -> None:
    fake.program = prints(*[str(n) for n in range(500)], 3)
    with pytest.raises(ContainerFailed) as failed:
        run(operator())
    assert failed.value.logs == [str(n) for n in range(300, 500)]
    assert failed.value.exit_code == 3


@pytest.mark.parametrize(("asked", "code"), [(99, 99), (range(90, 100), 95), ({0, 99}, 0), (0, 0)])
def test_exit_codes_that_skip(fake: FakePrewarm, conn: str, asked: Any, code: int) -> None:
    fake.program = prints("nothing to do", code)
    with pytest.raises(ContainerSkipped) as skipped:
        run(operator(skip_on_exit_code=asked))
    assert isinstance(skipped.value, AirflowSkipException)
    assert skipped.value.logs == ["nothing to do"]
    assert 0 not in body_of(fake).get("skip_exit_codes", [])


def test_docker_url_places_the_run(fake: FakePrewarm, conn: str) -> None:
    fake.program = prints(0)
    fake.add_host("etl-2", endpoint="tcp://10.0.0.12:2376", aliases=[])
    fake.add_host("etl-3", endpoint="tcp://10.0.0.13:2376", aliases=[])
    run(operator(docker_url=["https://10.0.0.12:2376", "tcp://10.0.0.13:2376"]))
    assert body_of(fake)["hosts"] == ["etl-2", "etl-3"]


def test_docker_host_places_the_run_where_it_is_known(
    fake: FakePrewarm, conn: str, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    fake.program = prints(0)
    fake.add_host("etl-2", endpoint="tcp://10.0.0.12:2376", aliases=[])
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.12:2376")
    run(operator())
    assert body_of(fake)["hosts"] == ["etl-2"]
    monkeypatch.setenv("DOCKER_HOST", "tcp://dind:2375")
    run(operator(task_id="other"))
    assert "hosts" not in body_of(fake)
    assert "DOCKER_HOST=tcp://dind:2375 is no host of Prewarm's" in told()


def test_a_bind_is_checked_once_it_is_rendered(fake: FakePrewarm, conn: str) -> None:
    op = operator(mounts=[{"target": "/d", "source": "/home/{{ who }}", "type": "bind"}])
    op.render_template_fields({"who": "airflow"})
    with pytest.raises(RequestWrong, match="/home/airflow, or one above it, is declared by no host"):
        run(op)
    assert fake.runs == []


def test_what_only_the_rendered_value_shows_is_not_tried_again(fake: FakePrewarm, conn: str) -> None:
    op = operator(command="{{ c }}")
    op.render_template_fields({"c": "[ -f /x ]"})
    with pytest.raises(RequestWrong, match="command or entrypoint: it begins with"):
        run(op)


def test_one_line_says_what_has_no_effect(fake: FakePrewarm, conn: str, told: Told) -> None:
    fake.program = prints(0)
    run(operator(tls_ca_cert="/ca.pem", timeout=120, docker_conn_id="docker_default", api_version="auto"))
    [line] = [line for line in told().splitlines() if "Without effect" in line]
    assert "engines: api_version, docker_conn_id, timeout, tls_ca_cert" in line


def test_a_server_that_is_away_is_waited_for_and_then_the_try_fails(
    fake: FakePrewarm, conn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PREWARM__CHECK_AT_PARSE", "False")
    op = operator(docker_url="tcp://10.0.0.11:2376", reconnect_timeout=0.3)
    with fake.away(), pytest.raises(ServerUnavailable):
        run(op)


# Back to Docker.


class Engine:
    """A Docker engine, as far as DockerOperator calls it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> None:
        docker = pytest.importorskip("docker")
        self.calls: list[str] = []
        self.made: dict[str, Any] = {}
        self.code = code

        def method(name: str, answer: Any = None) -> None:
            def call(_: Any, *args: Any, **kwargs: Any) -> Any:
                self.calls.append(name)
                return answer(kwargs) if callable(answer) else answer

            monkeypatch.setattr(docker.APIClient, name, call)

        def create(kwargs: dict[str, Any]) -> dict[str, str]:
            self.made = kwargs
            return {"Id": "c1"}

        method("ping", True)
        method("images", ["there"])
        method("pull", lambda _: iter(()))
        method("create_container", create)
        method("attach", lambda _: iter([b"one\n", b"two\n"]))
        method("start")
        method("wait", lambda _: {"StatusCode": self.code})
        method("remove_container")
        method("stop")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    pytest.importorskip("airflow.providers.docker.operators.docker")
    return Engine(monkeypatch)


def on_docker(kind: type = PrewarmDockerOperator, **more: Any) -> Any:
    return operator(
        kind,
        **{"docker_url": "tcp://10.0.0.9:2375", "api_version": "1.45", "mount_tmp_dir": False} | more,
    )


@pytest.mark.parametrize("setting", ["docker", "dags:moved_.*"])
def test_the_setting_runs_a_dag_by_the_real_docker_operator(
    fake: FakePrewarm, conn: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", setting)
    with a_dag():
        op = on_docker(
            command="['echo', '{{ ds }}']",
            environment={"A": "{{ ds }}"},
            private_environment={"S": "s"},
            auto_remove="success",
            retrieve_output=False,
            fresh=True,
            cpus=2,
        )
    op.render_template_fields({"ds": "2026-11-22"})
    assert run(op) == "two"
    assert engine.calls[:2] == ["ping", "pull"]
    assert engine.calls[-1] == "remove_container"
    assert engine.made["command"] == ["echo", "2026-11-22"]
    assert engine.made["environment"] == {"A": "2026-11-22", "S": "s"}
    assert engine.made["host_config"]["CpuShares"] == 2048
    assert fake.requests == []
    # The client is there now.
    assert op.cli is op.hook.api_client


def test_a_dag_whose_id_matches_runs_on_prewarm(
    fake: FakePrewarm, conn: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "dags:etl")
    fake.program = prints("by prewarm", 0)
    with a_dag():
        op = operator()
        with pytest.raises(ValueError, match="is no host of Prewarm's"):
            operator(task_id="strange", docker_url="tcp://10.0.0.9:2375")
    assert run(op) == "by prewarm"
    assert engine.calls == []


def test_a_subclass_on_docker_has_its_methods_and_the_client_before_super(
    conn: str, engine: Engine, monkeypatch: Any
) -> None:
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "docker")

    class Ours(PrewarmDockerOperator):
        @staticmethod
        def format_command(command: Any) -> Any:
            return ["ours", *command.split("+")] if command else None

        def unpack_environment_variables(self, env_str: str) -> dict:  # type: ignore[override]
            return {"FILE": env_str}

        def execute(self, context: Any) -> Any:
            assert self.cli is not None
            self.command = "b+c"
            return super().execute(context)

    op = on_docker(kind=Ours, command="a", env_file="A=1")
    run(op)
    assert engine.made["command"] == ["ours", "b", "c"]
    assert engine.made["environment"] == {"FILE": "A=1"}


def test_a_method_that_is_never_called_on_docker_either_is_refused_once_the_task_runs(
    conn: str, engine: Engine, monkeypatch: Any
) -> None:
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "docker")
    op = on_docker(kind=type("Ours", (PrewarmDockerOperator,), {"_run_image": lambda self: None}))
    with pytest.raises(ValueError, match="Ours has _run_image"):
        run(op)
    assert engine.calls == []


def test_what_prewarm_would_refuse_is_no_matter_on_docker(conn: str, engine: Engine, monkeypatch: Any) -> None:
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "docker")
    on_docker(
        retrieve_output=True, retrieve_output_path="/x", mounts=[{"target": "/d", "source": "v", "no_copy": True}]
    )
    with pytest.raises(ValueError, match="auto_remove"):
        on_docker(auto_remove=True)


def test_failures_and_kills_are_docker_operators_own(conn: str, engine: Engine, monkeypatch: Any) -> None:
    from airflow.providers.docker.exceptions import DockerContainerFailedException

    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "docker")
    engine.code = 3
    op = on_docker(auto_remove="force")
    with pytest.raises(DockerContainerFailedException) as failed:
        run(op)
    assert failed.value.logs == ["one", "two"]
    op.on_kill()
    assert engine.calls[-2:] == ["stop", "remove_container"]


def test_a_run_of_an_earlier_try_ends_before_docker_starts_a_container(
    fake: FakePrewarm, conn: str, engine: Engine, monkeypatch: Any, told: Told
) -> None:
    op = operator(deferrable=True)
    with pytest.raises(TaskDeferred):
        run(op)
    begun = fake.started()
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "docker")
    assert run(on_docker(), number=2) == "two"
    assert begun.state == "canceled"
    assert f"run {begun.id} of an earlier try is running on etl-1: it is stopped" in told()
    before = len(fake.requests)
    run(on_docker())
    assert len(fake.requests) == before, "a first try has none before it"


@pytest.mark.parametrize("why", ["no connection", "away"])
def test_a_server_that_can_not_be_asked_keeps_nothing_from_docker(
    fake: FakePrewarm, conn: str, engine: Engine, monkeypatch: Any, told: Told, why: str
) -> None:
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "docker")
    monkeypatch.setattr(earlier, "_PATIENCE", 0.2)
    if why == "no connection":
        monkeypatch.delenv("AIRFLOW_CONN_PREWARM_DEFAULT")
    else:
        fake.down()
    assert run(on_docker(), number=2) == "two"
    said = {"no connection": "no run of an earlier try was looked for", "away": "still under way is not known"}
    assert said[why] in told()


def test_an_exit_code_that_skips_is_docker_operators_own(conn: str, engine: Engine, monkeypatch: Any) -> None:
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "docker")
    engine.code = 9
    with pytest.raises(AirflowSkipException):
        run(on_docker(skip_on_exit_code=range(9, 11)))


def test_without_the_docker_provider_the_error_says_what_to_install(conn: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "docker")
    monkeypatch.setitem(sys.modules, "airflow.providers.docker.operators.docker", None)
    with pytest.raises(RequestWrong, match=r"pip install 'airflow-provider-prewarm\[docker\]'"):
        run(on_docker())


def test_a_parameter_that_an_older_provider_lacks(conn: str, engine: Engine, monkeypatch: Any) -> None:
    from airflow.providers.docker.operators import docker as theirs

    class Old(theirs.DockerOperator):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)

    known = inspect.signature(theirs.DockerOperator.__init__)
    without = [p for p in known.parameters.values() if p.name != "labels"]
    Old.__init__.__signature__ = known.replace(parameters=without)  # type: ignore[attr-defined]
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "docker")
    monkeypatch.setattr(theirs, "DockerOperator", Old)
    with pytest.raises(RequestWrong, match="has no labels"):
        run(on_docker(labels={"a": "b"}))
    assert run(on_docker()) == "two"
