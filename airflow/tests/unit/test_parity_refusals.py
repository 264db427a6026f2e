"""What a run on Prewarm can't be is refused by name, with what to write instead; and what differs by design."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from airflow_provider_prewarm.parity import body, exits, variables
from airflow_provider_prewarm.parity.plain import is_plain, plain_part
from airflow_provider_prewarm.parity.signature import DEFAULTS, without_effect
from airflow_provider_prewarm.parity.wrong import ArgumentWrong

IMAGE = "registry.test/etl/node-jobs:1"


def made(**arguments: Any) -> dict[str, Any]:
    said = {"image": IMAGE, "mount_tmp_dir": False, "cpus": 0, **arguments}
    return body.container(said, parse_file=simple)


def simple(text: str) -> dict[str, Any]:
    """An env file without python-dotenv, which not each Airflow brings. That one is in test_parity_docker_py."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value if sign else None for name, sign, value in pairs}


def bind(**more: Any) -> dict[str, Any]:
    return {"mounts": [{"target": "/d", "source": "/srv/d", "type": "bind", **more}]}


def volume(**more: Any) -> dict[str, Any]:
    return {"mounts": [{"target": "/d", "source": "v", **more}]}


def tmpfs(**more: Any) -> dict[str, Any]:
    return {"mounts": [{"target": "/d", "source": None, "type": "tmpfs", **more}]}


@pytest.mark.parametrize(
    ("parameter", "arguments"),
    [
        ("image", {"image": ""}),
        ("command", {"command": "echo 'open"}),
        ("command", {"command": "[ -f /x ]"}),
        ("command[1]", {"command": ["sleep", 1]}),
        ("command[1]", {"command": "['sleep', 1]"}),
        ("command", {"command": 7}),
        ("entrypoint", {"entrypoint": ""}),
        ("entrypoint", {"entrypoint": []}),
        ("environment['A']", {"environment": {"A": None}}),
        ("private_environment['A']", {"private_environment": {"A": None}}),
        ("env_file['A']", {"env_file": "A\nB=1\n"}),
        ("cpus", {"cpus": -1}),
        ("cpus", {"cpus": "2"}),
        ("mem_limit", {"mem_limit": "2x"}),
        ("mem_limit", {"mem_limit": "much"}),
        ("mem_limit", {"mem_limit": "-1"}),
        ("mem_limit", {"mem_limit": float("nan")}),
        ("shm_size", {"shm_size": "1q"}),
        ("log_opts_max_size", {"log_opts_max_size": "10x"}),
        ("log_opts_max_file", {"log_opts_max_size": "10m", "log_opts_max_file": "many"}),
        ("mounts[0]", {"mounts": ["/a:/b"]}),
        ("mounts[0].type", {"mounts": [{"target": "/p", "source": "\\\\.\\pipe\\x", "type": "npipe"}]}),
        ("mounts[0].type", {"mounts": [{"Target": "/p", "Source": "v"}]}),
        ("mounts[0].target", {"mounts": [{"source": "v"}]}),
        ("mounts[0].sourc", {"mounts": [{"target": "/d", "sourc": "v"}]}),
        ("mounts[0].source", bind(source="data")),
        ("mounts[0].source", bind(source=None)),
        ("mounts[0].source", tmpfs(source="v")),
        ("mounts[0].propagation", bind(propagation="rshared")),
        (
            "mounts[0].propagation",
            {"mounts": [{"Target": "/d", "Source": "/s", "Type": "bind", "BindOptions": {"Propagation": "shared"}}]},
        ),
        (
            "mounts[0].BindOptions.NonRecursive",
            {"mounts": [{"Target": "/d", "Source": "/s", "Type": "bind", "BindOptions": {"NonRecursive": True}}]},
        ),
        (
            "mounts[0].ClusterOptions",
            {"mounts": [{"Target": "/d", "Source": "v", "Type": "volume", "ClusterOptions": 1}]},
        ),
        ("mounts[0].no_copy", volume(no_copy=True)),
        ("mounts[0].labels", volume(labels={"a": "b"})),
        ("mounts[0].driver_config", volume(driver_config={"Name": "nfs"})),
        ("mounts[0].subpath", volume(subpath="a")),
        ("mounts[0].no_copy", bind(no_copy=True)),
        ("mounts[0].tmpfs_size", volume(tmpfs_size=1)),
        ("mounts[0].tmpfs_size", tmpfs(tmpfs_size="1x")),
        ("mounts[0].tmpfs_mode", tmpfs(tmpfs_mode="1777")),
        ("ulimits[0]", {"ulimits": [7]}),
        ("ulimits[0].name", {"ulimits": [{"soft": 1, "hard": 1}]}),
        ("ulimits[0]", {"ulimits": [{"name": "nproc", "soft": 1024}]}),
        ("ulimits[0]", {"ulimits": [{"name": "core", "soft": -1, "hard": 5}]}),
        ("ulimits[0].soft", {"ulimits": [{"name": "core", "soft": "5", "hard": 5}]}),
        ("device_requests[0]", {"device_requests": ["gpu"]}),
        ("device_requests[0]", {"device_requests": [{"capabilities": [["gpu"]]}]}),
        ("device_requests[0]", {"device_requests": [{"count": 1, "device_ids": ["0"]}]}),
        ("port_bindings['a']", {"port_bindings": {"a": 1}}),
        ("port_bindings['1/icmp']", {"port_bindings": {"1/icmp": 1}}),
        ("port_bindings[0]", {"port_bindings": {0: 1}}),
        ("port_bindings[80]", {"port_bindings": {80: "8000-8010"}}),
        ("port_bindings[80]", {"port_bindings": {80: 70000}}),
        ("port_bindings[80]", {"port_bindings": {80: {"HostIp": "1.1.1.1"}}}),
        ("port_bindings[80]", {"port_bindings": {80: ("a", 1, 2)}}),
        ("labels", {"labels": "team"}),
        ("labels['prewarm.run']", {"labels": {"prewarm.run": "1"}}),
        ("dns", {"dns": "10.0.0.53"}),
        ("cap_add", {"cap_add": "ALL"}),
        ("retrieve_output", {"retrieve_output": True, "retrieve_output_path": "/tmp/script.out"}),
    ],
)
def test_refused(parameter: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentWrong) as refused:
        made(**arguments)
    assert refused.value.parameter in (parameter, f"{parameter} or entrypoint")
    assert refused.value.why
    assert refused.value.mend


