"""The fake server of the unit tests and the real one keep one contract (tests/contract); here the real one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rig import ROOT
from server import Server


def test_the_server_keeps_the_contract(server: Server, tmp_path: Path) -> None:
    env = {
        **os.environ,
        "PYTHONPATH": "src:tests",
        "AIRFLOW_HOME": str(tmp_path),
        "PREWARM_CONTRACT_URL": server.url,
        "PREWARM_CONTRACT_TOKEN": server.tokens["airflow"],
    }
    ran = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "tests/contract", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT / "airflow",
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-10000:]
    assert " passed" in ran.stdout
