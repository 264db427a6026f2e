"""Published ports, in the forms that docker-py takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_prewarm.parity.wrong import ArgumentWrong

_PROTOCOLS = ("tcp", "udp", "sctp")
_MEND = "write {8080: 80}, {'53/udp': 53}, {8080: ('127.0.0.1', 80)} or {8080: None}"


def ports(bindings: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Ports of the submit: the container's port as the key, the host's as the value, or several of these."""
    made = []
    for key, value in bindings.items():
        name = f"port_bindings[{key!r}]"
        inside, protocol = _inside(name, key)
        for binding in value if isinstance(value, list) else [value]:
            address, outside = _outside(name, binding)
            port: dict[str, Any] = {"container": inside}
            if protocol != "tcp":
                port["protocol"] = protocol
            if address:
                port["host_ip"] = address
            if outside:
                port["host"] = outside
            made.append(port)
    return made


def _inside(name: str, key: Any) -> tuple[int, str]:
    number, _, protocol = str(key).partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise ArgumentWrong(name, f"{protocol!r} is no protocol", "write 53/udp, or tcp or sctp")
    inside = _number(name, number)
    if inside == 0:
        raise ArgumentWrong(name, "0 is no port of a container", _MEND)
    return inside, protocol


def _outside(name: str, binding: Any) -> tuple[str, int]:
    """Address and port of the host; "" is all of its addresses, 0 any free port."""
    if isinstance(binding, Mapping):
        if "HostPort" not in binding:
            raise ArgumentWrong(name, "a dict needs HostPort", _MEND)
        return str(binding.get("HostIp") or ""), _number(name, binding["HostPort"])
    if not isinstance(binding, tuple):
        return "", _number(name, binding)
    if len(binding) == 2:
        return str(binding[0] or ""), _number(name, binding[1])
    if len(binding) != 1:
        raise ArgumentWrong(name, f"{binding!r} is no address and port", _MEND)
    # docker-py: a string alone is an address.
    return (binding[0], 0) if isinstance(binding[0], str) else ("", _number(name, binding[0]))


def _number(name: str, value: Any) -> int:
    text = "" if value is None else str(value).strip()
    if "-" in text:
        raise ArgumentWrong(name, f"{text} is a range", "write each port by itself, or None for any that is free")
    if text and not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise ArgumentWrong(name, f"{value!r} is no port", _MEND)
    return int(text or 0)