def test_no_secret_is_in_a_refusal() -> None:
    for arguments in (
        {"private_environment": {"A": "hunter2hunter2", "B": None}},
        {"command": ["login", "hunter2hunter2", 1]},
        {"command": "login 'hunter2hunter2"},
    ):
        with pytest.raises(ArgumentWrong) as refused:
            made(**arguments)
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("wrong", [True, False, "True", "always", "", None])
def test_auto_remove_is_refused_with_the_words_of_docker_operator(wrong: Any) -> None:
    with pytest.raises(
        ValueError, match=r"Invalid `auto_remove` value .*, expected one of 'never', 'success', or 'force'"
    ):
        made(auto_remove=wrong)


def test_ports_of_the_host_network_are_refused_with_the_words_of_docker_operator() -> None:
    with pytest.raises(ValueError, match="Port bindings is not supported in the host network mode"):
        made(network_mode="host", port_bindings={1: 1})


def test_a_result_takes_the_place_of_a_pickle() -> None:
    said = {"image": IMAGE, "retrieve_output": True, "retrieve_output_path": "/tmp/script.out"}
    assert body.container(said, "/airflow/xcom/return.json")["result"] == "/airflow/xcom/return.json"


def test_without_arguments_only_image_weight_and_temporary_folder_are_said() -> None:
    assert body.container({"image": IMAGE}) == {
        "image": IMAGE,
        "cpu_shares": 1024,
        "env": ["AIRFLOW_TMP_DIR=/tmp/airflow"],
        "scratch": {"type": "volume", "target": "/tmp/airflow"},
    }


