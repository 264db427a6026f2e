"""What subclasses of DockerOperator do that PrewarmDockerOperator does not call, or does not have."""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_prewarm.check.find import goes_before, own_classes
from airflow_provider_prewarm.check.fleet import Fleet
from airflow_provider_prewarm.check.model import Finding, Severity, Task
from airflow_provider_prewarm.check.params import DEFAULTS

# The members of DockerOperator, of the docker provider 3 and 4, by which it talks to the engine itself.
_ENGINE = {
    "cli": "the client of the engine",
    "hook": "the hook of the engine",
    "get_hook": "the hook of the engine",
    "container": "the container, as the engine gave it",
    "_run_image": "how the container is run",
    "_run_image_with_mounts": "how the container is made",
    "_attempt_to_retrieve_result": "how the result is fetched",
    "_copy_from_docker": "how the result is fetched",
    "_normalize_mounts": "how mounts are read",
    "_get_tls_config": "the certificates for the engine",
    "pickling_library": "what the result is unpickled with",
    "unpack_environment_variables": "how env_file is read",
    "format_command": "how the command is read",
    "get_command": "how the command is read",
}
_INSTEAD = {
    "pickling_library": "result_path: JSON",
    "_attempt_to_retrieve_result": "result_path, or xcom() of a subclass of PrewarmRunOperator",
    "_copy_from_docker": "result_path, or xcom() of a subclass of PrewarmRunOperator",
    "format_command": "give the command as a list",
    "get_command": "give the command as a list",
    "unpack_environment_variables": "give the variables as environment",
    "cli": "the XCom prewarm names the run, its host and its digest; a file of it is read by result_path",
    "container": "the XCom prewarm names the run, its host and its digest; a file of it is read by result_path",
}
_LOOPS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_ANYWAY = "change the parameters in __init__ or in execute() before super().execute()"


@dataclass(frozen=True)
class _Access:
    name: str
    method: str
    line: int


def subclasses(task: Task, _: Fleet | None) -> Iterator[Finding]:
    """Each member that a user's class replaces, and each that it uses."""
    from airflow_provider_prewarm.operators.docker import NEVER_CALLED

    for cls in own_classes(task.cls):
        file = inspect.getsourcefile(cls) or ""
        tree, first = _tree(cls)
        for name in sorted(vars(cls)):
            if name in NEVER_CALLED:
                yield _refused(cls, name)
            elif name in _ENGINE and not _kept(name) and goes_before(task.cls, cls):
                yield _replaced(cls, name)
        for name in sorted(_stores(tree) & set(_ENGINE)):
            if not _kept(name):
                yield _set(cls, name)
        if task.kind != "prewarm":
            for name in sorted(_names(cls, tree) & _taken(task.cls)):
                yield _collides(cls, name)
        for name in ("execute", "on_kill"):
            if name in vars(cls) and goes_before(task.cls, cls):
                yield _wrapped(cls, name, tree)
        if _executes_again(tree):
            yield _several(cls)
        own = {name for c in own_classes(task.cls) if goes_before(task.cls, c) for name in vars(c)}
        for access in _accesses(tree, first):
            if access.name not in own and not _kept(access.name):
                yield _missing(cls, file, access)


def _names(cls: type, tree: ast.AST | None) -> set[str]:
    """What a class defines, and what it sets on its operators."""
    return {name for name in vars(cls) if not name.startswith("__")} | _stores(tree)


def _stores(tree: ast.AST | None) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree or ast.Module([], []))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _on_self(node.value)
    }


def _taken(cls: type) -> set[str]:
    """The names that PrewarmDockerOperator has and the operator of today has not."""
    from airflow_provider_prewarm.operators.base import PrewarmOperator
    from airflow_provider_prewarm.operators.docker import PrewarmDockerOperator

    today = {name for base in cls.__mro__ if base not in own_classes(cls) for name in dir(base)}
    members = set(vars(PrewarmOperator)) | set(vars(PrewarmDockerOperator))
    parameters = set(inspect.signature(PrewarmDockerOperator.__init__).parameters) - {"self", "kwargs", "on_kill"}
    return {n for n in members | (parameters - set(DEFAULTS)) if not n.startswith("__")} - today - set(_ENGINE)


def _collides(cls: type, name: str) -> Finding:
    return Finding(
        f"name {name}",
        Severity.CHANGES,
        f"{cls.__name__} has a {name} of its own, which is a name of PrewarmDockerOperator, too",
        "call it something else",
    )


def _kept(name: str) -> bool:
    """Whether PrewarmDockerOperator calls the member as DockerOperator does, so that it may be used and replaced."""
    return name in ("format_command", "unpack_environment_variables")


