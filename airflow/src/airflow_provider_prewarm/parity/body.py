"""All arguments together: the container's part of a submit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_prewarm.parity import limits, mounts, network, ports, program, sizes, variables
from airflow_provider_prewarm.parity.signature import DEFAULTS
from airflow_provider_prewarm.parity.wrong import ArgumentWrong

# The kernel's weight of one CPU.
_SHARES = 1024


def container(
    given: Mapping[str, Any],
    result_path: str | None = None,
    literal: Callable[[Any], Any] = program.literal,
    parse_file: Callable[[str], Mapping[str, Any]] = variables.parse_file,
) -> dict[str, Any]:
    """The container's part of a submit (docs/openapi.yaml, SubmitRun), without what is empty.

    :param given: DockerOperator's arguments by their names, rendered; what is missing has its default
    :param result_path: the JSON file in the container that is the XCom
    :param literal: DockerOperator.format_command, or what a subclass has in its place
    :param parse_file: DockerOperator.unpack_environment_variables, or what a subclass has in its place
    :raises ValueError: an argument has no meaning, or (ArgumentWrong) one that a run can't have
    """
    a = {**DEFAULTS, **given}
    check_as_docker(a)
    _check_result(a, result_path)
    said: dict[str, Any] = {
        "image": program.image(a["image"]),
        **program.program(literal(a["command"]), literal(a["entrypoint"])),
        **variables.variables(
            parse_file(a["env_file"]) if a["env_file"] is not None else {},
            a["environment"] or {},
            a["private_environment"] or {},
            a["tmp_dir"] if a["mount_tmp_dir"] else None,
        ),
        **network.network(a["network_mode"], a["container_name"]),
        **_resources(a),
        "labels": network.labels(a["labels"], a["container_name"]),
        "extra_hosts": network.extra_hosts(a["extra_hosts"]),
        "dns": network.strings("dns", a["dns"]),
        "dns_search": network.strings("dns_search", a["dns_search"]),
        "ports": ports.ports(a["port_bindings"] or {}),
        "mounts": mounts.mounts(a["mounts"] or []),
        "scratch": {"type": "volume", "target": a["tmp_dir"]} if a["mount_tmp_dir"] else None,
        "user": "" if a["user"] is None else str(a["user"]),
        "workdir": a["working_dir"],
        "hostname": a["hostname"],
        "tty": bool(a["tty"]),
        "ipc": a["ipc_mode"],
        "privileged": bool(a["privileged"]),
        "cap_add": network.strings("cap_add", a["cap_add"]),
        "log_cap": sizes.log_cap(a["log_opts_max_size"], a["log_opts_max_file"]),
        "result": result_path,
    }
    return {name: value for name, value in said.items() if value}


def _resources(a: Mapping[str, Any]) -> dict[str, Any]:
    """Memory and weights.

    The weight is sent even where it is that of one CPU: with cgroup v2 a container without one does not count as 1024,
    and tasks that said ``cpus=2`` would weigh less than those that said nothing.
    """
    return {
        "memory": sizes.size("mem_limit", a["mem_limit"]),
        "shm_size": sizes.size("shm_size", a["shm_size"]),
        "cpu_shares": _shares(a["cpus"]),
        "ulimits": limits.ulimits(a["ulimits"] or []),
        "device_requests": limits.device_requests(a["device_requests"] or []),
    }


def _shares(cpus: Any) -> int:
    try:
        shares = int(round(cpus * _SHARES))  # noqa: RUF046 (cpus may be anything)
    except (TypeError, ValueError, OverflowError):
        shares = -1
    if shares < 0:
        raise ArgumentWrong("cpus", f"{cpus!r} is no weight", "write a number such as 1.0, which is the usual one")
    return shares


def check_as_docker(a: Mapping[str, Any]) -> None:
    """Refuse what DockerOperator refuses as it is made, with its words."""
    if not a["auto_remove"] or a["auto_remove"] not in ("never", "success", "force"):
        raise ValueError(
            f"Invalid `auto_remove` value {a['auto_remove']!r}, expected one of 'never', 'success', or 'force'."
        )
    if a["port_bindings"] and a["network_mode"] == "host":
        raise ValueError("Port bindings is not supported in the host network mode")


def _check_result(a: Mapping[str, Any], result_path: str | None) -> None:
    if a["retrieve_output"] and not result_path:
        raise ArgumentWrong(
            "retrieve_output",
            "it unpickles a file of the container on the worker, which Prewarm never does",
            "let the program write JSON, and name the file as result_path, such as /airflow/xcom/return.json",
        )
