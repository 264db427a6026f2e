"""What was found, as data: the shape of ``-o json``, and what the text is made of.

::

    {
      "version": 1,
      "server": "https://prewarm.example.com:8470",
      "summary": {"files": 2, "dags": 3, "tasks": 5, "moved": 1,
                  "ok": 1, "note": 1, "unchecked": 0, "changes": 2, "refused": 1, "import_errors": 0},
      "import_errors": [{"file": …, "error": …}],
      "tasks": [{"file": …, "line": 12, "dag_id": …, "task_id": …, "class": …, "moved": false, "severity": "changes"}],
      "findings": [{"file": …, "line": 12, "dag_id": …, "task_id": …, "class": …,
                    "rule": "docker_url", "severity": "refused", "what": …, "do": …}],
      "imports": [{"file": …, "line": 3, "name": "DockerOperator", "becomes": "from … import PrewarmDockerOperator"}],
      "images": [{"repository": …, "tag": "1.4", "digest": ""}],
      "yaml": "images:\\n  - name: …"
    }

``server`` is null where none was asked. ``summary`` counts tasks by the gravest of their findings. ``line`` is 0 where
it is not known; ``dag_id``, ``task_id`` and ``class`` are empty for what is said of a file. ``becomes`` is null where
there is nothing in its place. ``images`` have no entry, and ``yaml`` makes one for each; without a server they are all
that are used.
More fields may come; none of these goes, as long as ``version`` is 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_prewarm.check.fleet import Fleet
from airflow_provider_prewarm.check.images import entries_for, parse, yaml_of
from airflow_provider_prewarm.check.model import Finding, Severity, Task, Use, Wanted
from airflow_provider_prewarm.check.rules import findings, whole
from airflow_provider_prewarm.check.source import MOVES, Source

VERSION = 1


@dataclass(frozen=True)
class Row:
    """A finding with its place."""

    file: str
    line: int
    dag_id: str
    task_id: str
    cls: str
    finding: Finding

    def as_json(self) -> dict[str, Any]:
        f = self.finding
        return {
            "file": self.file, "line": self.line, "dag_id": self.dag_id, "task_id": self.task_id, "class": self.cls,
            "rule": f.rule, "severity": f.severity.word, "what": f.what, "do": f.do,
        }  # fmt: skip


@dataclass
class Report:
    """Everything that was found.

    :param tasks: each task once, with its gravest severity
    """

    server: str | None
    files: int = 0
    dags: int = 0
    tasks: list[tuple[Task, Severity]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    imports: list[Use] = field(default_factory=list)
    errors: Mapping[str, str] = field(default_factory=dict)
    wanted: list[Wanted] = field(default_factory=list)
    yaml: str = ""

    @property
    def worst(self) -> Severity:
        return max((row.finding.severity for row in self.rows), default=Severity.OK)

    @property
    def exit_code(self) -> int:
        """2: not everything could be looked at; 1: something means something else, or would fail; 0: nothing."""
        if self.errors:
            return 2
        return 1 if self.worst >= Severity.CHANGES else 0

    def counts(self) -> dict[str, int]:
        by = Counter(severity.word for _, severity in self.tasks)
        return {
            "files": self.files,
            "dags": self.dags,
            "tasks": len(self.tasks),
            "moved": sum(task.kind == "prewarm" for task, _ in self.tasks),
            **{severity.word: by[severity.word] for severity in Severity},
            "import_errors": len(self.errors),
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "server": self.server,
            "summary": self.counts(),
            "import_errors": [{"file": file, "error": error} for file, error in sorted(self.errors.items())],
            "tasks": [
                {
                    "file": t.file, "line": t.line, "dag_id": t.dag_id, "task_id": t.task_id, "class": t.name,
                    "moved": t.kind == "prewarm", "severity": severity.word,
                }
                for t, severity in self.tasks
            ],
            "findings": [row.as_json() for row in self.rows],
            "imports": [
                {"file": u.file, "line": u.line, "name": u.name, "becomes": MOVES[u.name]} for u in self.imports
            ],
            "images": [{"repository": w.repository, "tag": w.tag, "digest": w.digest} for w in self.wanted],
            "yaml": self.yaml,
        }  # fmt: skip


def report(
    tasks: Iterable[Task],
    sources: Iterable[Source],
    errors: Mapping[str, str],
    fleet: Fleet | None,
    callables: Mapping[tuple[str, int], Task],
) -> Report:
    """Look at everything.

    :param tasks: several of one task, where it is mapped over values in the file
    :param callables: the tasks that call functions of Python, by file and line of the function
    """
    made = Report(fleet.url if fleet else None, errors=errors)
    of: dict[tuple[str, str], tuple[Task, dict[Finding, None]]] = {}
    users: dict[Wanted, list[str]] = {}
    for task in tasks:
        _, found = of.setdefault((task.dag_id, task.task_id), (task, {}))
        found.update(dict.fromkeys(findings(task, fleet)))
        want = wanted(task, fleet)
        if want:
            users.setdefault(want, []).append(f"{task.dag_id}.{task.task_id}")
    for task, found in of.values():
        ordered = sorted(found, key=lambda f: -f.severity)
        made.tasks.append((task, ordered[0].severity if ordered else Severity.OK))
        made.rows += [Row(task.file, task.line, task.dag_id, task.task_id, task.name, finding) for finding in ordered]
    for source in sources:
        made.files += 1
        made.imports += source.imports
        made.rows += _uses(source, callables)
    made.wanted = sorted(users, key=lambda w: (w.repository, w.tag, w.digest))
    made.yaml = yaml_of(made.wanted, users, [e.name for e in fleet.entries] if fleet else [])
    return made


def wanted(task: Task, fleet: Fleet | None) -> Wanted | None:
    """The entry that a task's image lacks; without a server, the one that it needs."""
    if not whole(task, "image"):
        return None
    value = str(task.params["image"])
    if fleet and any(value == e.name or value in e.tagged for e in fleet.entries):
        return None
    try:
        ref = parse(value)
    except ValueError:
        return None
    if fleet and entries_for(ref, fleet.entries):
        return None
    return Wanted(ref.repository, ref.tag, ref.digest)


