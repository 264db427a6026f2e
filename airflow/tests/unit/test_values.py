"""What can't be right is refused when the DAG is parsed, and what templates gave on the worker, without a retry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from records import Records
from tasks import context, task

from airflow_provider_prewarm._compat import AirflowFailException
from airflow_provider_prewarm.exceptions import RequestWrong
from airflow_provider_prewarm.runs import values
from fake_prewarm import FakePrewarm
from fake_prewarm.schema import document

pytestmark = pytest.mark.usefixtures("conn")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"mounts": ["cache:/cache"]}, "mounts[0]: 'cache:/cache' is no mount"),
        ({"mounts": ["/a:/b:ro"]}, '{"type": "bind", "source": "/a", "target": "/b", "read_only": True}'),
        ({"mounts": "cache:/cache"}, '[{"type": "volume", "source": "cache", "target": "/cache"}]'),
        ({"env": ["A=1"]}, "env: it is a list, not a dict"),
        ({"secret_env": ["A=planted"]}, "secret_env: it is a list, not a dict"),
        ({"secret_env": {"A": {"value": "planted"}}}, "secret_env['A']: it is a dict with other keys than file"),
        ({"skip_on_exit_code": "99"}, "skip_on_exit_code: '99' is no exit code: write 99"),
        ({"skip_on_exit_code": [0, 256]}, "skip_on_exit_code: 256 is no exit code"),
        ({"wait_warm": "10m"}, "wait_warm: '10m' is no time: write timedelta(minutes=10)"),
        ({"keepalive": 0}, "keepalive: 0 is no time to come: say how long"),
        ({"keepalive": timedelta(0)}, "keepalive: datetime.timedelta(0) is no time to come"),
        ({"keepalive": "soon"}, "keepalive: 'soon' is no time"),
        ({"stop_grace": timedelta(-1)}, "is no time to come"),
        ({"memory": "2Gi"}, "memory: '2Gi' is no size: write 2g"),
        ({"shm_size": "big"}, "shm_size: 'big' is no size"),
        ({"command": {"a": 1}}, "command: {'a': 1} is no command"),
        ({"command": ["a", ["b"]]}, "command[1]: ['b'] is no word"),
        ({"ulimits": ["nofile=1024"]}, "ulimits[0]: 'nofile=1024' is no dict"),
        ({"cpus": "2"}, "cpus: '2' is no number"),
        ({"gpus": 1.5}, "gpus: 1.5 is no whole number"),
        (
            {"mounts": [{"type": "bind", "readonly": True}]},
            "mounts[0].readonly: there is no such field: did you mean read_",
        ),
        ({"options": {"cpu_set": "0"}}, "options.cpu_set: there is no such field: did you mean cpuset?"),
        ({"options": {"zzz": "0"}}, "options.zzz: there is no such field: known are cap_add, "),
        ({"options": {"key": "mine"}}, "options.key: the operator sets it for each try"),
        ({"options": {"epoch": 1}}, "options.epoch: the operator sets it"),
        ({"options": {"tries": 9}}, "and say retries"),
    ],
)
def test_refused_at_parse(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="task import: ") as told:
        task(**given)
    assert says in str(told.value)
    assert "planted" not in str(told.value)


def test_what_may_become_right_is_left_for_later() -> None:
    task(
        mounts=["{{ params.mount }}"],
        env="{{ params.env }}",
        command=["a", None],
        secret_env={"A": None},
        skip_on_exit_code={99},
        wait_warm=1.5,
        stop_grace=timedelta(0),
        cpus=2,
    )
    task(env={"A": None}, mounts="{{ params.mounts }}")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"env": {"A": None}}, "env['A']: it is None"),
        ({"secret_env": {"A": None}}, "secret_env['A']: it is None"),
        ({"mounts": "{{ params.mounts }}"}, "mounts: '{{ params.mounts }}' is no list of mounts"),
        ({"image": "{}"}, "names no image"),
    ],
)
def test_refused_on_the_worker_for_good(fake: FakePrewarm, given: dict[str, Any], says: str) -> None:
    op = task(**given)
    with pytest.raises(RequestWrong) as told:
        op.execute(context(op))
    assert says in str(told.value)
    assert isinstance(told.value, AirflowFailException)
    assert not fake.requested("POST", "/v1/runs")


def test_sizes() -> None:
    given: list[int | str] = ["512m", "2g", "1.5G", "1k", "77", "10b", "1GiB", "3mb", "1t", "-1", 5]
    sizes = [512 << 20, 2 << 30, 3 << 29, 1024, 77, 10, 1 << 30, 3 << 20, 1 << 40, -1, 5]
    assert [values.bytes_of("memory", s) for s in given] == sizes


def test_the_fields_are_those_of_the_api() -> None:
    schemas = document()["components"]["schemas"]
    assert set(values.MOUNT) == set(schemas["Mount"]["properties"])
    assert {*values.SUBMIT, *values.OWN} == {name for name in schemas["SubmitRun"]["properties"] if name[0] != "$"}


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("a | b", "|"),
        ("a && b", "&&"),
        ("a > /out", ">"),
        ("a 2>/dev/null", "2>/dev/null"),
        ("a; b", "a;"),
        ("echo $(date)", "$(date)"),
        ("ls $HOME/x", "$HOME/x"),
        ("jq '.a | .b' x", ""),
        ("awk '{print $1}' x", ""),
        ("sh -c 'a | b'", ""),
        ("bash -lc 'a && b'", ""),
        ("node dist/import.js --day 2026-11-01 a=b", ""),
    ],
)
def test_what_only_a_shell_understands(fake: FakePrewarm, log: Records, command: str, found: str) -> None:
    fake.program = lambda run: [0]
    op = task(command=command)
    op.execute(context(op))
    told = [m for m in log.messages if "no shell is run" in m]
    assert len(told) == bool(found)
    assert not found or (f"has {found} in it" in told[0] and f'["sh", "-c", "{command}"]' in told[0])


def test_a_list_is_meant_as_it_is(fake: FakePrewarm, log: Records) -> None:
    fake.program = lambda run: [0]
    op = task(command=["echo", "$HOME"])
    op.execute(context(op))
    assert not [m for m in log.messages if "shell" in m]
