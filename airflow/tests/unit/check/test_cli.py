"""The command: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_prewarm.check import cli
from airflow_provider_prewarm.check.fleet import Fleet
from airflow_provider_prewarm.check.text import text
from fake_prewarm import FakePrewarm

from .conftest import DAGS, needs_docker, without_docker

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def _no_docker_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)


def _check(*arguments: str) -> int:
    return cli.main(["check", *arguments])


@needs_docker
@pytest.mark.parametrize("name", ["plain", "mapped", "subclass", "others"])
def test_the_text(name: str, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written anew by GOLDEN=1; read what changed before you commit it."""
    monkeypatch.chdir(DAGS)
    said = text(cli._look(DAGS / f"{name}.py", fleet))
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN"):
        file.write_text(said)
    assert said == file.read_text()


@needs_docker
def test_nothing_changes(fake: FakePrewarm, capsys: pytest.CaptureFixture[str]) -> None:
    assert _check(str(DAGS / "clean.py"), "--server", fake.url) == 0
    assert "2 tasks in 1 DAG: 2 ok." in capsys.readouterr().out


@needs_docker
def test_something_changes_and_the_yaml_is_there(fake: FakePrewarm, capsys: pytest.CaptureFixture[str]) -> None:
    assert _check(str(DAGS / "plain.py"), "--server", fake.url, "-o", "json") == 1
    read: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert read["version"] == 1
    assert read["server"] == fake.url
    assert read["summary"] | {"changes": 0, "refused": 0, "unchecked": 0} == {
        "files": 1, "dags": 1, "tasks": 5, "moved": 0,
        "ok": 0, "note": 0, "unchecked": 0, "changes": 0, "refused": 0, "import_errors": 0,
    }  # fmt: skip
    assert {"repository": "docker.io/library/alpine", "tag": "3.20", "digest": ""} in read["images"]
    assert "repository: docker.io/library/alpine" in read["yaml"]
    assert read["imports"][0]["becomes"].endswith("import PrewarmDockerOperator as DockerOperator")
    finding = next(f for f in read["findings"] if f["rule"] == "retrieve_output")
    assert finding | {"what": "", "do": ""} == {
        "file": str(DAGS / "plain.py"), "line": 46, "dag_id": "plain", "task_id": "report",
        "class": "airflow.providers.docker.operators.docker.DockerOperator",
        "rule": "retrieve_output", "severity": "refused",
        "what": "", "do": "",
    }  # fmt: skip
    assert "Zq7Xw9Kp" not in json.dumps(read)


@needs_docker
def test_the_class_of_a_package_is_told_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "ours_of_test.py").write_text(
        "from airflow.providers.docker.operators.docker import DockerOperator\nclass Ours(DockerOperator):\n    pass\n"
    )
    (tmp_path / "dags").mkdir()
    dag = (DAGS / "clean.py").read_text().replace("from airflow.providers.docker.operators.docker", "from ours_of_test")
    (tmp_path / "dags" / "dag.py").write_text(dag.replace("DockerOperator", "Ours"))
    monkeypatch.syspath_prepend(tmp_path / "lib")
    assert _check(str(tmp_path / "dags"), "--offline", "-o", "json") == 0
    read = json.loads(capsys.readouterr().out)
    assert {t["class"] for t in read["tasks"]} == {"ours_of_test.Ours"}
    assert [(i["file"], i["line"]) for i in read["imports"]] == [(str(tmp_path / "lib" / "ours_of_test.py"), 1)]


@needs_docker
def test_a_function_that_speaks_to_an_engine_is_told_with_its_task(
    fake: FakePrewarm, capsys: pytest.CaptureFixture[str]
) -> None:
    _check(str(DAGS / "others.py"), "--server", fake.url, "-o", "json")
    uses = [f for f in json.loads(capsys.readouterr().out)["findings"] if f["rule"] == "engine"]
    assert [(u["line"], u["dag_id"], u["task_id"]) for u in uses] == [(18, "others", "prune"), (27, "", "")]


