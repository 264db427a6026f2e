"""Look at a task's values when its DAG is parsed, as far as no template changes them later.

What is wrong would be refused on a worker, at night, in the words of Python or of the API. Values are repeated in what
is told, but for those of secrets.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow_provider_prewarm.parity.sizes import size
from airflow_provider_prewarm.parity.wrong import ArgumentWrong

Check = Callable[[str, Any], None]

_MARKS = ("{{", "{%", "{#")
_KNOWN = (str, bytes, int, float, timedelta, Mapping, list, tuple, set, frozenset)
_BINARY = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt])i(b?)")
# Fields of docs/openapi.yaml: Mount, and SubmitRun without those that the operator sets itself.
MOUNT = ("type", "source", "target", "read_only", "size", "mode")
_SUBMIT = """
    cap_add cap_drop command concurrency_group concurrency_limit cpu_shares cpus cpuset deadline device_requests devices
    dns dns_options dns_search entrypoint env extra_hosts fresh groups host_labels hostname hosts image init ipc
    keep_volume_on_failure keepalive labels log_cap memory memory_reservation memory_swap mounts network
    network_aliases pid pids_limit pin_scope platform ports priority privileged read_only result scope_volume scratch
    security_opt shm_size skip_exit_codes stop_grace stop_signal sysctls tty ulimits unmasked user wait_warm workdir
    """
SUBMIT = tuple(_SUBMIT.split())
OWN = {
    "key": 'leave it out; more of the key is said by the parameter key="…"',
    "epoch": "leave it out: a clear raises it",
    "join": "leave it out",
    "on_conflict": "leave it out",
    "try": "leave it out",
    "tries": "leave it out, and say retries",
    "keepalive_action": "leave it out",
    "meta": "say what there is beside Airflow's by the parameter meta",
    "secret_env": "use the parameter secret_env, whose values Airflow does not show",
}
# A word that is an operator of a shell, or begins or ends as a redirection or a list does, or has a variable in it.
_SHELL = re.compile(r"^(\|\|?|&&?|;|[0-9&]?>>?.*|<.*)$|.;$|\$\(|\$\{?[A-Za-z_]|`")
_TIMES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def at_parse(task: str, given: Mapping[str, Any]) -> None:
    """Refuse what can't be right, whatever templates give.

    :param given: parameters by name; what has no check is left alone
    :raises ArgumentWrong: with task, parameter, value and what to write
    """
    for name, value in given.items():
        if name not in CHECKS or value is None or _later(value):
            continue
        try:
            CHECKS[name](name, value)
        except ArgumentWrong as e:
            raise ArgumentWrong(f"task {task}: {e.parameter}", e.why, e.mend) from None


def rendered(given: Mapping[str, Any]) -> None:
    """Refuse the same on the worker, where values are what they will be.

    :raises ArgumentWrong: with parameter, value and what to write
    """
    for name, value in given.items():
        if name not in CHECKS or value is None:
            continue
        CHECKS[name](name, value)
        if name in ("env", "secret_env"):
            _no_none(name, value)


def _later(value: Any) -> bool:
    """Whether a value is a template, or what another task gives."""
    if isinstance(value, str):
        return any(mark in value for mark in _MARKS)
    return not isinstance(value, _KNOWN)


def _wrong(name: str, value: Any, what: str, mend: str) -> ArgumentWrong:
    return ArgumentWrong(name, f"{value!r} is no {what}", mend)


def time(name: str, value: Any) -> None:
    """A time: a timedelta, or seconds."""
    if isinstance(value, timedelta) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if not 0 <= seconds < float("inf"):
            raise _wrong(name, value, "time to come", "write a timedelta of 0 or more")
        return
    like = re.fullmatch(r"(\d+)\s*([smhd])\w*", value.strip()) if isinstance(value, str) else None
    example = f"timedelta({_TIMES[like[2]]}={like[1]})" if like else "timedelta(minutes=10)"
    raise _wrong(name, value, "time", f"write {example}, or a number of seconds")


def lasting(name: str, value: Any) -> None:
    """A time that is not over at once."""
    time(name, value)
    if not value:
        raise _wrong(name, value, "time to come", "say how long, or leave it out: then Airflow's own times count")


def exit_codes(name: str, value: Any) -> None:
    """One exit code, or several."""
    several = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
    for code in several:
        if _later(code):
            continue
        if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= 255:
            number = code.strip() if isinstance(code, str) and code.strip().isdigit() else "99"
            raise _wrong(name, code, "exit code", f"write {number}, or a list of such numbers from 0 to 255")


def bytes_of(name: str, value: Any) -> int:
    """Bytes, of which ``docker run`` writes some as 512m or 2g; -1 is no bound."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if text == "-1" or (value == -1 and not isinstance(value, bool)):
        return -1
    binary = _BINARY.fullmatch(text)
    if binary and not binary[3]:  # Kubernetes writes 2Gi
        raise _wrong(name, value, "size", f"write {binary[1]}{binary[2]}")
    return size(name, f"{binary[1]}{binary[2]}" if binary else value)


def _size(name: str, value: Any) -> None:
    bytes_of(name, value)


