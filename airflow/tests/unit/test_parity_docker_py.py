"""For a table of arguments: the container that the real DockerOperator asks an engine for by the real docker-py, and
the one that Prewarm's server asks for by ours, are the same.

What docker-py would send is caught before it is sent. What the server makes of a submit is written down here as
internal/docker/config.go has it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_prewarm.parity import body

docker = pytest.importorskip("docker")
docker_operators = pytest.importorskip("airflow.providers.docker.operators.docker")

from docker.types import DeviceRequest, Mount, Ulimit  # noqa: E402

IMAGE = "registry.test/etl/node-jobs:1"


class Caught(Exception):
    """The request to make a container."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config


@pytest.fixture(autouse=True)
def catch(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(_: Any, config: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        raise Caught(dict(config))

    monkeypatch.setattr(docker.APIClient, "ping", lambda *_: True)
    monkeypatch.setattr(docker.APIClient, "images", lambda *_, **__: ["there"])
    monkeypatch.setattr(docker.APIClient, "create_container_from_config", create)


def of_docker(**arguments: Any) -> dict[str, Any]:
    """What DockerOperator asks an engine for."""
    operator = docker_operators.DockerOperator(
        task_id="t", docker_url="tcp://127.0.0.1:1", api_version="1.45", **{"mount_tmp_dir": False, **arguments}
    )
    with pytest.raises(Caught) as caught:
        operator.execute.__wrapped__(operator, {})
    config = caught.value.config
    host = dict(config.pop("HostConfig"))
    host.pop("LogConfig")  # Prewarm's server reads the log by a driver of its choice
    if host["NetworkMode"] == "default":
        host["NetworkMode"] = ""
    host["Mounts"] = [tidy(mount) for mount in host.get("Mounts", [])]
    for attached in ("AttachStdout", "AttachStderr", "ExposedPorts"):
        config.pop(attached)
    sent: dict[str, Any] = json.loads(json.dumps({**config, **host, "Env": sorted(config["Env"] or [])}))
    return tidy(sent)


def of_prewarm(**arguments: Any) -> dict[str, Any]:
    """What the server asks an engine for."""
    submit = body.container({"mount_tmp_dir": False, **arguments})
    env = [*submit.get("env", []), *(f"{s['name']}={s['value']}" for s in submit.get("secret_env", []))]
    return tidy(
        {
            "Image": submit["image"],
            "Cmd": submit.get("command"),
            "Entrypoint": submit.get("entrypoint"),
            "Env": sorted(env),
            "User": submit.get("user"),
            "WorkingDir": submit.get("workdir"),
            "Hostname": submit.get("hostname"),
            "Tty": submit.get("tty"),
            "Labels": submit.get("labels"),
            "NetworkMode": submit.get("network"),
            "IpcMode": submit.get("ipc"),
            "Dns": submit.get("dns"),
            "DnsSearch": submit.get("dns_search"),
            "ExtraHosts": submit.get("extra_hosts"),
            "CapAdd": submit.get("cap_add"),
            "Privileged": submit.get("privileged"),
            "ShmSize": submit.get("shm_size"),
            "Memory": submit.get("memory"),
            "CpuShares": submit.get("cpu_shares"),
            "Ulimits": [{"Name": u["name"], "Soft": u["soft"], "Hard": u["hard"]} for u in submit.get("ulimits", [])],
            "DeviceRequests": [engine_request(request) for request in submit.get("device_requests", [])],
            "PortBindings": engine_ports(submit.get("ports", [])),
            "Mounts": [engine_mount(mount) for mount in submit.get("mounts", [])],
        }
    )


def tidy(config: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty, which is the engine's default in each of these."""
    return {name: value for name, value in config.items() if value not in (None, "", 0, False, [], {})}


def engine_mount(mount: dict[str, Any]) -> dict[str, Any]:
    made = {"Type": mount["type"], "Source": mount.get("source"), "Target": mount["target"]}
    tmpfs = tidy({"SizeBytes": mount.get("size"), "Mode": mount.get("mode")})
    return tidy({**made, "ReadOnly": mount.get("read_only"), "TmpfsOptions": tmpfs})


def engine_request(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "Driver": request.get("driver", ""),
        "Count": request.get("count", 0),
        "DeviceIDs": request.get("device_ids", []),
        "Capabilities": request.get("capabilities", []),
        "Options": request.get("options", {}),
    }


def engine_ports(ports: list[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        outside = {"HostIp": port.get("host_ip", ""), "HostPort": str(port.get("host", ""))}
        bindings.setdefault(f"{port['container']}/{port.get('protocol', 'tcp')}", []).append(outside)
    return bindings


TABLE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "digest": {"image": f"registry.test/etl/node-jobs@sha256:{'a' * 64}"},
    "command, words": {"command": "node dist/import.js --day 2026-11-22"},
    "command, quotes": {"command": """sh -c 'echo "$A" && echo b' "c d" e\\ f"""},
    "command, comment sign": {"command": "echo a # b"},
    "command, empty": {"command": ""},
    "command, list": {"command": ["sh", "-c", "echo a | wc"]},
    "command, literal": {"command": "['sh', '-c', 'echo a, b']"},
    "command, literal with blanks": {"command": "  ['a'] "},
    "command, literal of nothing": {"command": "[]"},
    "command, tuple": {"command": ("echo", "a")},
    "entrypoint, words": {"entrypoint": "tini -- node"},
    "entrypoint, list": {"entrypoint": ["tini", "--"], "command": "a b"},
    "entrypoint, literal": {"entrypoint": '["tini", "--"]'},
    "environment": {"environment": {"A": "1", "B": "x=y", "N": 7, "T": True, "BYTES": b"b", "E": ""}},
    "environment, all three": {
        "env_file": "A=file\nB=file\nC=file\nexport D='file # d'\n# no\nE=${A}x\n",
        "environment": {"B": "open", "C": "open"},
        "private_environment": {"C": "private", "Z": "private", "EMPTY": ""},
    },
    "environment, tmp dir without a mount": {"environment": {"AIRFLOW_TMP_DIR": "/mine", "A": "1"}},
    "cpus, half": {"cpus": 0.5},
    "cpus, odd": {"cpus": 1.7},
    "cpus, none": {"cpus": 0},
    "mem_limit, number": {"mem_limit": 268435456},
    "mem_limit, k": {"mem_limit": "512k"},
    "mem_limit, m": {"mem_limit": "128m"},
    "mem_limit, mb": {"mem_limit": "128mb"},
    "mem_limit, G": {"mem_limit": "2G"},
    "mem_limit, GB": {"mem_limit": "2GB"},
    "mem_limit, fraction": {"mem_limit": "1.5g"},
    "mem_limit, bytes": {"mem_limit": "134217728b"},
    "mem_limit, digits": {"mem_limit": "134217728"},
    "mem_limit, none": {"mem_limit": ""},
    "shm_size": {"shm_size": 1 << 26},
    "shm_size, string": {"shm_size": "64m"},
    "network, bridge": {"network_mode": "bridge"},
    "network, none": {"network_mode": "none"},
    "network, host": {"network_mode": "host"},
    "network, default": {"network_mode": "default"},
    "network, name": {"network_mode": "etl"},
    "network, container": {"network_mode": "container:db"},
    "user, name": {"user": "node:node"},
    "user, id": {"user": 1000},
    "user, root": {"user": 0},
    "working_dir": {"working_dir": "/srv"},
    "hostname, tty, privileged": {"hostname": "etl", "tty": True, "privileged": True},
    "cap_add": {"cap_add": ["SYS_PTRACE", "NET_ADMIN"]},
    "ipc_mode": {"ipc_mode": "host"},
    "dns": {"dns": ["10.0.0.53"], "dns_search": ["etl.test"]},
    "extra_hosts": {"extra_hosts": {"db": "10.0.0.5", "api": "host-gateway", "six": "::1"}},
    "labels, dict": {"labels": {"team": "etl", "empty": ""}},
    "labels, list": {"labels": ["a", "b"]},
    "mount, volume": {"mounts": [Mount("/data", "vol")]},
    "mount, no source": {"mounts": [Mount("/data", None)]},
    "mount, bind": {"mounts": [Mount("/data", "/srv/data", type="bind", read_only=True)]},
    "mount, rprivate": {"mounts": [Mount("/data", "/srv/data", type="bind")]},
    "mount, tmpfs": {"mounts": [Mount("/t", None, type="tmpfs", tmpfs_size="64m", tmpfs_mode=0o1777)]},
    "mount, tmpfs of bytes": {"mounts": [Mount("/t", "", type="tmpfs", tmpfs_size=4096)]},
    "mount, dict": {"mounts": [{"target": "/data", "source": "vol"}]},
    "mount, dict of all": {
        "mounts": [
            {"target": "/d", "source": "/srv/d", "type": "bind", "read_only": True, "propagation": None},
            {"target": "/t", "source": None, "type": "tmpfs", "tmpfs_size": "1g", "tmpfs_mode": 448},
            {"target": "/v", "source": "v", "type": "volume", "no_copy": False, "labels": None, "driver_config": None},
        ]
    },
    "mount, dict of the API": {"mounts": [{"Target": "/data", "Source": "/srv/d", "Type": "bind", "ReadOnly": False}]},
    "ulimits": {"ulimits": [Ulimit(name="nofile", soft=1024, hard=2048), Ulimit(name="core", soft=-1, hard=-1)]},
    "ulimits, soft left out": {"ulimits": [Ulimit(name="nproc", hard=10)]},
    "ulimits, dict": {"ulimits": [{"name": "nofile", "soft": 1, "hard": 2}, {"Name": "core", "Soft": 0, "Hard": 0}]},
    "gpus, all": {"device_requests": [DeviceRequest(count=-1, capabilities=[["gpu"]])]},
    "gpus, ids": {
        "device_requests": [
            DeviceRequest(driver="nvidia", device_ids=["0", "2"], capabilities=[["gpu", "compute"]], options={"a": "b"})
        ]
    },
    "gpus, dict": {"device_requests": [{"count": 1, "capabilities": [["gpu"]]}]},
    "ports, number": {"port_bindings": {8080: 80}},
    "ports, text": {"port_bindings": {"8080": "80"}},
    "ports, udp": {"port_bindings": {"53/udp": 5353, "53/tcp": 5353}},
    "ports, any": {"port_bindings": {8080: None}},
    "ports, address": {"port_bindings": {8080: ("127.0.0.1", 80), 81: ("::1", "81")}},
    "ports, address alone": {"port_bindings": {8080: ("127.0.0.1",)}},
    "ports, port alone": {"port_bindings": {8080: (80,)}},
    "ports, several": {"port_bindings": {8080: [80, ("127.0.0.1", 81), None]}},
    "ports, dict": {"port_bindings": {8080: {"HostPort": 80, "HostIp": "10.0.0.1"}, 1: {"HostPort": "2"}}},
}


@pytest.mark.parametrize("case", TABLE)
def test_the_same_container_is_asked_for(case: str) -> None:
    arguments = {"image": IMAGE, **TABLE[case]}
    assert without_soft_none(of_prewarm(**arguments)) == without_soft_none(of_docker(**arguments))


def without_soft_none(config: dict[str, Any]) -> dict[str, Any]:
    """docker-py sends null for a limit that is left out, which the engine reads as 0."""
    limits = [{name: value or 0 for name, value in limit.items()} for limit in config.get("Ulimits", [])]
    return {**config, "Ulimits": limits}


def test_the_table_would_show_a_difference() -> None:
    assert of_prewarm(image=IMAGE, cpus=2) != of_docker(image=IMAGE)
    assert of_prewarm(image=IMAGE, mounts=[Mount("/a", "v")]) != of_docker(image=IMAGE, mounts=[Mount("/a", "w")])


def test_the_temporary_folder_is_there_under_the_same_name() -> None:
    theirs = of_docker(image=IMAGE, mount_tmp_dir=True, tmp_dir="/scratch", environment={"AIRFLOW_TMP_DIR": "/mine"})
    submit = body.container(
        {"image": IMAGE, "tmp_dir": "/scratch", "environment": {"AIRFLOW_TMP_DIR": "/mine"}, "mount_tmp_dir": True}
    )
    assert theirs["Env"] == submit["env"] == ["AIRFLOW_TMP_DIR=/scratch"]
    # A folder of the worker there, a volume of the run's own here.
    assert [mount["Target"] for mount in theirs["Mounts"]] == [submit["scratch"]["target"]] == ["/scratch"]


def test_a_float_of_bytes_is_taken_as_documented() -> None:
    """docker-py sends 1000000.0, which engines refuse."""
    assert body.container({"image": IMAGE, "mem_limit": 1e6})["memory"] == 1_000_000


def test_a_missing_tag_is_latest_as_the_engine_has_it() -> None:
    for name, full in {
        "node": "node:latest",
        "registry.test:5000/etl/node-jobs": "registry.test:5000/etl/node-jobs:latest",
        "registry.test:5000/etl/node-jobs:1": "registry.test:5000/etl/node-jobs:1",
    }.items():
        assert body.container({"image": name})["image"] == full


def test_an_empty_entrypoint_takes_the_image_s_away() -> None:
    theirs = of_docker(image=IMAGE, entrypoint="", command="sh -c 'echo a'")
    assert theirs["Cmd"] == ["sh", "-c", "echo a"]
    ours = of_prewarm(image=IMAGE, entrypoint="", command="sh -c 'echo a'")
    assert (ours["Entrypoint"], ours["Cmd"]) == (["sh"], ["-c", "echo a"])
