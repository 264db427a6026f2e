"""Where a DAG says that its container is to run, by hosts that the server knows.

A DAG written for DockerOperator names a Docker engine by its address (``docker_url``, or ``$DOCKER_HOST`` where the
worker has it), or means a host by a folder that it mounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_prewarm.parity.wrong import ArgumentWrong

DEFAULT_URL = "unix://var/run/docker.sock"
# What an engine listens on where an address has no port: docker-py takes none of tcp without one.
_PORTS = {"ssh": 22}


@dataclass(frozen=True)
class Wish:
    """Where a task wants to run.

    :param urls: addresses of engines, of which any will do; none: any engine
    :param explicit: whether the DAG says so, and not the worker's environment
    :param binds: folders of the host that are mounted
    :param only: names of hosts; none: any
    :param labels: that the host must have
    """

    urls: Sequence[str] = ()
    explicit: bool = False
    binds: Sequence[str] = ()
    only: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def asks(self) -> bool:
        """Whether the server's hosts have to be known for it."""
        return bool(self.urls or self.binds)


def settle(wish: Wish, hosts: Sequence[Mapping[str, Any]]) -> tuple[list[str], str]:
    """The hosts that may take the run, where none is any; and what people should know of the choice.

    :raises ArgumentWrong: nothing is as wished
    """
    names, note = list(wish.only), ""
    if wish.explicit:
        names = chosen(wish.urls, hosts, wish.only)
    elif wish.urls:
        found, unknown = names_at(wish.urls, hosts)
        if unknown:
            note = f"DOCKER_HOST={unknown[0]} is no host of Prewarm's ({_listed(hosts)}): any host may take the run"
        elif not wish.only:
            names = found
    check_binds(wish.binds, hosts, names, wish.labels)
    return names, note


def urls_of(docker_url: str | Sequence[str] | None) -> list[str]:
    """One address, or several of which any will do."""
    if docker_url is None:
        return []
    return [docker_url] if isinstance(docker_url, str) else [str(url) for url in docker_url]


def normal(url: str) -> str:
    """An address in the one spelling that is compared: as docker-py reads it."""
    text = url.strip()
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator:
        scheme, rest = "tcp", text
    if scheme in ("unix", "http+unix"):
        path = "/" + rest.strip("/")
        # /var/run is a link to /run.
        return "unix://" + ("/var" + path if path.startswith("/run/") else path)
    if scheme in ("http", "https"):
        scheme = "tcp"
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        name, port = parts.hostname or "127.0.0.1", parts.port or _PORTS.get(scheme)
    except ValueError:
        return text
    user = f"{parts.username}@" if parts.username else ""
    if ":" in name:
        name = f"[{name}]"
    return f"{scheme}://{user}{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def is_default(url: str) -> bool:
    """Whether it is the engine of the worker's own machine, which is what nobody has chosen."""
    return normal(url) in ("unix:///var/run/docker.sock", "unix:///")


def names_at(urls: Sequence[str], hosts: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """The names of the hosts at these addresses, and the addresses at which there is none."""
    at = {normal(address): str(host["name"]) for host in hosts for address in _addresses(host)}
    names = [at[normal(url)] for url in urls if normal(url) in at]
    return list(dict.fromkeys(names)), [url for url in urls if normal(url) not in at]


def chosen(urls: Sequence[str], hosts: Sequence[Mapping[str, Any]], only: Sequence[str] = ()) -> list[str]:
    """The hosts that ``docker_url`` and ``hosts`` mean together; none: any.

    The socket of the worker's own machine means any host, unless it is an alias of one.

    :raises ArgumentWrong: an address is no host's, or nothing is left
    """
    names, unknown = names_at(urls, hosts)
    strange = [url for url in unknown if not is_default(url)]
    if strange:
        raise ArgumentWrong(
            "docker_url", f"{', '.join(strange)} is no host of Prewarm's ({_listed(hosts)})", _mend(strange)
        )
    if unknown or not urls:
        return list(only)
    left = [name for name in names if not only or name in only]
    if not left:
        raise ArgumentWrong(
            "docker_url", f"it means {', '.join(names)}, and hosts says {', '.join(only)}", "leave one of them out"
        )
    return left


def check_binds(
    sources: Sequence[str], hosts: Sequence[Mapping[str, Any]], only: Sequence[str], labels: Mapping[str, str]
) -> None:
    """Refuse folders that no host which may take the run says to have.

    :param only: hosts that may; none: all
    :raises ArgumentWrong: with what the hosts have
    """
    may = [host for host in hosts if (not only or host["name"] in only) and _has(host, labels)]
    among = (
        "no host"
        if len(may) == len(hosts)
        else f"none of {', '.join(sorted(str(h['name']) for h in may)) or 'no hosts'}"
    )
    for source in sources:
        if not any(_declares(host, source) for host in may):
            raise ArgumentWrong(
                "mounts",
                f"the folder {source}, or one above it, is declared by {among} ({_binds(hosts)})",
                "a folder of the worker is no folder of the hosts: where hosts have it, write it into their `binds` in "
                "Prewarm's configuration, else take a volume, or scope_volume for files of the next task",
            )
    if sources and not any(all(_declares(host, source) for source in sources) for host in may):
        raise ArgumentWrong(
            "mounts", f"no one host declares all of {', '.join(sources)} ({_binds(hosts)})", "mount folders of one host"
        )


def _addresses(host: Mapping[str, Any]) -> list[str]:
    """An endpoint that is the server's own socket is not the worker's, though they are spelt the same."""
    endpoint = str(host.get("endpoint") or "")
    own = [endpoint] if endpoint and not is_default(endpoint) else []
    return [*own, *(host.get("aliases") or [])]


def _has(host: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    has = host.get("labels") or {}
    return all(has.get(name) == value for name, value in labels.items())


def _declares(host: Mapping[str, Any], source: str) -> bool:
    path = "/" + source.strip("/")
    return any(path == f or path.startswith(f.rstrip("/") + "/") for f in host.get("binds") or [])


def _listed(hosts: Sequence[Mapping[str, Any]]) -> str:
    return (
        "; ".join(f"{host['name']}: {', '.join(_addresses(host)) or 'no address'}" for host in hosts) or "it has none"
    )


def _binds(hosts: Sequence[Mapping[str, Any]]) -> str:
    return (
        "; ".join(f"{host['name']}: {', '.join(host.get('binds') or []) or 'none'}" for host in hosts)
        or "there are none"
    )


def _mend(unknown: Sequence[str]) -> str:
    return (
        f"add `aliases: [{', '.join(unknown)}]` to the host that it is in Prewarm's configuration, "
        "or leave docker_url out for any host"
    )