def command(name: str, value: Any) -> None:
    """A text, or the list of its words."""
    if isinstance(value, str):
        return
    if not isinstance(value, (list, tuple)):
        raise _wrong(name, value, "command", 'write a text, or the list of its words: ["node", "dist/import.js"]')
    for i, word in enumerate(value):
        if isinstance(word, (Mapping, list, tuple, set, frozenset)):
            raise _wrong(f"{name}[{i}]", word, "word", "write a text")


def for_a_shell(words: Sequence[str]) -> str:
    """The first word of a split text that only a shell understands; empty: there is none, or a shell gets it."""
    if len(words) > 1 and words[1].startswith("-") and words[1].endswith("c"):  # sh -c, bash -lc
        return ""
    return next((word for word in words if _SHELL.search(word)), "")


def variables(name: str, value: Any) -> None:
    """Names with values."""
    if not isinstance(value, Mapping):
        kind = type(value).__name__
        raise ArgumentWrong(name, f"it is a {kind}, not a dict of names and values", 'write {"NAME": "value"}')


def secrets(name: str, value: Any) -> None:
    """The same, of which no value is repeated."""
    variables(name, value)
    for variable, secret in value.items():
        if isinstance(secret, Mapping) and set(secret) != {"file"}:
            raise ArgumentWrong(
                f"{name}[{variable!r}]",
                "it is a dict with other keys than file",
                'write its value, or {"file": "/run/secrets/x"}, a file on the server',
            )
        if isinstance(secret, (list, tuple, set, frozenset)):
            raise ArgumentWrong(f"{name}[{variable!r}]", f"it is a {type(secret).__name__}", "write one text")


def _no_none(name: str, value: Mapping[str, Any]) -> None:
    # Not at parse: os.getenv may give nothing there, on a scheduler, and something on the worker.
    for variable, said in value.items():
        if said is None:
            raise ArgumentWrong(f"{name}[{variable!r}]", "it is None", 'leave it out, or write "" for an empty one')


def mounts(name: str, value: Any) -> None:
    """A list of the API's mounts."""
    if isinstance(value, Mapping) or not isinstance(value, Collection) or isinstance(value, (str, bytes)):
        raise _wrong(name, value, "list of mounts", f"write [{_mount_like(value)}]")
    for i, mount in enumerate(value):
        if _later(mount):
            continue
        if not isinstance(mount, Mapping):
            raise _wrong(f"{name}[{i}]", mount, "mount", f"write {_mount_like(mount)}")

        _known(f"{name}[{i}]", mount, MOUNT)


def _known(name: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse keys that the API does not have."""
    for key in given:
        if key in known or _later(key):
            continue
        like = difflib.get_close_matches(str(key).lower(), known, 1, 0.6)
        mend = f"did you mean {like[0]}?" if like else f"known are {', '.join(sorted(known))}"
        raise ArgumentWrong(f"{name}.{key}", "there is no such field", mend)


def options(name: str, value: Any) -> None:
    """Further fields of a submit, but for those that make a task's retries and clears what they are."""
    variables(name, value)
    for key in value:
        if key in OWN:
            raise ArgumentWrong(f"{name}.{key}", "the operator sets it for each try", OWN[key])
    _known(name, value, SUBMIT)


def _mount_like(value: Any) -> str:
    """How a mount is written; with what ``docker run -v`` would make of a text."""
    parts = value.split(":") if isinstance(value, str) else []
    source, target = parts[:2] if len(parts) in (2, 3) else ("cache", "/cache")
    kind = "bind" if source.startswith("/") else "volume"
    more = ', "read_only": True' if parts[2:] == ["ro"] else ""
    return f'{{"type": "{kind}", "source": "{source}", "target": "{target}"{more}}}'


def dicts(name: str, value: Any) -> None:
    """A list of dicts."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Collection):
        raise _wrong(name, value, "list of dicts", "see the operator's documentation for what stands in one")
    for i, each in enumerate(value):
        if not (_later(each) or isinstance(each, Mapping)):
            raise _wrong(f"{name}[{i}]", each, "dict", "see the operator's documentation for what stands in it")


def number(name: str, value: Any) -> None:
    """A number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(name, value, "number", "write it without quotes")


def whole(name: str, value: Any) -> None:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, value, "whole number", "write it without quotes, as 4")


CHECKS: Mapping[str, Check] = {
    "wait_warm": time,
    "reconnect_timeout": time,
    "keepalive": lasting,
    "stop_grace": time,
    "skip_on_exit_code": exit_codes,
    "fail_on_exit_code": exit_codes,
    "memory": _size,
    "memory_swap": _size,
    "shm_size": _size,
    "log_cap": _size,
    "command": command,
    "entrypoint": command,
    "env": variables,
    "secret_env": secrets,
    "labels": variables,
    "extra_hosts": variables,
    "host_labels": variables,
    "meta": variables,
    "options": options,
    "mounts": mounts,
    "ulimits": dicts,
    "cpus": number,
    "cpu_shares": whole,
    "pids_limit": whole,
    "gpus": whole,
    "concurrency_limit": whole,
    "xcom_max_bytes": whole,
}