def _refused(cls: type, name: str) -> Finding:
    return Finding(
        f"override {name}",
        Severity.REFUSED,
        f"{cls.__name__} has {name} ({_ENGINE[name]}), which would never be called: its DAG file is refused when it is "
        "parsed",
        _INSTEAD.get(name, _ANYWAY),
    )


def _replaced(cls: type, name: str) -> Finding:
    return Finding(
        f"override {name}",
        Severity.CHANGES,
        f"{cls.__name__} replaces {name} ({_ENGINE[name]}), which is no longer called",
        _INSTEAD.get(name, _ANYWAY),
    )


def _set(cls: type, name: str) -> Finding:
    if name in ("cli", "hook"):
        return Finding(
            f"set {name}",
            Severity.REFUSED,
            f"{cls.__name__} sets {name} ({_ENGINE[name]}), which can't be set",
            _INSTEAD.get(name, _ANYWAY),
        )
    return Finding(
        f"set {name}",
        Severity.CHANGES,
        f"{cls.__name__} sets {name} ({_ENGINE[name]}), which nothing but the class itself looks at any more",
        _INSTEAD.get(name, _ANYWAY),
    )


def _executes_again(tree: ast.AST | None) -> bool:
    """Whether execute calls super().execute more than once."""
    for method in ast.walk(tree or ast.Module([], [])):
        if not isinstance(method, ast.FunctionDef) or method.name != "execute":
            continue
        loops = [node for node in ast.walk(method) if isinstance(node, _LOOPS)]
        if _calls_of_super(method, "execute") > 1 or any(_calls_of_super(loop, "execute") for loop in loops):
            return True
    return False


def _several(cls: type) -> Finding:
    return Finding(
        "several runs",
        Severity.CHANGES,
        f"{cls.__name__}.execute calls super().execute several times: each is a run of its own, told from the others "
        "by its number in the try; a retry takes the success of the run that had its number, and executes the others",
        "see that each try asks for the same runs in the same order, or make each a task of its own",
    )


def _wrapped(cls: type, name: str, tree: ast.AST | None) -> Finding:
    calls = tree is not None and any(
        isinstance(node, ast.FunctionDef) and node.name == name and _calls_super(node, name) for node in ast.walk(tree)
    )
    if not calls:
        gone = (
            "nothing of it goes to Prewarm"
            if name == "execute"
            else "the run is not canceled when Airflow kills the task"
        )
        return Finding(
            f"override {name}",
            Severity.CHANGES,
            f"{cls.__name__}.{name} does not call super().{name}: {gone}",
            f"call super().{name}",
        )
    if name == "execute":
        return Finding(
            "override execute",
            Severity.NOTE,
            f"{cls.__name__}.execute calls super().execute, and goes on behind it as today; with deferrable=True it "
            "does not",
            "keep deferrable=False for it, or move what stands behind super().execute() into post_execute",
        )
    return Finding(
        "override on_kill", Severity.OK, f"{cls.__name__}.on_kill calls super().on_kill, which cancels the run"
    )


def _missing(cls: type, file: str, access: _Access) -> Finding:
    where = f"{os.path.basename(file)}:{access.line}"
    return Finding(
        f"use {access.name}",
        Severity.REFUSED,
        f"{cls.__name__}.{access.method} uses {access.name} ({_ENGINE[access.name]}), which is not there: {where}",
        _INSTEAD.get(access.name, _ANYWAY),
    )


def _tree(cls: type) -> tuple[ast.AST | None, int]:
    """The source of a class, and the line it begins on."""
    try:
        lines, first = inspect.getsourcelines(cls)
        return ast.parse(textwrap.dedent("".join(lines))), first
    except (OSError, TypeError, SyntaxError):
        return None, 0


def _accesses(tree: ast.AST | None, first: int) -> Iterator[_Access]:
    if tree is None:
        return
    seen = set()
    for method in ast.walk(tree):
        if not isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for node in ast.walk(method):
            if isinstance(node, ast.Attribute) and node.attr in _ENGINE and _on_self(node.value):
                access = _Access(node.attr, method.name, first + node.lineno - 1)
                if (access.name, access.method) not in seen and isinstance(node.ctx, ast.Load):
                    seen.add((access.name, access.method))
                    yield access


def _on_self(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id == "self"
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _calls_super(method: ast.FunctionDef, name: str) -> bool:
    return _calls_of_super(method, name) > 0


def _calls_of_super(around: ast.AST, name: str) -> int:
    return sum(
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Call)
        and _on_self(node.value)
        for node in ast.walk(around)
    )