@needs_docker
def test_an_operator_within_a_task_is_told(
    fake: FakePrewarm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dag.py").write_text(
        (DAGS / "others.py").read_text().split("import docker\n")[0]
        + "from airflow.providers.docker.operators.docker import DockerOperator\n"
        "try:\n    from airflow.sdk import dag, task\n"
        "except ImportError:\n    from airflow.decorators import dag, task\n"
        "@dag(start_date=datetime.datetime(2026, 1, 1), schedule=None)\n"
        "def etl():\n"
        "    @task\n"
        "    def both(**context):\n"
        "        for name in ('a', 'b'):\n"
        "            DockerOperator(task_id=name, image='registry.test/etl/node-jobs').execute(context)\n"
        "    both()\n"
        "    DockerOperator(task_id='c', image='registry.test/etl/node-jobs')\n"
        "etl()\n"
    )
    assert _check(str(tmp_path), "--server", fake.url, "-o", "json") == 1
    told = [f for f in json.loads(capsys.readouterr().out)["findings"] if f["rule"] == "executed"]
    assert [(f["task_id"], f["severity"]) for f in told] == [("both", "changes")]


def test_tasks_that_have_moved_are_counted_and_looked_at(fake: FakePrewarm, capsys: pytest.CaptureFixture[str]) -> None:
    fake.add_host("far", endpoint="tcp://10.0.0.11:2376")
    assert _check(str(DAGS / "moved.py"), "--server", fake.url, "-o", "json") == 1
    read = json.loads(capsys.readouterr().out)
    assert read["summary"]["moved"] == read["summary"]["tasks"] == 2
    assert {t["task_id"]: t["severity"] for t in read["tasks"]} == {"fine": "note", "elsewhere": "refused"}
    assert fake.requested("POST", "/v1/runs") == [] or all(r.path.endswith("/check") for r in fake.requested("POST"))


def test_the_connection_is_airflows(fake: FakePrewarm, conn: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _check(str(DAGS / "moved.py")) == 1
    assert "2 tasks in 1 DAG" in capsys.readouterr().out
    assert fake.requested("GET", "/v1/images")


def test_the_token_is_read_as_the_command_line_reads_it(
    fake: FakePrewarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.tokens = {"Zq7Xw9Kp": "default"}
    assert _check(str(DAGS / "moved.py"), "--server", fake.url) == 2
    (tmp_path / "token").write_text("Zq7Xw9Kp\n")
    monkeypatch.setenv("PREWARM_TOKEN_FILE", str(tmp_path / "token"))
    assert _check(str(DAGS / "moved.py"), "--server", fake.url) == 1
    monkeypatch.setenv("PREWARM_TOKEN_FILE", str(tmp_path / "gone"))
    assert _check(str(DAGS / "moved.py"), "--server", fake.url) == 2


def test_a_server_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert _check(str(DAGS / "moved.py"), "--server", "http://127.0.0.1:1") == 2
    assert "--offline" in capsys.readouterr().err


def test_a_connection_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _check(str(DAGS / "moved.py"), "--conn-id", "nowhere") == 2
    assert "nowhere" in capsys.readouterr().err


def test_offline_asks_nobody(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PREWARM_DEFAULT", "prewarm://127.0.0.1:1")
    assert _check(str(DAGS / "moved.py"), "--offline") == 0
    said = capsys.readouterr().out
    assert "2 tasks in 1 DAG: 2 unchecked; 2 moved already." in said
    assert "No server was asked" in said


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert _check("/nowhere/dags", "--offline") == 2
    assert "/nowhere/dags is not there" in capsys.readouterr().err


def test_a_file_that_can_not_be_loaded_does_not_stop_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("broken.py", "moved.py"):
        (tmp_path / name).write_text((DAGS / name).read_text())
    assert _check(str(tmp_path), "--offline", "-o", "json") == 2
    read = json.loads(capsys.readouterr().out)
    assert [e["file"] for e in read["import_errors"]] == [str(tmp_path / "broken.py")]
    assert "nothing_of_this_name" in read["import_errors"][0]["error"]
    assert read["summary"]["tasks"] == 2


@without_docker
def test_without_the_docker_provider_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert _check(str(DAGS / "clean.py"), "--offline") == 2
    said = capsys.readouterr().out
    assert "The docker provider is not installed here" in said
    assert "line 5: DockerOperator → from airflow_provider_prewarm" in said, (
        "what the text of the file says is there nevertheless"
    )


def test_stdout_is_the_reports_alone(tmp_path: Path) -> None:
    """A DAG file prints, itself and by a program."""
    noisy = "import os\nprint('noise of python', flush=True)\nos.system('echo noise of a shell')\n"
    (tmp_path / "moved.py").write_text(
        noisy + (DAGS / "moved.py").read_text().replace('"""Tasks that have moved."""', "")
    )
    command = [sys.executable, "-m", "airflow_provider_prewarm", "check", str(tmp_path), "--offline", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["moved"] == 2
    assert "noise of python" in done.stderr
    assert "noise of a shell" in done.stderr
