"""What the check speaks of: tasks, findings, and the places in files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal


class Severity(IntEnum):
    """How much a finding matters; of several the highest counts."""

    OK = 0  # nothing changes
    NOTE = 1  # ignored, or the same by other means
    UNCHECKED = 2  # could not be looked at: made at run time, or no server was asked
    CHANGES = 3  # it means something else
    REFUSED = 4  # it would fail

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """One thing that a reader should know of one task, or of one line.

    :param rule: a stable word for the kind of finding, mostly the parameter it is about
    :param what: what is, and what becomes of it
    :param do: what to do about it; may be empty
    """

    rule: str
    severity: Severity
    what: str
    do: str = ""


# docker: DockerOperator and its subclasses; swarm: DockerSwarmOperator and its own; decorated: @task.docker;
# prewarm: PrewarmDockerOperator, moved already.
Kind = Literal["docker", "swarm", "decorated", "prewarm"]


@dataclass(frozen=True)
class Task:
    """An operator of a DAG, as data.

    :param file: where its DAG is defined
    :param line: of the task there; 0: not known
    :param name: of its class, with the module
    :param cls: the class itself
    :param params: the parameters of DockerOperator, by their names, as the operator has them
    :param given: which of them somebody wrote, in the DAG, its default_args or a subclass
    :param fields: which parameters are rendered at run time
    :param open: parameters whose values are known at run time only, because the task is mapped over something
    :param mapped: whether it is a mapped task
    :param unknown: why its parameters could not be read in full; empty: they were
    """

    file: str
    line: int
    dag_id: str
    task_id: str
    name: str
    kind: Kind
    cls: type
    params: Mapping[str, Any]
    given: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    mapped: bool = False
    unknown: str = ""
    operator: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Use:
    """A line of a file that speaks to Docker past any operator, or an import that has to change.

    :param name: what stands there, as ``DockerHook(`` or ``import docker``
    :param function: the innermost function around it; empty: none
    :param starts: the lines on which the functions around it begin, their decorators included, the outermost first
    """

    file: str
    line: int
    name: str
    function: str = ""
    starts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """An entry that the configuration of Prewarm lacks.

    :param repository: as Docker spells it out, with its registry
    :param tag: that has to be tracked; empty: ``digest`` says what
    """

    repository: str
    tag: str = ""
    digest: str = ""
