"""docker_url, $DOCKER_HOST and bind mounts, against the hosts that the server knows."""

from __future__ import annotations

import pytest

from airflow_provider_prewarm import places
from airflow_provider_prewarm.parity.wrong import ArgumentWrong

HOSTS = [
    {
        "name": "etl-1",
        "endpoint": "tcp://10.0.0.11:2376",
        "aliases": ["tcp://etl-1.internal:2375"],
        "binds": ["/srv/data", "/srv/one"],
        "labels": {"pool": "etl"},
    },
    {
        "name": "etl-2",
        "endpoint": "ssh://deploy@10.0.0.12",
        "aliases": [],
        "binds": ["/srv/data", "/srv/two"],
        "labels": {},
    },
    # The server's own engine, which is not the worker's.
    {"name": "local", "endpoint": "unix:///var/run/docker.sock", "aliases": [], "binds": [], "labels": {}},
]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://10.0.0.11:2376", "http://10.0.0.11:2376"),
        ("tcp://10.0.0.11:2376", "https://10.0.0.11:2376/"),
        ("tcp://10.0.0.11:2376", "TCP://10.0.0.11:2376"),
        ("tcp://10.0.0.11:2376", "10.0.0.11:2376"),
        ("tcp://etl.internal:1", "tcp://ETL.internal:1"),
        ("tcp://[::1]:1", "http://[::1]:1/"),
        ("unix://var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("unix:///run/docker.sock", "unix:///var/run/docker.sock"),
        ("ssh://deploy@h", "ssh://deploy@h:22"),
        ("ssh://deploy@h", "ssh://deploy@h/"),
    ],
)
def test_spellings_of_one_engine(one: str, other: str) -> None:
    assert places.normal(one) == places.normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://h:2375", "tcp://h:2376"),
        ("ssh://a@h", "ssh://b@h"),
        ("ssh://a@h:22/run/user/1/docker.sock", "ssh://a@h"),
        ("unix:///run/user/1000/docker.sock", "unix:///var/run/docker.sock"),
        ("tcp://h:1", "ssh://h:1"),
        ("tcp://h:no", "tcp://h:1"),
    ],
)
def test_engines_that_differ(one: str, other: str) -> None:
    assert places.normal(one) != places.normal(other)


@pytest.mark.parametrize(
    ("urls", "only", "hosts"),
    [
        ([], [], []),
        ([], ["etl-2"], ["etl-2"]),
        (["http://10.0.0.11:2376/"], [], ["etl-1"]),
        (["tcp://etl-1.internal:2375"], [], ["etl-1"]),
        (["tcp://10.0.0.11:2376", "ssh://deploy@10.0.0.12:22"], [], ["etl-1", "etl-2"]),
        (["tcp://10.0.0.11:2376", "tcp://etl-1.internal:2375"], [], ["etl-1"]),
        (["tcp://10.0.0.11:2376", "ssh://deploy@10.0.0.12"], ["etl-2"], ["etl-2"]),
        (["unix://var/run/docker.sock"], [], []),
        (["unix://var/run/docker.sock", "tcp://10.0.0.11:2376"], [], []),
        (["unix:///var/run/docker.sock"], ["etl-1"], ["etl-1"]),
    ],
)
def test_chosen(urls: list[str], only: list[str], hosts: list[str]) -> None:
    assert places.chosen(urls, HOSTS, only) == hosts


def test_an_alias_may_be_the_workers_own_socket() -> None:
    alias = {**HOSTS[0], "aliases": ["unix:///var/run/docker.sock"]}
    assert places.chosen(["unix://var/run/docker.sock"], [alias, *HOSTS[1:]]) == ["etl-1"]


def test_a_strange_address_is_refused_with_the_hosts_and_the_mend() -> None:
    with pytest.raises(ArgumentWrong) as refused:
        places.chosen(["tcp://10.0.0.11:2376", "tcp://old:2375"], HOSTS)
    text = str(refused.value)
    assert "docker_url: tcp://old:2375 is no host" in text
    assert "etl-1: tcp://10.0.0.11:2376, tcp://etl-1.internal:2375; etl-2: ssh://deploy@10.0.0.12" in text
    assert "aliases: [tcp://old:2375]" in text


def test_two_places_that_exclude_each_other() -> None:
    with pytest.raises(ArgumentWrong, match="it means etl-1, and hosts says etl-2"):
        places.chosen(["tcp://10.0.0.11:2376"], HOSTS, ["etl-2"])


@pytest.mark.parametrize("source", ["/srv/data", "/srv/data/", "/srv/data/2026/11", "/srv/one"])
def test_binds_that_a_host_declares(source: str) -> None:
    places.check_binds([source], HOSTS, [], {})


@pytest.mark.parametrize(
    ("sources", "only", "labels", "text"),
    [
        (
            ["/srv/database"],
            [],
            {},
            "declared by no host (etl-1: /srv/data, /srv/one; etl-2: /srv/data, /srv/two; local: none)",
        ),
        (["/srv"], [], {}, "the folder /srv, or one above it"),
        (["/srv/one"], ["etl-2"], {}, "declared by none of etl-2"),
        (["/srv/two"], [], {"pool": "etl"}, "declared by none of etl-1"),
        (["/srv/one", "/srv/two"], [], {}, "no one host declares all of /srv/one, /srv/two"),
    ],
)
def test_binds_that_no_host_declares(sources: list[str], only: list[str], labels: dict[str, str], text: str) -> None:
    with pytest.raises(ArgumentWrong) as refused:
        places.check_binds(sources, HOSTS, only, labels)
    assert text in str(refused.value)


def test_the_environments_engine_is_a_hint() -> None:
    known = places.Wish(["tcp://10.0.0.11:2376"])
    assert places.settle(known, HOSTS) == (["etl-1"], "")
    strange = places.Wish(["tcp://old:2375"])
    hosts, note = places.settle(strange, HOSTS)
    assert hosts == []
    assert note.startswith("DOCKER_HOST=tcp://old:2375 is no host of Prewarm's")
    # What the DAG says goes before it.
    assert places.settle(places.Wish(["tcp://10.0.0.11:2376"], only=["etl-2"]), HOSTS) == (["etl-2"], "")


def test_an_explicit_engine_has_to_have_the_folders() -> None:
    wish = places.Wish(["tcp://10.0.0.11:2376"], explicit=True, binds=["/srv/two"])
    with pytest.raises(ArgumentWrong, match="declared by none of etl-1"):
        places.settle(wish, HOSTS)
