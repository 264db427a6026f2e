"""What becomes of each parameter: one small rule for each, from a task to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from airflow_provider_prewarm.check.fleet import Fleet
from airflow_provider_prewarm.check.hosts import hosts
from airflow_provider_prewarm.check.images import Entry, Ref, entries_for, parse, spoken
from airflow_provider_prewarm.check.load import told
from airflow_provider_prewarm.check.model import Finding, Severity, Task
from airflow_provider_prewarm.check.params import templated
from airflow_provider_prewarm.check.policy import OF_THE_IMAGE, policy
from airflow_provider_prewarm.check.subclasses import subclasses
from airflow_provider_prewarm.parity import program

OK, NOTE, UNCHECKED, CHANGES, REFUSED = (
    Severity.OK,
    Severity.NOTE,
    Severity.UNCHECKED,
    Severity.CHANGES,
    Severity.REFUSED,
)
Rule = Callable[[Task, Fleet | None], Iterator[Finding]]
# Parameters that a rule looks at: what they are must be known for it.
_LOOKED_AT = ("image", "mounts", "docker_url", "network_mode", "ipc_mode", "privileged", "cap_add", "retrieve_output")


def findings(task: Task, fleet: Fleet | None) -> list[Finding]:
    """All that is to be said of a task, the gravest first."""
    found: dict[Finding, None] = {}
    for rule in _SWARM if task.kind == "swarm" else _RULES:
        try:
            found.update(dict.fromkeys(rule(task, fleet)))
        except Exception as e:  # one argument of a strange type is not to hide fifty DAGs
            why = f"{rule.__name__}: could not be looked at: {told(e)}"
            found[Finding("arguments", UNCHECKED, why, "check by hand what this task gets")] = None
    if any(f.rule == "image" and f.severity >= CHANGES for f in found):
        found = {f: None for f in found if f.rule not in OF_THE_IMAGE}  # it is said already
    if task.kind in ("swarm", "decorated"):
        # It goes on as it is, so that nothing of it fails.
        found = {replace(f, severity=min(f.severity, CHANGES)): None for f in found}
    return sorted(found, key=lambda f: -f.severity)


def whole(task: Task, name: str) -> bool:
    """Whether a parameter's value is known now."""
    return name not in task.open and not (name in task.fields and templated(task.params[name]))


def reading(task: Task, _: Fleet | None) -> Iterator[Finding]:
    """What could not be read of a mapped task."""
    if task.unknown:
        yield Finding("mapped", UNCHECKED, task.unknown, "check by hand what this task gets")
    for name in _LOOKED_AT:
        if name in task.open:
            yield Finding(
                name,
                UNCHECKED,
                "the task is mapped over it: what it is, is known at run time only",
                f"make sure that Prewarm takes each {name} that it can get",
            )


def image(task: Task, fleet: Fleet | None) -> Iterator[Finding]:
    """The entry of the configuration that the image means."""
    value = task.params["image"]
    if "image" in task.open:
        return
    if not whole(task, "image"):
        yield Finding(
            "image",
            UNCHECKED,
            f"{_shown(value)} is made at run time",
            "make sure that each image it can become has an entry in the configuration of Prewarm",
        )
        return
    try:
        ref = parse(str(value))
    except ValueError as e:
        yield Finding(
            "image", REFUSED, f"{value!r}: {e}", "name a repository with a tag, or an entry of the configuration"
        )
        return
    if fleet is None:
        yield Finding("image", UNCHECKED, f"whether {ref} has an entry was not asked")
        return
    yield from _entry(task, str(value), ref, fleet)


def _entry(task: Task, value: str, ref: Ref, fleet: Fleet) -> Iterator[Finding]:
    # As the operator asks for it: a name without a tag is that of the tag latest.
    named = next((e for e in fleet.entries if program.image(value) in e.tagged), None)
    found = entries_for(ref, fleet.entries)
    if named is not None and named not in found:
        if task.kind == "prewarm":
            yield from _live(named, value, ref)
            return
        yield Finding(
            "image",
            CHANGES,
            f"{value!r} is {ref} to Docker, and the entry {named.name} of {named.repository} to Prewarm",
            f"write it out, as {ref}",
        )
        return
    if not found:
        yield _missing(value, ref, fleet)
        return
    yield from _live(found[0], spoken(found[0], ref), ref)


