"""The report for people."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from itertools import groupby

from airflow_provider_prewarm.check.load import last_line
from airflow_provider_prewarm.check.model import Severity
from airflow_provider_prewarm.check.params import DEFAULTS
from airflow_provider_prewarm.check.report import Report, Row
from airflow_provider_prewarm.check.source import MOVES

_WIDTH = 120


def text(report: Report) -> str:
    """All of it: files, their DAGs, their tasks, what is to do; the sum; the YAML."""
    lines = [*_errors(report), *_files(report), *_summary(report), *_yaml(report)]
    return "\n".join(lines) + "\n"


def _errors(report: Report) -> Iterator[str]:
    if not report.errors:
        return
    yield "Could not be loaded, so that nothing below is about them:"
    for file, error in sorted(report.errors.items()):
        yield f"  {_short(file)}: {last_line(error)}"
    if any("airflow.providers.docker" in error for error in report.errors.values()):
        yield from _wrapped(
            "The docker provider is not installed here: DAGs that import it can't be loaded. "
            "pip install 'airflow-provider-prewarm[docker]', and check again.",
            "  ",
        )
    yield ""


def _files(report: Report) -> Iterator[str]:
    files = sorted(
        {row.file for row in report.rows} | {use.file for use in report.imports} | {t.file for t, _ in report.tasks}
    )
    for file in files:
        yield _short(file)
        for use in report.imports:
            if use.file == file and not use.name.endswith("Exception"):
                yield f"  line {use.line}: {use.name} → {MOVES[use.name] or 'nothing in its place'}"
        rows = [row for row in report.rows if row.file == file]
        for row in (r for r in rows if not r.dag_id):
            yield from _finding(row, "  ", f"line {row.line}: ")
        yield from _dags([row for row in rows if row.dag_id])
        yield ""


def _dags(rows: list[Row]) -> Iterator[str]:
    rows = sorted(rows, key=lambda r: r.dag_id)  # sorted keeps the order within a DAG
    for dag_id, of_dag in groupby(rows, key=lambda r: r.dag_id):
        yield f"  DAG {dag_id}"
        for (task_id, line, cls), of_task in groupby(of_dag, key=lambda r: (r.task_id, r.line, r.cls)):
            yield f"    {task_id} ({cls.rsplit('.', 1)[-1]}{f', line {line}' if line else ''})"
            for row in of_task:
                yield from _finding(row, "      ")


def _finding(row: Row, indent: str, where: str = "") -> Iterator[str]:
    finding = row.finding
    yield from _wrapped(
        f"{finding.severity.word:<9} {where}{_say(finding.rule, finding.what)}", indent, indent + " " * 10
    )
    if finding.do and finding.severity != Severity.OK:
        yield from _wrapped(f"→ {finding.do}", indent + " " * 10, indent + " " * 12)


def _say(rule: str, what: str) -> str:
    """A parameter is named; what other findings are about, they say themselves."""
    return f"{rule}: {what}" if rule in DEFAULTS and not what.startswith(rule) else what


def _summary(report: Report) -> Iterator[str]:
    n = report.counts()
    if not n["tasks"] and not report.imports:
        yield f"No task of DockerOperator in {_several(n['dags'], 'DAG')}."
        return
    by = [f"{n[s.word]} {s.word}" for s in reversed(Severity) if n[s.word]]
    yield (
        f"{_several(n['tasks'], 'task')} in {_several(n['dags'], 'DAG')}: {', '.join(by) or 'none'}"
        + (f"; {n['moved']} moved already" if n["moved"] else "")
        + "."
    )
    if report.server is None:
        yield "No server was asked: which images have entries, which hosts are meant, what is allowed is not known."


def _yaml(report: Report) -> Iterator[str]:
    if not report.yaml:
        return
    yield ""
    yield (
        "Add to the configuration of Prewarm:"
        if report.server
        else "All images that are used; add to the configuration of Prewarm what it lacks:"
    )
    yield ""
    yield report.yaml.rstrip("\n")


def _several(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _short(file: str) -> str:
    here = os.getcwd() + os.sep
    return file[len(here) :] if file.startswith(here) else file


def _wrapped(line: str, first: str, rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        line,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
