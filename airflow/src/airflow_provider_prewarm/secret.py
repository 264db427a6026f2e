"""Keep secrets that stand in a DAG file out of what Airflow stores of it.

Of a plain task Airflow stores the fields that are templates alone. Of a mapped one it stores all that was given to
``partial`` and ``expand``, as text. What is in the way there becomes ``***``; the worker reads the DAG file again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

_log = logging.getLogger(__name__)

# Parameters that map names to secrets.
PARAMETERS = ("secret_env", "private_environment")


class Secret:
    """A value of a mapped task. Airflow stores an object that it doesn't know as what ``str`` says of it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "***"


def hidden(given: Any) -> Any:
    """Secrets, each of which says nothing of itself. A template names where one is, and stays."""
    if not isinstance(given, Mapping):
        return given
    return {name: Secret(value) if _is_plain(value) else value for name, value in given.items()}


def shown(given: Any) -> Any:
    """What ``hidden`` was given."""
    if not isinstance(given, Mapping):
        return given
    return {name: value.value if isinstance(value, Secret) else value for name, value in given.items()}


def none_in_defaults(dag: Any) -> None:
    """Refuse secrets among a DAG's ``default_args``, which Airflow stores as they are.

    ``private_environment`` is let pass with a warning: DAGs of DockerOperator have it there, where it was as open.

    :raises ValueError: there are some
    """
    given = getattr(dag, "default_args", None) or {}
    for name in PARAMETERS:
        values = given.get(name)
        if not isinstance(values, Mapping) or not any(_is_plain(value) for value in values.values()):
            continue
        what = (
            f"default_args of DAG {dag.dag_id} have {name}: Airflow stores them in its database as they are, and "
            "the values with them. Give it to the tasks themselves, or as templates ({{ var.value… }})"
        )
        if name == "secret_env":
            raise ValueError(what)
        _log.warning("Prewarm: %s", what)


def none_within(options: Any) -> None:
    """Refuse secrets in ``options``, which Airflow shows as rendered.

    :raises ValueError: there are some
    """
    if isinstance(options, Mapping) and "secret_env" in options:
        raise ValueError("options may not have secret_env, since Airflow shows options: use the parameter secret_env")


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value
    return isinstance(value, (bytes, int, float))


def stored(name: str, value: Any) -> Any:
    """What Airflow may store of a parameter."""
    if name == "options":
        none_within(value)
    return hidden(value) if name in PARAMETERS else value


def hiding(partial: Any) -> Any:
    """What ``Operator.partial`` gave, made to hide the secrets that it has and gets."""
    kind = type(partial)
    none_in_defaults(partial.kwargs.get("dag"))
    for name, value in partial.kwargs.items():
        partial.kwargs[name] = stored(name, value)

    class Hiding(kind):  # type: ignore[misc, valid-type]
        __slots__ = ()

        def expand(self, **mapped: Any) -> Any:
            return kind.expand(self, **{name: _each(name, values) for name, values in mapped.items()})

        def expand_kwargs(self, kwargs: Any, **more: Any) -> Any:
            if isinstance(kwargs, Sequence):
                kwargs = [
                    {name: stored(name, value) for name, value in each.items()} if isinstance(each, Mapping) else each
                    for each in kwargs
                ]
            return kind.expand_kwargs(self, kwargs, **more)

    partial.__class__ = Hiding
    return partial


def _each(name: str, values: Any) -> Any:
    return [stored(name, value) for value in values] if isinstance(values, (list, tuple)) else values
