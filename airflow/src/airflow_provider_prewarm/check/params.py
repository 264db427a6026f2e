"""The values of DockerOperator's parameters, as DAGs have them: known now, or at run time only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from airflow_provider_prewarm.parity.signature import DEFAULTS as _OPTIONAL

DEFAULTS: dict[str, Any] = {"image": None, **_OPTIONAL}
# Kept under another name by the operator.
PRIVATE = {"private_environment": "_private_environment"}
_DICTS = ("environment", "private_environment", "labels", "port_bindings", "extra_hosts", "op_kwargs")
_LISTS = ("mounts", "dns", "dns_search", "cap_add", "ulimits", "device_requests")


def filler(name: str) -> Any:
    """What stands for a value that is known at run time only: for a class to be made with; no rule looks at it."""
    if name in _DICTS:
        return {}
    return [] if name in _LISTS else _OPTIONAL.get(name, "{{ mapped }}")


def templated(value: Any) -> bool:
    """Whether a value is made at run time: by Jinja, by an XCom of another task, or anything in it is."""
    if isinstance(value, str):
        return any(mark in value for mark in ("{{", "{%", "{#"))
    if isinstance(value, Mapping):
        return any(templated(v) for item in value.items() for v in item)
    if isinstance(value, (list, tuple, set)):
        return any(templated(v) for v in value)
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def ambient_url() -> str:
    """The engine that DockerOperator takes where its task says nothing: $DOCKER_HOST; empty: it is not set here."""
    return os.environ.get("DOCKER_HOST", "")
