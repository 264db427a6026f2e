"""The example DAGs load, without a network and without a connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_prewarm._compat import AIRFLOW_3

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parents[1] / "src"
EXAMPLES = SOURCES / "airflow_provider_prewarm/example_dags"


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the examples are to an Airflow that has the provider installed."""
    home = tmp_path_factory.mktemp("installed")
    installed = home / "airflow_provider_prewarm-0.1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: airflow-provider-prewarm\nVersion: 0.1.0\n")
    (installed / "entry_points.txt").write_text(
        "[apache_airflow_provider]\nprovider_info = airflow_provider_prewarm.get_provider_info:get_provider_info\n"
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_CONN_", "PREWARM_"))
    }
    done = subprocess.run(
        [sys.executable, str(HERE / "parse_examples.py"), str(EXAMPLES)],
        env=environment | {"PYTHONPATH": f"{SOURCES}:{home}", "AIRFLOW_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_all_load(parsed: Any) -> None:
    asset = parsed["errors"].pop("example_asset.py", None)
    if AIRFLOW_3:
        assert asset is None
    else:
        assert "No module named 'airflow.sdk'" in asset
    assert parsed["errors"] == {}
    files = {f.name for f in EXAMPLES.glob("example_*.py")} - ({"example_asset.py"} if asset else set())
    assert len(files) >= 6
    assert {dag["file"] for dag in parsed["dags"].values()} == files
    assert all(name + ".py" == dag["file"] for name, dag in parsed["dags"].items()), "a DAG is found by its name"


def test_they_show_what_they_are_for(parsed: Any) -> None:
    kinds = {name: set(dag["tasks"].values()) for name, dag in parsed["dags"].items()}
    assert kinds["example_pipeline"] == {"PrewarmEnsureOperator", "PrewarmRunOperator", "PrewarmScopeEndOperator"}
    assert "PrewarmDockerOperator" in kinds["example_docker"]
    assert kinds["example_bash"] == {"BashOperator"}
    assert "DecoratedMappedOperator" in kinds["example_decorator"]
    assert "MappedOperator" in kinds["example_mapped"]
