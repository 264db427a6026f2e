"""Load DAGs as Airflow does, whatever they print, and whatever is wrong with some of them."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Loaded:
    """The DAGs of a file or folder.

    :param dags: in the order of their ids
    :param errors: file → why it could not be loaded
    """

    dags: list[Any] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


def load(path: Path) -> Loaded:
    """Load a file or a folder. A file that can't be loaded is told, and does not stop the others."""
    folder = path if path.is_dir() else path.parent
    with quiet(), _on_path(folder), _unasked():
        bag = _bag(path)
    errors = {str(_whole(file, folder)): text.strip() for file, text in bag.import_errors.items()}
    return Loaded([bag.dags[dag_id] for dag_id in sorted(bag.dags)], errors)


def _bag(path: Path) -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # up to 3.1
        from airflow.models.dagbag import DagBag
    known = inspect.signature(DagBag.__init__).parameters
    # Gone in 3.3, where there are no examples without being asked for.
    options = {"include_examples": False} if "include_examples" in known else {}
    return DagBag(dag_folder=str(path), **options)


def _whole(file: str, folder: Path) -> Path:
    path = Path(file)
    return path if path.is_absolute() else folder / path


@contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    """DAGs import what lies beside them, as the DAG processor lets them."""
    before = list(sys.path)
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


@contextmanager
def _unasked() -> Iterator[None]:
    """Operators that have moved look at the server's hosts while they are parsed, and refuse. Here that is told in its
    place, and with --offline nobody is asked."""
    name = "AIRFLOW__PREWARM__CHECK_AT_PARSE"
    before = os.environ.get(name)
    os.environ[name] = "False"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def quiet() -> Iterator[None]:
    """What DAG files and Airflow's logging print goes to stderr, that of programs they start included: stdout is the
    report's."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def last_line(error: str) -> str:
    """Of a traceback, what it came to."""
    lines = [line for line in error.splitlines() if line.strip()]
    return lines[-1].strip() if lines else error


def told(e: BaseException) -> str:
    """An exception in one line."""
    return "".join(traceback.format_exception_only(type(e), e)).strip()
