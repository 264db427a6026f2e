"""Which arguments can be looked at when the DAG is parsed: those that no template changes later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_prewarm.parity.signature import DEFAULTS

_MARKS = ("{{", "{%", "{#")
_SCALARS = (bool, int, float, bytes, type(None))


def is_plain(value: Any, extensions: Sequence[str] = ()) -> bool:
    """Whether a value is what it will be: no template, no file of one, no result of another task."""
    if isinstance(value, str):
        return not any(mark in value for mark in _MARKS) and not value.endswith(tuple(extensions))
    if isinstance(value, Mapping):
        return all(is_plain(v, extensions) for pair in value.items() for v in pair)
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_plain(v, extensions) for v in value)
    return isinstance(value, _SCALARS)


def plain_part(arguments: Mapping[str, Any], templated: Sequence[str], extensions: Sequence[str]) -> dict[str, Any]:
    """Arguments with their defaults in place of what is not plain; dicts and lists keep what is.

    The content of ``env_file`` is left for later: it may be large, and is a file as a rule.
    """
    part = dict(arguments)
    for name in templated:
        if name in part:
            part[name] = _plain(part[name], extensions, DEFAULTS.get(name, "templated"))
    if "command" in templated and not is_plain(arguments.get("command"), extensions):
        part["entrypoint"] = None  # whether an empty one can be is up to the command
    part["env_file"] = None
    return part


def without_none(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without a None within them, as ``os.getenv`` gives it where a variable is set on workers only."""
    part = dict(arguments)
    for name in ("environment", "private_environment"):
        part[name] = {k: v for k, v in (part[name] or {}).items() if v is not None}
    for name in ("command", "entrypoint"):
        if isinstance(part[name], (list, tuple)) and None in part[name]:
            part |= {"command": None, "entrypoint": None}
    part["mounts"] = [m for m in part["mounts"] or [] if not (isinstance(m, Mapping) and _lacks(m))]
    part["image"] = part["image"] or "unknown"
    return part


def _lacks(mount: Mapping[str, Any]) -> bool:
    return any(mount.get(name, "") is None for name in ("source", "target", "Source", "Target"))


def _plain(value: Any, extensions: Sequence[str], default: Any) -> Any:
    if is_plain(value, extensions):
        return value
    if isinstance(value, Mapping):
        return {k: v for k, v in value.items() if is_plain(k, extensions) and is_plain(v, extensions)}
    # A command of which a word is left out is another one; a list of mounts is not.
    if isinstance(value, list) and all(isinstance(v, Mapping) for v in value):
        return [v for v in value if is_plain(v, extensions)]
    return default
