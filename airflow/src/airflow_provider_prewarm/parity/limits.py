"""Ulimits and device requests: ``docker.types``, which are dicts as the Engine API has them, or dicts of their
arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_prewarm.parity.wrong import ArgumentWrong

_DEVICE_KEYS = {
    "driver": "Driver",
    "count": "Count",
    "device_ids": "DeviceIDs",
    "capabilities": "Capabilities",
    "options": "Options",
}


def ulimits(limits: Sequence[Any]) -> list[dict[str, Any]]:
    """Ulimits of the submit."""
    return [_ulimit(f"ulimits[{i}]", limit) for i, limit in enumerate(limits)]


def _ulimit(name: str, limit: Any) -> dict[str, Any]:
    said = _dict(name, limit, "docker.types.Ulimit")
    called = said.get("name", said.get("Name"))
    if not isinstance(called, str) or not called:
        raise ArgumentWrong(f"{name}.name", f"{called!r} is no limit", "name it as ulimit does: nofile, nproc, core")
    soft, hard = (_whole(f"{name}.{w}", said.get(w, said.get(w.title()))) for w in ("soft", "hard"))
    if hard != -1 and (soft == -1 or soft > hard):
        raise ArgumentWrong(
            name,
            f"the soft limit {soft} is above the hard one, {hard}",
            "set both; what is left out is 0, and -1 is none",
        )
    return {"name": called, "soft": soft, "hard": hard}


def device_requests(requests: Sequence[Any]) -> list[dict[str, Any]]:
    """Device requests of the submit."""
    return [_device_request(f"device_requests[{i}]", request) for i, request in enumerate(requests)]


def _device_request(name: str, request: Any) -> dict[str, Any]:
    said = _dict(name, request, "docker.types.DeviceRequest")
    made = {ours: said.get(ours, said.get(engine)) for ours, engine in _DEVICE_KEYS.items()}
    if not made["count"] and not made["device_ids"]:
        raise ArgumentWrong(name, "it asks for no devices", "set count, where -1 means all, or device_ids")
    if made["count"] and made["device_ids"]:
        raise ArgumentWrong(name, "it has both count and device_ids", "set one of them")
    return {key: value for key, value in made.items() if value}


def _dict(name: str, value: Any, kind: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ArgumentWrong(
            name, f"it is of type {type(value).__name__}", f"write {kind}(…), or a dict of its arguments"
        )
    return value


def _whole(name: str, value: Any) -> int:
    if value is None:  # as the engine takes it
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < -1:
        raise ArgumentWrong(name, f"{value!r} is no limit", "write a whole number from -1 on; -1 is none")
    return value
