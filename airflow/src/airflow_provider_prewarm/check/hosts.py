"""Where a run may go: docker_url, and what is mounted from a host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_prewarm import places
from airflow_provider_prewarm.check.fleet import Fleet
from airflow_provider_prewarm.check.model import Finding, Severity, Task
from airflow_provider_prewarm.check.params import ambient_url, templated

Host = Mapping[str, Any]


def hosts(task: Task, fleet: Fleet | None) -> Iterator[Finding]:
    """docker_url, then the mounts, which hang on it."""
    known = fleet if fleet and fleet.tells_places else None
    if "docker_url" not in task.open:
        yield from _url(task, known)
    if templated(task.params["mounts"]) and not isinstance(task.params["mounts"], (list, tuple)):
        yield Finding("mounts", Severity.UNCHECKED, "they are made at run time", "see what they can become")
    elif "mounts" not in task.open:
        may = None if known is None else eligible(task, known)
        for mount in _mounts(task):
            yield from _mount(mount, may)


def chosen(task: Task, fleet: Fleet) -> list[str]:
    """The names of the hosts that docker_url means; none: any."""
    if "docker_url" in task.open:
        return []
    names, unknown = places.names_at(_urls(task), fleet.hosts)
    # The worker's own engine means any host, unless it is an alias of one.
    return [] if unknown and all(places.is_default(url) for url in unknown) else names


def eligible(task: Task, fleet: Fleet) -> list[Host]:
    """The hosts that may take the run, as far as the task says."""
    names = [str(n) for n in getattr(task.operator, "hosts", None) or ()] if task.kind == "prewarm" else []
    labels = (getattr(task.operator, "host_labels", None) or {}) if task.kind == "prewarm" else {}
    only = chosen(task, fleet)
    return [
        h
        for h in fleet.hosts
        if (not only or h["name"] in only)
        and (not names or h["name"] in names)
        and all((h.get("labels") or {}).get(k) == v for k, v in labels.items())
    ]


def _urls(task: Task) -> list[str]:
    """What is said of the engine, by the task or, where that says nothing, by this process."""
    return places.urls_of(task.params["docker_url"] if "docker_url" in task.given else ambient_url() or None)


def _url(task: Task, fleet: Fleet | None) -> Iterator[Finding]:
    urls, written = _urls(task), "docker_url" in task.given
    said = " or ".join(urls) if written else f"$DOCKER_HOST ({' or '.join(urls)})"
    if not urls:
        return
    if templated(urls):
        yield Finding(
            "docker_url",
            Severity.REFUSED,
            f"{said} is made at run time; it has to be known when the DAG is parsed",
            "name the hosts instead: hosts=[…], or host_labels={…}",
        )
        return
    if fleet is None:
        yield Finding("docker_url", Severity.UNCHECKED, f"which host {said} is, was not asked")
        return
    names, unknown = places.names_at(urls, fleet.hosts)
    strange = [url for url in unknown if not places.is_default(url)]
    if strange and written:
        yield _stranger(strange)
    elif unknown and written and len(eligible(task, fleet)) > 1:
        yield Finding(
            "docker_url",
            Severity.CHANGES,
            f"{said} is the worker's own machine; the run goes to any of {len(eligible(task, fleet))} hosts",
            "add it to the aliases of the host that it is, if the run has to be there, or leave it out",
        )
    elif unknown:
        yield Finding(
            "docker_url",
            Severity.NOTE,
            f"{said} is no endpoint or alias of a host: the run goes to any host of its image",
            "add it to the aliases of the host that it is, if the run has to be there",
        )
    else:
        yield Finding("docker_url", Severity.OK, f"{said} is {_listed(names)}")


def _stranger(urls: Sequence[str]) -> Finding:
    aliases = ", ".join(f"'{url}'" for url in urls)
    return Finding(
        "docker_url",
        Severity.REFUSED,
        f"{' and '.join(urls)}: no endpoint or alias of a host",
        f"add aliases: [{aliases}] to the host that it is in the configuration of Prewarm, or leave docker_url out for "
        "any host",
    )


def _listed(names: Sequence[str]) -> str:
    return f"host {names[0]}" if len(names) == 1 else f"any of the hosts {', '.join(names)}"


def _mounts(task: Task) -> list[dict[str, Any]]:
    """Mounts as the engine spells them: Type, Source, Target."""
    return [_spelled(m) for m in task.params["mounts"] or [] if isinstance(m, Mapping)]


def _spelled(mount: Mapping[str, Any]) -> dict[str, Any]:
    names = {"target": "Target", "source": "Source", "type": "Type"}
    return {"Type": "volume", **{names.get(k, k): v for k, v in mount.items()}}


def _mount(mount: Mapping[str, Any], may: list[Host] | None) -> Iterator[Finding]:
    source = mount.get("Source") or ""
    if templated([source, mount.get("Target"), mount["Type"]]):
        yield Finding(
            "mounts",
            Severity.UNCHECKED,
            f"mount of {source} on {mount.get('Target')} is made at run time",
            "see that what it becomes is a folder that a host declares (binds), or a volume",
        )
    elif mount["Type"] == "bind":
        yield _bind(str(source), may)
    elif mount["Type"] == "volume" and source:
        yield from _volume(str(source), may)


def _bind(source: str, may: list[Host] | None) -> Finding:
    if may is None:
        return Finding("mounts", Severity.UNCHECKED, f"whether a host declares the folder {source}, was not asked")
    having = [str(h["name"]) for h in may if _declares(h, source)]
    if having:
        return Finding("mounts", Severity.OK, f"{source} is declared by {_listed(having)}")
    if source.endswith("docker.sock"):
        return Finding(
            "mounts",
            Severity.REFUSED,
            f"{source} is the engine itself: who has it is root on that host, and starts containers past Prewarm",
            "let the program do without, or leave this task with DockerOperator",
        )
    return Finding(
        "mounts",
        Severity.REFUSED,
        f"{source} is a folder on the machine of one engine, and no host that may take the run declares it",
        f"where hosts have it, write binds: [{source}] at them and bind_mounts: [{source}] in runner.policy; else take "
        "a volume, or put the files where every host reaches them",
    )


def _declares(host: Host, source: str) -> bool:
    path = "/" + source.strip("/")
    return any(path == f or path.startswith(f.rstrip("/") + "/") for f in host.get("binds") or ())


def _volume(name: str, may: list[Host] | None) -> Iterator[Finding]:
    if may is None:
        yield Finding(
            "mounts", Severity.UNCHECKED, f"whether more than one host may have a volume {name}, was not asked"
        )
    elif len(may) > 1:
        yield Finding(
            "mounts",
            Severity.CHANGES,
            f"volume {name}: each of {len(may)} hosts has its own, with other files in it",
            "name the one host (hosts=[…]); for files of the next task of the DAG run there is scope_volume",
        )