def _live(entry: Entry, name: str, ref: Ref) -> Iterator[Finding]:
    if entry.mode != "digest" and not entry.current.get(ref.tag, True):
        yield Finding(
            "image", NOTE, f"is {name}, of which no digest is live yet: runs wait for one", "see prewarm status"
        )
        return
    yield Finding("image", OK, f"is {name}")


def _missing(value: str, ref: Ref, fleet: Fleet) -> Finding:
    entry = next((e for e in fleet.entries if e.name == value), None)
    if entry:
        return Finding(
            "image",
            REFUSED,
            f"{value} is asked for as {program.image(value)}, which the entry {entry.name} does not track",
            f"write it out, as {entry.repository}:{entry.tags[0]}" if entry.tags else "name a repository with its tag",
        )
    same = [e.name for e in fleet.entries if e.repository == ref.repository]
    which = (
        f"has no entry that tracks {ref.digest or ref.tag}" if same else "has no entry in the configuration of Prewarm"
    )
    near = f" ({', '.join(same)}: other tags of it)" if same else ""
    return Finding("image", REFUSED, f"{value} {which}{near}", "add the entry below")


def result(task: Task, _: Fleet | None) -> Iterator[Finding]:
    """What becomes the XCom."""
    p = task.params
    if p["retrieve_output"] and task.kind != "decorated":
        if getattr(task.operator, "result_path", None):
            return
        path = p["retrieve_output_path"]
        yield Finding(
            "retrieve_output",
            REFUSED,
            f"the XCom is unpickled from {path} on the worker, so that the container may run code there",
            f'let the program write JSON and set result_path="{path}" in place of retrieve_output',
        )
    elif "retrieve_output_path" in task.given and not p["retrieve_output"]:
        yield Finding("retrieve_output_path", NOTE, "has no effect without retrieve_output, today either", "drop it")
    if p["xcom_all"]:
        yield Finding(
            "xcom_all",
            NOTE,
            "all lines are the XCom, up to xcom_max_bytes (1 MiB): more fails the task, and no retry is made",
            "let the program write its result as JSON, and name the file as result_path",
        )


def private(task: Task, _: Fleet | None) -> Iterator[Finding]:
    """Values that are kept out of the log."""
    values = task.params["private_environment"]
    pushes = getattr(task.operator, "do_xcom_push", True)
    if task.kind == "docker" and "private_environment" not in task.open and values and pushes:
        yield Finding(
            "private_environment",
            NOTE,
            "a value of it, of 6 bytes or more, is *** in the log, and so in an XCom that is a line of it",
            "where the XCom has to have it, set unmasked=True, or let the program write it as JSON to result_path",
        )


def temporary(task: Task, _: Fleet | None) -> Iterator[Finding]:
    """The folder for temporary files."""
    if not task.params["mount_tmp_dir"]:
        return
    if "host_tmp_dir" in task.given and task.params["host_tmp_dir"]:
        yield Finding(
            "host_tmp_dir",
            NOTE,
            f"{task.params['tmp_dir']} is no longer a folder of the worker below {task.params['host_tmp_dir']}, but a "
            "volume on the run's host, which is removed with the container",
            "see that the engines have room for it where they keep volumes",
        )
    elif task.given & {"mount_tmp_dir", "tmp_dir"}:
        yield Finding(
            "mount_tmp_dir",
            NOTE,
            f"{task.params['tmp_dir']} is a volume on the run's host, which is removed with the container",
        )


_IGNORED = {
    "api_version": "Prewarm speaks to each engine as that one understands",
    "timeout": "the worker no longer calls the engine; how long the task may take is execution_timeout",
    "tls_ca_cert": "certificates of engines are in Prewarm's configuration: hosts[].tls",
    "tls_client_cert": "certificates of engines are in Prewarm's configuration: hosts[].tls",
    "tls_client_key": "certificates of engines are in Prewarm's configuration: hosts[].tls",
    "tls_verify": "engines with TLS are always verified: hosts[].tls",
    "tls_hostname": "the name that an engine's certificate must have is hosts[].tls.server_name",
    "tls_ssl_version": "it has no effect today either",
}


