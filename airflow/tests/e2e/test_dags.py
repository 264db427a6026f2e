"""``airflow dags test``, which needs nothing that runs."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from deployment import HERE, Deployment
from server import Server

from conftest import EXAMPLES

DAY = "2026-11-22"


@pytest.fixture(scope="module")
def still(folder: Path, python: Path, server: Server) -> Deployment:
    """An Airflow of which nothing runs by itself: a scheduler would take DAG runs of `dags test` for its own."""
    return Deployment(python, folder / "still", server, [HERE / "dags", EXAMPLES])


@pytest.fixture(scope="module")
def staging(folder: Path, python: Path, server: Server) -> Deployment:
    """Another Airflow with the same DAGs, and a token of its own."""
    staging = Deployment(python, folder / "staging", server, [HERE / "dags"], token="staging")
    staging.cli("dags", "reserialize")
    return staging


def examples(still: Deployment) -> dict[str, str]:
    """The examples' DAGs, and the file of each."""
    ours = {file.name for file in EXAMPLES.glob("*.py")}
    listed = {dag["dag_id"]: dag["fileloc"] for dag in still.listed("dags", "list")}
    return {dag: file for dag, file in listed.items() if Path(file).name in ours}


def test_no_dag_fails_to_import(still: Deployment) -> None:
    still.cli("dags", "reserialize")
    assert still.listed("dags", "list-import-errors") == []


def test_each_example_runs_twice_on_one_day(still: Deployment) -> None:
    found = examples(still)
    assert found

    def twice(dag: str) -> None:
        for _ in range(2):
            # Without its file, all DAGs would be read.
            still.cli("dags", "test", dag, DAY, "--dagfile-path", found[dag])
            (state,) = still.query("select state from dag_run where dag_id = ? order by id desc limit 1", dag)[0]
            assert state == "success", dag

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(twice, found))


def test_dags_test_twice_on_one_day_does_the_work_twice(still: Deployment, server: Server) -> None:
    for times in (1, 2):
        conf = json.dumps({"name": "twice"})
        still.cli("dags", "test", "sync", DAY, "--conf", conf, "--dagfile-path", f"{still.dags}/work.py")
        assert [line.split()[0] for line in server.entries("twice")] == ["start", "end"] * times


def test_a_bash_task_does_the_work_under_its_own_key(still: Deployment, server: Server) -> None:
    before: set[str] = set()
    for _ in range(2):
        still.cli("dags", "test", "bash", DAY, "--dagfile-path", f"{still.dags}/bash.py")
        (made,) = [run for run in bash_runs(still, server) if run["id"] not in before]
        before.add(made["id"])
        assert re.fullmatch(r"bash/manual__.+/job/-1", made["key"])
        assert made["pin_scope"] == made["key"].removesuffix("/job/-1")
        assert (made["state"], made.get("epoch", 0)) == ("succeeded", 0)


def bash_runs(airflow: Deployment, server: Server) -> list[dict[str, Any]]:
    found = server.get("/v1/runs", airflow.token, limit=1000)["runs"]
    return [run for run in found if run.get("key", "").startswith("bash/manual__")]


# `dags test` under one id everywhere: by itself it takes the time of its start.
SAME = """
import sys
from airflow.models.dagrun import DagRun
DagRun.generate_run_id = staticmethod(lambda **_: "the-same")
sys.argv = ["airflow", *sys.argv[1:]]
from airflow.__main__ import main
main()
"""


def test_two_airflows_have_runs_of_their_own(still: Deployment, staging: Deployment, server: Server) -> None:
    def test(airflow: Deployment) -> None:
        conf = {"name": f"two-{airflow.token}", "lines": 10, "pause": "1s"}
        command = [str(airflow.python), "-c", SAME, "dags", "test", "sync", "2026-11-23", "--conf", json.dumps(conf)]
        command += ["--dagfile-path", f"{airflow.dags}/work.py"]
        subprocess.run(command, env=airflow.env, cwd=airflow.home, check=True, capture_output=True)

    with ThreadPoolExecutor() as pool:
        list(pool.map(test, [still, staging]))
    key = "sync/the-same/job/-1"
    (ours,), (theirs,) = server.runs(key, still.token), server.runs(key, staging.token)
    assert ours["id"] != theirs["id"]
    assert (ours["namespace"], theirs["namespace"]) == (still.token, staging.token)
    for airflow in (still, staging):
        assert [line.split()[0] for line in server.entries(f"two-{airflow.token}")] == ["start", "end"]
