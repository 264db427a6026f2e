"""What would be refused: by the operator's own reading of its arguments, then by the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_prewarm.check.find import own_classes
from airflow_provider_prewarm.check.fleet import Fleet
from airflow_provider_prewarm.check.hosts import chosen
from airflow_provider_prewarm.check.model import Finding, Severity, Task
from airflow_provider_prewarm.check.params import DEFAULTS, templated
from airflow_provider_prewarm.parity import body
from airflow_provider_prewarm.parity.plain import plain_part
from airflow_provider_prewarm.parity.wrong import ArgumentWrong
from airflow_provider_prewarm.runs import terms

# There is a rule for it, which says more.
OF_THE_IMAGE = {"image_not_managed", "tag_not_found"}
# Refusals that end by themselves.
_FOR_NOW = {
    "image_not_warm", "no_current", "pin_cold", "queue_full", "host_unreachable", "scope_host_unavailable", "no_space",
    "registry_unavailable", "registry_limited", "registry_auth", "registry_answer", "stopping",
}  # fmt: skip


def policy(task: Task, fleet: Fleet | None) -> Iterator[Finding]:
    """Arguments that a run can't have, and what the server has against the rest."""
    made, wrong = container(task)
    yield from wrong
    if made is None:
        return
    problems = fleet.problems(_asked(made, task, fleet)) if fleet else None
    if problems is None:
        why = fleet.why_not if fleet else "no server was asked"
        yield from _unasked(made, why)
        return
    for problem in problems:
        if problem.code not in OF_THE_IMAGE or _is_known(task):
            severity = Severity.NOTE if problem.code in _FOR_NOW else Severity.REFUSED
            yield Finding(problem.code, severity, problem.detail, problem.mend)


def _is_known(task: Task) -> bool:
    return "image" not in task.open and not templated(task.params["image"])


def container(task: Task) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The container's part of the submit that would be made, without what is not known yet, and what is wrong."""
    # What can be unpickled only has a rule of its own.
    given = {**task.params, "retrieve_output": False, **{name: DEFAULTS[name] for name in task.open}}
    if "command" in task.open:
        given["entrypoint"] = None  # an empty one can be, where there is a command
    if task.kind == "decorated" or any("format_command" in vars(cls) for cls in own_classes(task.cls)):
        given |= {"command": None, "entrypoint": None}  # what they are is known once the task runs
    given = plain_part(given, tuple(task.fields), tuple(getattr(task.cls, "template_ext", ())))
    given["image"] = given["image"] if isinstance(given["image"], str) else "unknown"
    wrong: list[Finding] = []
    for _ in DEFAULTS:
        try:
            return body.container(given, getattr(task.operator, "result_path", None)), wrong
        except ArgumentWrong as e:
            name = e.parameter.split("[")[0].split(".")[0]
            wrong.append(Finding(name, Severity.REFUSED, f"{e.parameter}: {e.why}", e.mend))
            names = [name] if name in given else ["command", "entrypoint"]
            given.update({n: DEFAULTS[n] for n in names})
        except (ValueError, TypeError, AttributeError) as e:
            wrong.append(
                Finding(
                    "arguments",
                    Severity.REFUSED,
                    f"can't be read: {e}",
                    "write them as DockerOperator's documentation says",
                )
            )
            break
    return None, wrong


def _asked(made: Mapping[str, Any], task: Task, fleet: Fleet) -> dict[str, Any]:
    """The submit that the server is asked about. No value of a variable leaves this machine, nor does the command."""
    asked = {k: v for k, v in made.items() if k not in ("command", "entrypoint", "env", "secret_env")}
    secrets = [{"name": secret["name"], "value": "not its value"} for secret in made.get("secret_env", ())]
    only = chosen(task, fleet)
    if task.kind == "prewarm":
        named = terms.listed(getattr(task.operator, "hosts", None))
        only = [n for n in only if n in named] if only and named else only or named
        labels = dict(getattr(task.operator, "host_labels", None) or {})
        asked |= {"host_labels": labels} if labels else {}
    asked |= {"wait_warm": "15m"}
    asked |= {"secret_env": secrets} if secrets else {}
    return asked | ({"hosts": only} if only else {})


def _unasked(made: Mapping[str, Any], why: str) -> Iterator[Finding]:
    """What is refused unless the server's policy allows it, where that can't be asked."""
    wants = [
        ("privileged", made.get("privileged"), "runner.policy.privileged"),
        ("cap_add", made.get("cap_add"), "runner.policy.cap_add"),
        ("network_mode", _of_host(made.get("network", "")), "runner.policy.host_namespaces"),
        ("ipc_mode", _of_host(made.get("ipc", "")), "runner.policy.host_namespaces"),
        ("mounts", [m["source"] for m in made.get("mounts", ()) if m["type"] == "bind"], "runner.policy.bind_mounts"),
        ("private_environment", bool(made.get("secret_env")), "runner.secret_key_file"),
    ]
    for rule, wanted, key in wants:
        if wanted:
            value = "" if wanted is True else f" {wanted if isinstance(wanted, str) else ', '.join(wanted)}"
            yield Finding(rule, Severity.UNCHECKED, f"{rule}{value} needs {key} of the server ({why})")


def _of_host(namespace: str) -> str:
    return namespace if namespace == "host" or namespace.startswith("container:") else ""
