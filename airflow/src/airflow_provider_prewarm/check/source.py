"""Read the text of DAG files: where tasks stand, which imports have to change, what speaks to Docker by itself."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from airflow_provider_prewarm.check.model import Use

# The functions around a line, the outermost first.
Around = tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]
log = logging.getLogger(__name__)

PROVIDER = "airflow.providers.docker"
# What is imported today, and what is imported instead. None: there is nothing in its place.
MOVES: dict[str, str | None] = {
    "DockerOperator": "from airflow_provider_prewarm.operators.docker import PrewarmDockerOperator as DockerOperator",
    "DockerSwarmOperator": None,
    "DockerContainerFailedException": "from airflow_provider_prewarm.exceptions import ContainerFailed",
    "DockerContainerFailedSkipException": "from airflow_provider_prewarm.exceptions import ContainerSkipped",
}
MOVED = "airflow_provider_prewarm.operators"
_OPERATORS = {"DockerOperator", "PrewarmDockerOperator"}
# Calls of docker-py that make a client of an engine.
_CLIENTS = {"from_env", "DockerClient", "APIClient", "DockerHook"}


@dataclass
class Source:
    """What the text of a file says.

    :param imports: lines that import what MOVES has
    :param uses: lines that speak to an engine: a DockerHook, a client of docker-py
    :param made: lines of functions that make an operator of Docker, or execute one
    :param types: lines that import docker for its types alone
    :param error: why the file could not be read; empty: it was
    """

    file: str
    imports: list[Use] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    made: list[Use] = field(default_factory=list)
    types: list[Use] = field(default_factory=list)
    tasks: dict[str, list[int]] = field(default_factory=dict)
    error: str = ""

    def line_of(self, task_id: str) -> int:
        """Where a task is made; 0 where that is not one place."""
        lines = self.tasks.get(task_id) or self.tasks.get(task_id.rsplit(".", 1)[-1]) or []
        return lines[0] if len(lines) == 1 else 0


def python_files(root: Path) -> list[Path]:
    """The Python files below a folder, helpers of DAGs included, or the file itself."""
    if root.is_file():
        return [root]
    return sorted(p for p in root.rglob("*.py") if not _hidden(p.relative_to(root)))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part in ("__pycache__", "node_modules", "site-packages") for part in path.parts)


def read(path: Path) -> Source:
    """Read one file. What can't be read is told in the source, for Airflow tells the rest of it."""
    source = Source(str(path))
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (OSError, SyntaxError, ValueError) as e:
        source.error = f"{type(e).__name__}: {e}"
        return source
    names = _names(tree)
    for node, around in _walk(tree, ()):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            _import(source, node, around)
        elif isinstance(node, ast.Call):
            _call(source, node, around, names)
        elif isinstance(node, ast.Attribute):
            _attribute(source, node, around, names)
    if source.uses:
        # A file that speaks to an engine by itself keeps docker-py for that, not for its types.
        source.types.clear()
    return source


def _walk(node: ast.AST, around: Around) -> Iterator[tuple[ast.AST, Around]]:
    for child in ast.iter_child_nodes(node):
        inside = (*around, child) if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else around
        yield child, inside
        yield from _walk(child, inside)


def _names(tree: ast.AST) -> dict[str, str]:
    """What names of the file stand for, by its imports: ``{"dk": "docker", "Hook": "airflow….DockerHook"}``."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _use(source: Source, node: ast.stmt | ast.expr, name: str, around: Around) -> Use:
    # A function's code begins with its decorators.
    starts = tuple(min([f.lineno, *(d.lineno for d in f.decorator_list)]) for f in around)
    return Use(source.file, node.lineno, name, around[-1].name if around else "", starts)


def _import(source: Source, node: ast.Import | ast.ImportFrom, around: Around) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] == "docker":
                source.types.append(_use(source, node, f"import {alias.name}", around))
        return
    module = node.module or ""
    if node.level:
        return
    if module.split(".")[0] == "docker":
        names = ", ".join(alias.name for alias in node.names)
        source.types.append(_use(source, node, f"from {module} import {names}", around))
    elif module.startswith(PROVIDER):
        for alias in node.names:
            if alias.name in MOVES:
                source.imports.append(_use(source, node, alias.name, around))


def _attribute(source: Source, node: ast.Attribute, around: Around, names: dict[str, str]) -> None:
    """A name of a module of the provider's: ``exceptions.DockerContainerFailedException``."""
    told = any(use.name == node.attr and use.line == node.lineno for use in source.imports)
    if node.attr in MOVES and _full(node, names).startswith(PROVIDER) and not told:
        source.imports.append(_use(source, node, node.attr, around))


def _full(node: ast.expr, names: dict[str, str]) -> str:
    """A dotted name with what its head was imported as."""
    head, _, rest = _dotted(node).partition(".")
    return names.get(head, head) + (f".{rest}" if rest else "")


def _call(source: Source, node: ast.Call, around: Around, names: dict[str, str]) -> None:
    called = _dotted(node.func)
    full = _full(node.func, names)
    last = full.rsplit(".", 1)[-1]
    if last in _CLIENTS and (full.split(".")[0] == "docker" or full.startswith(PROVIDER)):
        source.uses.append(_use(source, node, f"{called}(", around))
    if around and last in _OPERATORS and full.startswith((PROVIDER, MOVED)):
        source.made.append(_use(source, node, f"{called}(", around))
    for keyword in node.keywords:
        if (
            keyword.arg == "task_id"
            and isinstance(keyword.value, ast.Constant)
            and isinstance(keyword.value.value, str)
        ):
            lines = source.tasks.setdefault(keyword.value.value, [])
            if node.lineno not in lines:
                lines.append(node.lineno)


def _dotted(node: ast.expr) -> str:
    """``docker.from_env`` of the expression; empty where it is not made of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = _dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""
