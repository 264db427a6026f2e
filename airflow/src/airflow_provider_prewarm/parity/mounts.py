"""Mounts: ``docker.types.Mount``, which is a dict as the Engine API has it, or a dict of its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_prewarm.parity.sizes import size
from airflow_provider_prewarm.parity.wrong import ArgumentWrong

_TYPES = ("bind", "volume", "tmpfs")
# The arguments of docker.types.Mount, and where the Engine API has them.
_PLACES = {
    "target": ("Target",),
    "source": ("Source",),
    "type": ("Type",),
    "read_only": ("ReadOnly",),
    "consistency": ("Consistency",),
    "propagation": ("BindOptions", "Propagation"),
    "no_copy": ("VolumeOptions", "NoCopy"),
    "labels": ("VolumeOptions", "Labels"),
    "driver_config": ("VolumeOptions", "DriverConfig"),
    "subpath": ("VolumeOptions", "Subpath"),
    "tmpfs_size": ("TmpfsOptions", "SizeBytes"),
    "tmpfs_mode": ("TmpfsOptions", "Mode"),
}
_OF_TYPE = {"propagation": "bind", "no_copy": "volume", "labels": "volume", "driver_config": "volume"}
_OF_TYPE |= {"subpath": "volume", "tmpfs_size": "tmpfs", "tmpfs_mode": "tmpfs"}
# What a run can't say.
_REFUSED = {
    "propagation": "leave it out: a bind is rprivate, the engine's default",
    "no_copy": "leave it out: an empty volume gets what the image has at its target, the engine's default",
    "labels": "make the volume on the hosts, with its labels, and mount it by its name",
    "driver_config": "make the volume on the hosts, with its driver, and mount it by its name",
    "subpath": "mount the whole volume",
}
# Values of these that are what the engine does anyway.
_DEFAULTS = {"propagation": ("rprivate",)}


def mounts(all_of_them: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mounts of the submit."""
    return [mount(f"mounts[{i}]", m) for i, m in enumerate(all_of_them)]


def mount(name: str, value: Any) -> dict[str, Any]:
    """One mount of the submit.

    :param name: what it is called in a refusal
    """
    if not isinstance(value, Mapping):
        raise ArgumentWrong(
            name, f"it is of type {type(value).__name__}", "write docker.types.Mount(…), or a dict of its arguments"
        )
    said = _arguments(name, value)
    kind = said.get("type") or ("" if "Target" in value else "volume")
    if kind not in _TYPES:
        raise ArgumentWrong(f"{name}.type", f"{kind!r} can't be mounted", "write bind, volume or tmpfs")
    if not said.get("target"):
        raise ArgumentWrong(f"{name}.target", "it is missing", "write where in the container it is mounted")
    _refuse(name, kind, said)
    made = {"type": kind, "target": said["target"], **_source(name, kind, said.get("source"))}
    if said.get("read_only"):
        made["read_only"] = True
    if said.get("tmpfs_size"):
        made["size"] = size(f"{name}.tmpfs_size", said["tmpfs_size"])
    if said.get("tmpfs_mode"):
        made["mode"] = _mode(name, said["tmpfs_mode"])
    return made


def sources(made: Sequence[Mapping[str, Any]]) -> list[str]:
    """The folders of hosts among mounts of the submit."""
    return [m["source"] for m in made if m["type"] == "bind"]


def _arguments(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """A mount's values by the names of docker.types.Mount's arguments."""
    if "Target" not in value:
        unknown = sorted(str(key) for key in value if key not in _PLACES)
        if unknown:
            raise ArgumentWrong(f"{name}.{unknown[0]}", "docker.types.Mount has no such argument", "leave it out")
        return dict(value)
    names = {place: argument for argument, place in _PLACES.items()}
    said: dict[str, Any] = {}
    for path, found in _leaves(value):
        if path in names:
            said[names[path]] = found
        elif found:
            raise ArgumentWrong(f"{name}.{'.'.join(path)}", "a run can't have it", "leave it out")
    return said


def _leaves(value: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """Keys of the Engine API with their values, those of BindOptions and the like by two."""
    flat: list[tuple[tuple[str, ...], Any]] = []
    for key, found in value.items():
        if str(key).endswith("Options") and isinstance(found, Mapping):
            flat += [((key, inner), of_inner) for inner, of_inner in found.items()]
        else:
            flat.append(((key,), found))
    return flat


def _refuse(name: str, kind: str, said: Mapping[str, Any]) -> None:
    for argument, owner in _OF_TYPE.items():
        found = said.get(argument)
        if not found:
            continue
        if kind != owner:
            raise ArgumentWrong(f"{name}.{argument}", f"a {kind} has none", "leave it out")
        if argument in _REFUSED and found not in _DEFAULTS.get(argument, ()):
            raise ArgumentWrong(f"{name}.{argument}", "a run on Prewarm can't have it", _REFUSED[argument])


def _source(name: str, kind: str, source: Any) -> dict[str, str]:
    if kind == "bind" and not (isinstance(source, str) and source.startswith("/")):
        raise ArgumentWrong(f"{name}.source", f"{source!r} is no absolute path of a host", "begin it with /")
    if kind == "tmpfs" and source:
        raise ArgumentWrong(f"{name}.source", "a tmpfs has none", "write None")
    return {"source": source} if source else {}


def _mode(name: str, mode: Any) -> int:
    if not isinstance(mode, int):
        raise ArgumentWrong(f"{name}.tmpfs_mode", f"{mode!r} is no integer", "write it as 0o1777")
    return mode
