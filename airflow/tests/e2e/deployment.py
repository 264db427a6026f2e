"""A real Airflow: an installation with the provider's wheel in it, a home, a metadata database, its programs."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from api import Api
from keeper import descendants
from rig import ROOT, run
from server import IMAGE, NODE, REPOSITORY, Server
from waiting import free_port, until

HERE = Path(__file__).parent
# A secret of the DAGs, which test_secrets.py looks for in all that was written down.
PLANTED = "planted-" + os.urandom(12).hex()


def wheel(tools: Path, folder: Path) -> Path:
    """Build the provider as it is released."""
    python = str(tools / "bin/python")
    run(python, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT / "airflow"))
    (built,) = folder.glob("*.whl")
    return built


def install(locked: Path, built: Path, folder: Path) -> Path:
    """Install the wheel on top of a locked environment, which stays as it is; the new environment's Python."""
    base = str(locked / "bin/python")
    run(base, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin/python"
    packages = Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    below = run(base, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    (packages / "locked.pth").write_text(below)
    run(base, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(built))
    # Airflow starts its own parts by this name.
    script = folder / "bin/airflow"
    script.write_text(f"#!{python}\nimport sys\nfrom airflow.__main__ import main\nsys.exit(main())\n")
    script.chmod(0o755)
    return python


class Deployment:
    """One Airflow.

    :param python: of an environment that has Airflow and the provider
    :param home: AIRFLOW_HOME; made here
    :param dags: files and folders that become its DAG folder
    :param token: which of the server's tokens its connection has
    """

    def __init__(self, python: Path, home: Path, server: Server, dags: list[Path], token: str = "airflow") -> None:
        self.python = python
        self.home = home
        self.token = token
        # What is started beside, and ends with, a standalone.
        self.parts = ExitStack()
        self.port = free_port()
        self._tasks_port = free_port()
        self.dags = home / "dags"
        self.dags.mkdir(parents=True)
        for source in dags:
            for file in sorted(source.glob("*.py")) if source.is_dir() else [source]:
                if file.name != "__init__.py":
                    shutil.copy(file, self.dags)
        self.connection = {
            "conn_type": "prewarm",
            "host": "127.0.0.1",
            "port": server.port,
            "schema": "http",
            "password": server.tokens[token],
        }
        self.env = {
            "PATH": f"{python.parent}:{server.folder}:{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            # What tools/leftovers.sh looks for.
            "PREWARM_AIRFLOW": str(home),
            "AIRFLOW_CONN_PREWARM_DEFAULT": json.dumps(self.connection),
            "PLANTED_SECRET": PLANTED,
            "PREWARM_URL": server.url,
            "PREWARM_TOKEN_FILE": f"{server.folder}/{token}.token",
            "PREWARM_EXAMPLE_NODE": NODE,
            "PREWARM_EXAMPLE_TOOLS": IMAGE,
            "PREWARM_EXAMPLE_DOCKER": f"{server.rig.registry}/{REPOSITORY}:latest",
            "AIRFLOW_HOME": str(home),
            # SQLite has one writer at a time; the others wait for it.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__CORE__FERNET_KEY": "cryptography_not_secret_not_secret_not_key0=",
            "AIRFLOW__CORE__PARALLELISM": "24",
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
            "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": "64",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self._tasks_port}/execution/",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{self.port}",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "not a secret, but long enough to be taken for one",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        }
        self.cli("db", "migrate")

    def cli(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command line of Airflow to its end."""
        done = subprocess.run(
            [str(self.python.parent / "airflow"), *args],
            env=self.env,
            cwd=self.home,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"airflow {' '.join(args)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def listed(self, *args: str) -> list[dict[str, Any]]:
        """What a command of it lists. Log records may stand before that."""
        out = self.cli(*args, "--output", "json").stdout
        at = next((i for i, line in enumerate(out.splitlines()) if line in ("[]", "[") or line.startswith("[{")), None)
        if at is None:  # 3.x has a sentence for nothing
            return []
        found: list[dict[str, Any]] = json.loads("\n".join(out.splitlines()[at:]))
        return found

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Ask the metadata database, which nobody is kept from writing to."""
        database = sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(sql, values).fetchall()
        finally:
            database.close()

    def dump(self) -> str:
        """All that the metadata database holds, as SQL."""
        database = sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=30)
        try:
            return "\n".join(database.iterdump())
        finally:
            database.close()

    @property
    def output(self) -> str:
        """What its programs printed."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')}" for log in sorted(self.home.glob("*.out"))
        )

    @contextmanager
    def running(self, name: str, *args: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a part of Airflow with all that it starts, for as long as is wanted."""
        with (self.home / f"{name}.out").open("ab") as out:
            keeper = subprocess.Popen(
                [sys.executable, str(HERE / "keeper.py"), str(self.python.parent / "airflow"), *args],
                env=self.env,
                cwd=self.home,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            yield keeper
        finally:
            if keeper.stdin:
                keeper.stdin.close()
            keeper.wait(30)

    @contextmanager
    def standalone(self) -> Iterator[Api]:
        """Run all of it, as `airflow standalone` does; its API, once all is healthy and the DAGs are known.

        The connection to Prewarm is in the database then, as most people have it.
        """
        del self.env["AIRFLOW_CONN_PREWARM_DEFAULT"]
        with self.running("standalone", "standalone") as keeper, self._server_of_tasks(), self.parts:
            api = Api(f"http://127.0.0.1:{self.port}")
            until("airflow standalone is healthy", lambda: self._answers(keeper, api.healthy), 120)
            with api:
                api.call("POST", "/api/v2/connections", json={"connection_id": "prewarm_default", **self.connection})
                files = len(list(self.dags.glob("*.py")))
                until("all DAG files are parsed", lambda: api.parsed_files() + len(api.import_errors()) >= files, 90)
                if errors := api.import_errors():
                    raise RuntimeError(f"DAGs that can't be imported: {json.dumps(errors, indent=1)}")
                yield api

    @contextmanager
    def _server_of_tasks(self) -> Iterator[None]:
        """Run a server of its own for what tasks ask for.

        A server that does both stands still with SQLite: a click writes to the audit log in its event loop, and waits
        there for a task's request to finish, which needs that loop.
        """
        at = ("--host", "127.0.0.1", "--port", str(self._tasks_port))
        with self.running("tasks-server", "api-server", "--apps", "execution", *at) as keeper:
            health = f"http://127.0.0.1:{self._tasks_port}/execution/health"
            until(
                "the server of tasks answers", lambda: self._answers(keeper, lambda: httpx.get(health).is_success), 60
            )
            yield

    def _answers(self, keeper: subprocess.Popen[bytes], ask: Callable[[], bool]) -> bool:
        if keeper.poll() is not None:
            raise RuntimeError(f"a part of Airflow ended:\n{self.output[-20000:]}")
        try:
            return ask()
        except httpx.HTTPError:
            return False

    def pids(self, title: str) -> list[int]:
        """Processes of this deployment whose title contains a text."""
        found = []
        for line in run("ps", "-ww", "-eo", "pid=,args=").splitlines():
            pid, _, args = line.strip().partition(" ")
            if title in args and self._is_mine(int(pid)):
                found.append(int(pid))
        return found

    def _is_mine(self, pid: int) -> bool:
        try:
            return os.readlink(f"/proc/{pid}/cwd") == str(self.home)
        except OSError:
            return False

    def triggerers(self) -> list[int]:
        """The triggerer and the processes below it, which carry out triggers."""
        (top,) = until("there is a triggerer", lambda: self.pids("airflow triggerer"), 30)[:1]
        return [top, *descendants(top)]
