"""``python -m airflow_provider_prewarm check``: its arguments, its server, its exit codes."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_prewarm.api.client import Client
from airflow_provider_prewarm.api.connection import DEFAULT_CONN_ID, Server, server_of
from airflow_provider_prewarm.check.fleet import Fleet, fleet_of
from airflow_provider_prewarm.check.load import Loaded, load, quiet, told
from airflow_provider_prewarm.check.model import Task
from airflow_provider_prewarm.exceptions import PrewarmError

if TYPE_CHECKING:
    from airflow_provider_prewarm.check.report import Report

ABOUT = """\
Say what changes when DAGs move from DockerOperator to PrewarmDockerOperator. The DAGs are loaded as Airflow loads them;
no file is changed, and no task is executed.
"""
CODES = """\
exit codes: 0 nothing means something else; 1 something does, or would be refused; 2 not everything could be looked at:
wrong arguments, DAGs that can't be loaded, a server that does not answer
"""


class CannotLook(Exception):
    """Something that has to be looked at is not there."""


def add(commands: Any) -> None:
    """Add the verb to a parser of arguments."""
    parser = commands.add_parser(
        "check", help="say what changes when DAGs move from DockerOperator", description=ABOUT, epilog=CODES
    )
    parser.add_argument("dags", metavar="DAGS", type=Path, help="a DAG file, or a folder of them")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text", help="for people, or for programs")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--conn-id", default=DEFAULT_CONN_ID, help="the connection of the server to ask (%(default)s)")
    which.add_argument(
        "--server", metavar="URL", help="ask this server; its token is PREWARM_TOKEN or in PREWARM_TOKEN_FILE"
    )
    which.add_argument("--offline", action="store_true", help="ask no server: what needs one is not checked")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check, print, and give the exit code."""
    try:
        with quiet(), _fleet(arguments) as fleet:
            made = _look(arguments.dags, fleet)
    except CannotLook as e:
        print(f"check: {e}", file=sys.stderr)
        return 2
    if arguments.output == "json":
        print(json.dumps(made.as_json(), indent=2, ensure_ascii=False))
    else:
        from airflow_provider_prewarm.check.text import text

        print(text(made), end="")
    return made.exit_code


def _look(path: Path, fleet: Fleet | None) -> Report:
    # Airflow takes its time to be imported: not before the arguments are known to be good.
    from airflow_provider_prewarm.check.find import tasks_of
    from airflow_provider_prewarm.check.report import report
    from airflow_provider_prewarm.check.source import python_files, read

    if not path.exists():
        raise CannotLook(f"{path} is not there")
    path = path.resolve()
    loaded = load(path)
    sources = {str(file): read(file) for file in python_files(path)}

    def line_of(file: str, task_id: str) -> int:
        return sources[file].line_of(task_id) if file in sources else 0

    tasks = [task for dag in loaded.dags for task in tasks_of(dag, line_of)]
    for file in _classes_elsewhere(tasks):
        sources.setdefault(file, read(Path(file)))
    made = report(tasks, sources.values(), loaded.errors, fleet, dict(_callables(loaded)))
    made.dags = len(loaded.dags)
    return made


def _classes_elsewhere(tasks: list[Task]) -> Iterator[str]:
    """The files of users' subclasses, which may be those of a package: their imports have to change, too."""
    from airflow_provider_prewarm.check.find import own_classes

    for cls in {cls for task in tasks for cls in own_classes(task.cls)}:
        file = inspect.getsourcefile(cls) if cls.__module__ in sys.modules else None
        if file:
            yield file


def _callables(loaded: Loaded) -> Iterator[tuple[tuple[str, int], Task]]:
    """The tasks that call a function of Python, by where that function stands."""
    for dag in loaded.dags:
        for operator in dag.tasks:
            function = getattr(operator, "python_callable", None) or getattr(operator, "partial_kwargs", {}).get(
                "python_callable"
            )
            code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
            if code is not None:
                cls = getattr(operator, "operator_class", None) or type(operator)
                name = f"{cls.__module__}.{cls.__qualname__}"
                task = Task(dag.fileloc, 0, dag.dag_id, operator.task_id, name, "docker", cls, {})
                yield (code.co_filename, code.co_firstlineno), task


@contextmanager
def _fleet(arguments: argparse.Namespace) -> Iterator[Fleet | None]:
    if arguments.offline:
        yield None
        return
    server = _server(arguments.server, arguments.conn_id, os.environ)
    try:
        with Client(server) as client:
            yield fleet_of(server.url, client)
    except (PrewarmError, OSError) as e:
        raise CannotLook(f"{e}\ncheck: --offline checks what needs no server") from e


def _server(url: str | None, conn_id: str, env: Mapping[str, str]) -> Server:
    if url:
        return Server(url.rstrip("/"), _token(env))
    try:
        from airflow.models.connection import Connection

        return server_of(Connection.get_connection_from_secrets(conn_id))
    except Exception as e:  # whatever a secrets backend or a database raises
        raise CannotLook(
            f"connection {conn_id!r} can't be read: {told(e)}\n"
            "check: name the server by --server URL, or check --offline what needs none"
        ) from e


def _token(env: Mapping[str, str]) -> str:
    """As the command line finds it."""
    file = env.get("PREWARM_TOKEN_FILE", "")
    if not file or env.get("PREWARM_TOKEN"):
        return env.get("PREWARM_TOKEN", "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise CannotLook(f"PREWARM_TOKEN_FILE: {e}") from e


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments and do what they say."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_prewarm")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add(commands)
    parsed = parser.parse_args(arguments)
    return int(parsed.run(parsed))
