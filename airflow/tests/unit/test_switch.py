"""[prewarm] docker_operator."""

from __future__ import annotations

import pytest

from airflow_provider_prewarm import switch


@pytest.mark.parametrize(
    ("said", "dag", "docker"),
    [
        ("prewarm", "a", False),
        ("prewarm", None, False),
        ("docker", "a", True),
        ("docker", None, True),
        ("dags:nightly_.*", "nightly_a", False),
        ("dags:nightly_.*", "a_nightly_b", True),
        ("dags: nightly", "nightly_a", True),
        ("dags:a|b", "b", False),
        ("dags:nightly_.*", None, None),
        ("dags:", "a", True),
    ],
)
def test_on_docker(said: str, dag: str | None, docker: bool | None) -> None:
    assert switch.on_docker(said, dag) is docker


@pytest.mark.parametrize("said", ["podman", "", "dags", "dags:("])
def test_a_setting_that_is_none(said: str) -> None:
    with pytest.raises(ValueError, match="docker_operator"):
        switch.on_docker(said, "a")


def test_the_setting_is_looked_up_once_for_all_tasks_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", "dags:once")

    def get(*names: str, **_: str) -> str:
        asked.append(names)
        return "dags:once"

    monkeypatch.setattr(switch.conf, "get", get)
    assert [switch.setting() for _ in range(500)] == ["dags:once"] * 500
    assert asked == [("prewarm", "docker_operator")]


def test_settings_and_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert switch.setting() == "prewarm"
    assert switch.check_at_parse() is True
    monkeypatch.setenv("AIRFLOW__PREWARM__DOCKER_OPERATOR", " dags:a ")
    monkeypatch.setenv("AIRFLOW__PREWARM__CHECK_AT_PARSE", "False")
    assert switch.setting() == "dags:a"
    assert switch.check_at_parse() is False
