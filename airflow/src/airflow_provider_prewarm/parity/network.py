"""The container's network, and its name in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_prewarm.parity.wrong import ArgumentWrong

# Networks of the engine's own: they have no names of containers.
_NAMELESS = ("", "default", "bridge", "none", "host")
# By it a container is found that has a name of its own; Docker's own name is the server's, so that a leftover of an
# earlier try never blocks the next one.
NAME_LABEL = "airflow.container_name"


def network(mode: Any, container_name: Any) -> dict[str, Any]:
    """``network`` and ``network_aliases``: in a network with names, containers find it by its own."""
    mode = str(mode or "")
    alias = _name(container_name)
    own = mode in _NAMELESS or mode.startswith("container:")
    return {
        "network": "" if mode == "default" else mode,
        "network_aliases": [alias] if alias and not own else [],
    }


def labels(asked: Any, container_name: Any) -> dict[str, str]:
    """Labels of a dict, or of a list of names without values."""
    if asked is None:
        made = {}
    elif isinstance(asked, Mapping):
        made = {str(name): "" if value is None else str(value) for name, value in asked.items()}
    elif isinstance(asked, (list, tuple)):
        made = {str(name): "" for name in asked}
    else:
        raise ArgumentWrong("labels", f"it is of type {type(asked).__name__}", "write a dict, or a list of names")
    for name in made:
        if name.startswith("prewarm."):
            raise ArgumentWrong(f"labels[{name!r}]", "labels that begin with prewarm. are the server's", "rename it")
    alias = _name(container_name)
    return {NAME_LABEL: alias, **made} if alias else made


def extra_hosts(hosts: Any) -> list[str]:
    """``name:ip`` of a dict, in its order by name as docker-py has it; or of a list of these."""
    if isinstance(hosts, Mapping):
        return [f"{name}:{address}" for name, address in sorted(hosts.items())]
    return strings("extra_hosts", hosts)


def strings(parameter: str, values: Iterable[Any] | None) -> list[str]:
    """A list of strings."""
    if values is None:
        return []
    if isinstance(values, (str, bytes)):
        raise ArgumentWrong(parameter, f"it is of type {type(values).__name__}", "write a list of strings")
    return [str(value) for value in values]


def _name(container_name: Any) -> str:
    return str(container_name or "").lstrip("/")
