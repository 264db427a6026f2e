"""References, entries, and the YAML of those that are missing."""

from __future__ import annotations

import pytest
import yaml

from airflow_provider_prewarm.check.images import Ref, entries_for, entry_of, parse, spoken, yaml_of
from airflow_provider_prewarm.check.model import Wanted

from .conftest import image

D = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("node", Ref("docker.io/library/node", "latest")),
        ("node:22", Ref("docker.io/library/node", "22")),
        ("etl/jobs", Ref("docker.io/etl/jobs", "latest")),
        ("index.docker.io/node", Ref("docker.io/library/node", "latest")),
        ("docker.io/node:1", Ref("docker.io/library/node", "1")),
        ("localhost/jobs:1", Ref("localhost/jobs", "1")),
        ("registry.test:5000/etl/jobs", Ref("registry.test:5000/etl/jobs", "latest")),
        ("registry.test:5000/etl/jobs:1.4", Ref("registry.test:5000/etl/jobs", "1.4")),
        (f"registry.test/jobs:1@{D}", Ref("registry.test/jobs", "", D)),
        (f"jobs@{D}", Ref("docker.io/library/jobs", "", D)),
    ],
)
def test_references_are_read_as_docker_reads_them(text: str, ref: Ref) -> None:
    assert parse(text) == ref


@pytest.mark.parametrize(
    "text", ["", "Node", "a" * 64, D, "node:", "node:a b", "node@sha256:12", "registry.test/", "/node", "a//b"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)


def test_an_entry_is_found_by_any_of_its_tags_and_by_its_digests() -> None:
    tags = entry_of(image("jobs", "etl/jobs", "2", "1", mode="select"))
    pinned = entry_of(image("pinned", "etl/jobs", mode="digest", digest=D))
    assert entries_for(parse("docker.io/etl/jobs:1"), [tags, pinned]) == [tags]
    assert spoken(tags, parse("etl/jobs:1")) == "jobs:1"
    assert spoken(tags, parse("etl/jobs:2")) == "jobs"
    assert entries_for(parse(f"etl/jobs@{D}"), [tags, pinned]) == [pinned]
    assert entries_for(parse("etl/jobs:3"), [tags, pinned]) == []


def test_yaml_names_are_free_and_tags_are_texts() -> None:
    wanted = [
        Wanted("docker.io/library/node", "22"),
        Wanted("docker.io/library/node", "latest"),
        Wanted("registry.test/a/node", "1.10"),
        Wanted("registry.test/b/node", "1.10"),
        Wanted("registry.test/b/My_Jobs".lower(), "", D),
        Wanted("registry.test/b/jobs", "on"),
    ]
    read = yaml.safe_load(yaml_of(wanted, {wanted[0]: ["d.a", "d.b", "d.c", "d.d"]}, ["jobs"]))["images"]
    names = [entry["name"] for entry in read]
    assert names == ["node", "node-22", "node-1.10", "jobs-on", "my-jobs", "b-node-1.10"]
    assert [entry["track"] for entry in read] == [
        {"tag": "latest"}, {"tag": "22"}, {"tag": "1.10"}, {"tag": "on"}, {"digest": D}, {"tag": "1.10"},
    ]  # fmt: skip


def test_yaml_says_who_uses_an_entry() -> None:
    want = Wanted("registry.test/jobs", "1")
    assert "# d.a, d.b, d.c and 1 more\n" in yaml_of([want], {want: ["d.d", "d.a", "d.b", "d.c", "d.a"]}, [])
    assert yaml_of([], {}, []) == ""