def _uses(source: Source, callables: Mapping[tuple[str, int], Task]) -> Iterable[Row]:
    """Lines that speak to an engine, or to docker-py, with the task whose function they are in."""
    for use in source.uses:
        by = _task_of(use, callables)
        where = f" in {use.function}()" if use.function else ""
        yield _row(
            use,
            by,
            Finding(
                "engine",
                Severity.NOTE,
                f"{use.name}…){where} speaks to an engine by itself: it stays as it is, past Prewarm",
                "let it go on for as long as the worker reaches that engine; what it starts there belongs into a "
                "PrewarmRunOperator",
            ),
        )
    for use in source.made:
        by = _task_of(use, callables)
        if by:  # else the function makes tasks
            yield _row(use, by, _executed(use))
    for use in source.types:
        yield _row(
            use,
            None,
            Finding(
                "docker",
                Severity.NOTE,
                f"{use.name}: its objects are taken as they are; docker-py has to stay installed for them",
                "write mounts and ulimits as dicts to do without it",
            ),
        )
    for use in source.imports:
        if MOVES[use.name] and use.name.endswith("Exception"):
            yield _row(
                use,
                None,
                Finding(
                    "exception",
                    Severity.CHANGES,
                    f"{use.name} is not what a failure raises any more; its logs are the last 200 lines",
                    f"{MOVES[use.name]}",
                ),
            )


def _task_of(use: Use, callables: Mapping[tuple[str, int], Task]) -> Task | None:
    """The task whose function a line is in; functions may stand in that of a @dag."""
    return next((callables[use.file, start] for start in use.starts if (use.file, start) in callables), None)


def _executed(use: Use) -> Finding:
    return Finding(
        "executed",
        Severity.CHANGES,
        f"{use.name}…) in {use.function}() is an operator within another task: each execute is a run of that task, "
        "told from the others by its number in the try; a retry takes the success of the run that had its number",
        "make it a task of its own, or a mapped one",
    )


def _row(use: Use, by: Task | None, finding: Finding) -> Row:
    return Row(use.file, use.line, by.dag_id if by else "", by.task_id if by else "", by.name if by else "", finding)
