"""Find the operators of Docker in DAGs, and read each into a Task."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_prewarm.check.load import told
from airflow_provider_prewarm.check.model import Kind, Task
from airflow_provider_prewarm.check.params import DEFAULTS, PRIVATE, ambient_url, filler
from airflow_provider_prewarm.places import DEFAULT_URL

# By name, not by import: the docker provider may not be installed, and then no DAG has them.
_KINDS: dict[tuple[str, str], Kind] = {
    ("airflow_provider_prewarm.operators.docker", "PrewarmDockerOperator"): "prewarm",
    ("airflow.providers.docker.decorators.docker", "_DockerDecoratedOperator"): "decorated",
    ("airflow.providers.docker.operators.docker_swarm", "DockerSwarmOperator"): "swarm",
    ("airflow.providers.docker.operators.docker", "DockerOperator"): "docker",
}
# Of a task that is mapped over a list in the file: more than so many values are not looked at one by one.
MOST_VALUES = 200
Line = Callable[[str, str], int]


def kind_of(cls: type) -> Kind | None:
    """What of Docker a class is; None: nothing."""
    for base in cls.__mro__:
        kind = _KINDS.get((base.__module__, base.__name__))
        if kind:
            return kind
    return None


def own_classes(cls: type) -> list[type]:
    """The classes that users wrote, the lowest first: those above the operator, and mixins beside it."""
    operator = _operator_of(cls)
    theirs = operator.__mro__ if operator else ()
    return [base for base in cls.__mro__ if base not in theirs]


def goes_before(cls: type, base: type) -> bool:
    """Whether a class's members go before the operator's; those of a mixin behind it do not."""
    operator = _operator_of(cls)
    return operator is None or cls.__mro__.index(base) < cls.__mro__.index(operator)


def _operator_of(cls: type) -> type | None:
    return next((base for base in cls.__mro__ if (base.__module__, base.__name__) in _KINDS), None)


def tasks_of(dag: Any, line_of: Line) -> Iterator[Task]:
    """The Docker tasks of a DAG. A task that is mapped over values in the file gives one for each value."""
    for operator in dag.tasks:
        cls = getattr(operator, "operator_class", None) or type(operator)
        kind = kind_of(cls) if isinstance(cls, type) else None
        if kind is None:
            continue
        base = Task(
            file=dag.fileloc,
            line=_line(operator, line_of, dag.fileloc),
            dag_id=dag.dag_id,
            task_id=operator.task_id,
            name=f"{cls.__module__}.{cls.__qualname__}",
            kind=kind,
            cls=cls,
            params={},
            fields=frozenset(operator.template_fields),
        )
        if cls is type(operator):
            yield _read(base, operator, frozenset())
        else:
            yield from _mapped(replace(base, mapped=True), operator)


def _line(operator: Any, line_of: Line, file: str) -> int:
    """A decorated function says where it stands; any other task is looked for by its id."""
    function = getattr(operator, "python_callable", None)
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if code is not None and code.co_filename == file:
        return int(code.co_firstlineno)
    return line_of(file, operator.task_id)


def _read(base: Task, operator: Any, open_: frozenset[str], unknown: str = "") -> Task:
    """Take the parameters off an operator: they are attributes, and a subclass may have changed them."""
    written = getattr(operator, "_BaseOperator__init_kwargs", {})
    params = {name: _value(operator, written, name) for name in DEFAULTS}
    given = frozenset(n for n in DEFAULTS if n in written or _differs(params[n], DEFAULTS[n]))
    given -= _derived(base, written, params)
    return replace(base, params=params, given=given, open=open_, unknown=unknown, operator=operator)


def _derived(base: Task, written: Mapping[str, Any], params: Mapping[str, Any]) -> set[str]:
    """What the operator itself fills in where nobody wrote it."""
    derived: set[str] = set()
    if not written.get("docker_url") and params["docker_url"] in (None, ambient_url(), DEFAULT_URL):
        derived.add("docker_url")
    if base.kind == "decorated":
        derived |= {"command", "retrieve_output", "retrieve_output_path"}
    return derived


def _value(operator: Any, written: Mapping[str, Any], name: str) -> Any:
    attribute = PRIVATE.get(name, name)
    if hasattr(operator, attribute):
        return getattr(operator, attribute)
    return written.get(name, DEFAULTS[name])


def _differs(value: Any, default: Any) -> bool:
    # Operators make {} and [] of None, and a list of a number.
    return bool(value != default) if value else bool(default)


def _mapped(base: Task, operator: Any) -> Iterator[Task]:
    names, values, unknown = _expanded(operator)
    unknown = unknown or _beyond(values)
    first = {name: values[name][0] if values.get(name) else filler(name) for name in names}
    if hasattr(operator, "op_kwargs_expand_input"):
        first = {"op_kwargs": dict.fromkeys(_names(operator.op_kwargs_expand_input.value), "{{ mapped }}")}
    samples = [first]
    for name, several in values.items():
        samples += [{**first, name: value} for value in several[1:MOST_VALUES]]
    open_ = frozenset(name for name in names if name not in values) & frozenset(DEFAULTS)
    for sample in samples:
        yield _sample(base, operator, sample, open_, unknown)


def _sample(base: Task, operator: Any, sample: dict[str, Any], open_: frozenset[str], unknown: str) -> Task:
    """Make the operator that one of the mapped tasks would be.

    A class that can't be made so is read as far as it was written.
    """
    try:
        return _read(base, operator.unmap(sample), open_, unknown)
    except Exception as e:  # anything that a subclass may do in __init__
        why = unknown or f"{base.cls.__name__} could not be made without its mapped values: {told(e)}"
    written = {**_defaults(operator.dag, operator.task_group), **operator.partial_kwargs, **sample}
    params = {name: written.get(name, default) for name, default in DEFAULTS.items()}
    given = frozenset(written) & frozenset(DEFAULTS)
    return replace(base, params=params, given=given, open=open_, unknown=why, operator=operator)


def _expanded(operator: Any) -> tuple[set[str], dict[str, list[Any]], str]:
    """What a task is mapped over: parameters, the values of those that stand in the file, what can't be known."""
    if hasattr(operator, "op_kwargs_expand_input"):
        return set(), {}, ""  # a decorated one: the arguments of its function
    value = operator.expand_input.value
    if isinstance(value, Mapping):
        return set(value), {n: list(v) for n, v in value.items() if isinstance(v, (list, tuple)) and v}, ""
    if isinstance(value, (list, tuple)) and all(isinstance(item, Mapping) for item in value):
        names = {name for item in value for name in item}
        return names, {n: [item[n] for item in value if n in item] for n in names}, ""
    return set(), {}, "expand_kwargs: which parameters it replaces, and with what, is known at run time only"


def _beyond(values: Mapping[str, list[Any]]) -> str:
    """What is said of values that are not looked at one by one."""
    long = [f"{len(several)} values of {name}" for name, several in values.items() if len(several) > MOST_VALUES]
    return f"of {' and '.join(long)} only the first {MOST_VALUES} were looked at" if long else ""


def _names(value: Any) -> list[str]:
    """The arguments of a function that is mapped, as far as they are known."""
    if isinstance(value, Mapping):
        return list(value)
    return [name for item in value for name in item] if isinstance(value, (list, tuple)) else []


def _defaults(dag: Any, group: Any) -> dict[str, Any]:
    """default_args of the DAG and of the task groups around the task, the inner ones first in rank."""
    groups = []
    while group is not None:
        groups.append(getattr(group, "default_args", None) or {})
        group = getattr(group, "parent_group", None) or getattr(group, "task_group", None)
    merged: dict[str, Any] = dict(getattr(dag, "default_args", None) or {})
    for args in reversed(groups):
        merged.update(args)
    return merged