def ignored(task: Task, _: Fleet | None) -> Iterator[Finding]:
    """What the worker no longer has a use for."""
    for name, why in _IGNORED.items():
        if name in task.given and task.params[name] is not None:
            yield Finding(name, NOTE, f"ignored: {why}", "drop it once all tasks have moved")
    if task.params["docker_conn_id"]:
        where = ""
        with suppress(ValueError):
            where = f" for {parse(str(task.params['image'])).repository.split('/')[0]}" if whole(task, "image") else ""
        yield Finding(
            "docker_conn_id",
            NOTE,
            f"ignored: Prewarm pulls, with its own credentials{where}",
            "see that they are in registries: of its configuration, or in its Docker config file",
        )


def lifetime(task: Task, _: Fleet | None) -> Iterator[Finding]:
    """Pulling, naming and removing."""
    p = task.params
    if p["force_pull"]:
        yield Finding(
            "force_pull",
            NOTE,
            "becomes fresh: what the tag shows at the registry now; where that is not warm yet, the run waits. It may "
            "be another digest than that of the other tasks of its DAG run",
        )
    if "auto_remove" in task.given and p["auto_remove"] == "never":
        yield Finding(
            "auto_remove",
            NOTE,
            "the container is removed, too, once its log is safe",
            "read the log in the task or by prewarm logs; nothing else can look for the container later",
        )
    if "container_name" in task.given and p["container_name"]:
        yield Finding(
            "container_name",
            NOTE,
            f"containers get names of their own, so that none is in the way of a retry; {_shown(p['container_name'])} "
            "is their alias in a network of your own, and the label airflow.container_name",
            "where something looks for the container by its name on the host, let it look for the label",
        )
    if p["port_bindings"]:
        yield Finding(
            "port_bindings",
            NOTE,
            "ports are published on the host that the run is placed on",
            "name the host where that matters: hosts=[…]",
        )


def decorated(task: Task, _: Fleet | None) -> Iterator[Finding]:
    """@task.docker: Python of the DAG file, in a container."""
    if task.kind == "decorated":
        yield Finding(
            "task.docker",
            CHANGES,
            "@task.docker sends the function's source and its pickled arguments into the container; there is nothing "
            "in its place, and it goes on running past Prewarm",
            "make the function a program of the image, and call that with @task.prewarm, whose function returns the "
            "command; the result is a JSON file (result_path)",
        )


_SWARM_ONLY = {
    "configs": "files in the image, or mounts",
    "secrets": "secret_env",
    "mode": "a mapped task for several replicas",
    "networks": "network_mode",
    "placement": "hosts and host_labels",
    "container_resources": "mem_limit and cpus",
    "logging_driver": "nothing: Prewarm keeps the log",
}


def swarm(task: Task, _: Fleet | None) -> Iterator[Finding]:
    """A service of a swarm."""
    used = [
        f"{name} → {place}"
        for name, place in _SWARM_ONLY.items()
        if getattr(task.operator, name, None) and name in _written(task)
    ]
    yield Finding(
        "swarm",
        CHANGES,
        "a service of a swarm has no counterpart: it goes on running past Prewarm",
        "make the nodes hosts of Prewarm, and this a PrewarmDockerOperator, which is placed where its image is warm"
        + (f"; {'; '.join(used)}" if used else ""),
    )


def _written(task: Task) -> frozenset[str]:
    return frozenset(getattr(task.operator, "_BaseOperator__init_kwargs", {}))


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else f"of {value}"
    return text if len(text) <= 80 else text[:77] + "…"


_RULES: tuple[Rule, ...] = (
    decorated, reading, image, hosts, policy, result, private, temporary, lifetime, ignored, subclasses,
)  # fmt: skip
_SWARM: tuple[Rule, ...] = (swarm, reading, image)