def test_private_variables_are_secrets_and_go_before_the_others() -> None:
    said = made(
        env_file="A=1\nB=1\nC=1\n",
        environment={"B": 2, "C": 2},
        private_environment={"C": 3, "D": b"4", "EMPTY": ""},
    )
    assert said["env"] == ["A=1", "B=2", "EMPTY="]
    assert said["secret_env"] == [{"name": "C", "value": "3"}, {"name": "D", "value": "4"}]


def test_env_files_need_python_dotenv(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "dotenv":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ArgumentWrong, match="pip install python-dotenv"):
        variables.parse_file("A=1")


@pytest.mark.parametrize(
    ("network", "aliases"),
    [("etl", ["import-1"]), (None, None), ("bridge", None), ("none", None), ("host", None), ("container:x", None)],
)
def test_a_name_is_an_alias_where_networks_have_names_and_a_label(network: Any, aliases: Any) -> None:
    said = made(container_name="import-1", network_mode=network, labels=["a"])
    assert said.get("network_aliases") == aliases
    assert said["labels"] == {"a": "", "airflow.container_name": "import-1"}


@pytest.mark.parametrize(
    ("size", "files", "cap"),
    [("10m", "3", 30 << 20), ("10m", None, 10 << 20), ("1g", 2, 2 << 30), (None, "3", None), ("-1", 3, None)],
)
def test_the_log_is_bounded_as_its_files_are(size: Any, files: Any, cap: int | None) -> None:
    assert made(log_opts_max_size=size, log_opts_max_file=files).get("log_cap") == cap


@pytest.mark.parametrize(
    ("asked", "codes"),
    [(None, []), (99, [99]), (0, [0]), ([0, 5], [0, 5]), (range(100, 103), [100, 101, 102]), ({7, 300}, [7]), ((), [])],
)
def test_exit_codes_that_skip(asked: Any, codes: list[int]) -> None:
    assert exits.skips(asked) == codes


def test_exit_codes_of_whatever_can_be_asked() -> None:
    class Odd:
        def __contains__(self, code: object) -> bool:
            return code == 3

    assert exits.skips(Odd()) == [3]


def test_what_has_no_effect_is_named() -> None:
    assert without_effect({**DEFAULTS, "image": "a"}) == []
    assert without_effect({**DEFAULTS, "timeout": 10, "tls_verify": False, "docker_conn_id": "x", "cpus": 2}) == [
        "docker_conn_id",
        "timeout",
        "tls_verify",
    ]


class AnotherTasksOutput:
    """As Airflow's XComArg is."""


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("a", True),
        ("a {{ ds }}", False),
        ("{% if a %}", False),
        ("run.sh", False),
        ({"a": "b"}, True),
        ({"a": ["{{ ds }}"]}, False),
        ({"{{ ds }}": 1}, False),
        (AnotherTasksOutput(), False),
        ([1, None, True, 1.5, b"x"], True),
    ],
)
def test_plain(value: Any, plain: bool) -> None:
    assert is_plain(value, (".sh",)) is plain


def test_what_is_plain_is_looked_at_though_its_neighbours_are_not() -> None:
    part = plain_part(
        {
            "image": "{{ params.image }}",
            "command": ["echo", "{{ ds }}"],
            "environment": {"A": "{{ ds }}", "B": None},
            "mounts": [{"target": "{{ ds }}", "source": "a"}, {"target": "/d", "source": "/s", "type": "bind"}],
            "env_file": "A=1",
            "cpus": 2,
        },
        ("image", "command", "environment", "mounts", "env_file"),
        (".sh",),
    )
    assert part == {
        "image": "templated",
        "command": None,
        "entrypoint": None,
        "environment": {"B": None},
        "mounts": [{"target": "/d", "source": "/s", "type": "bind"}],
        "env_file": None,
        "cpus": 2,
    }
