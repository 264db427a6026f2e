"""PrewarmDockerOperator takes what the DockerOperator that is installed takes: names and defaults."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from airflow_provider_prewarm.operators.base import PrewarmOperator
from airflow_provider_prewarm.operators.docker import PrewarmDockerOperator
from airflow_provider_prewarm.parity.signature import DEFAULTS, PARAMETERS

docker_operators = pytest.importorskip("airflow.providers.docker.operators.docker")


def parameters(operator: Any) -> dict[str, inspect.Parameter]:
    """The parameters that ``__init__`` names."""
    named = inspect.signature(operator.__init__).parameters.values()
    return {p.name: p for p in named if p.name != "self" and p.kind is not p.VAR_KEYWORD}


THEIRS = parameters(docker_operators.DockerOperator)
OURS = parameters(PrewarmDockerOperator)


def test_the_docker_provider_has_the_47_parameters_that_we_know() -> None:
    assert set(THEIRS) == set(PARAMETERS)
    assert len(THEIRS) == 47


@pytest.mark.parametrize("name", THEIRS)
def test_each_parameter_is_there_with_its_default(name: str) -> None:
    assert OURS[name].default == THEIRS[name].default
    assert OURS[name].kind is inspect.Parameter.KEYWORD_ONLY


def test_the_table_of_defaults_is_that_of_the_provider() -> None:
    assert {name: p.default for name, p in THEIRS.items() if name != "image"} == dict(DEFAULTS)


def test_each_parameter_of_a_prewarm_operator_is_named_too() -> None:
    """default_args reach only what ``__init__`` names."""
    assert set(parameters(PrewarmOperator)) - set(OURS) == set()


def test_templates_begin_with_those_of_the_provider() -> None:
    theirs: Any = docker_operators.DockerOperator
    assert tuple(PrewarmDockerOperator.template_fields)[: len(theirs.template_fields)] == tuple(theirs.template_fields)
    assert tuple(PrewarmDockerOperator.template_ext) == tuple(theirs.template_ext)
    assert PrewarmDockerOperator.template_fields_renderers.items() >= theirs.template_fields_renderers.items()


def test_attributes_have_the_names_and_values_of_the_provider() -> None:
    said: dict[str, Any] = {
        "image": "r/i:1",
        "command": "echo 1",
        "environment": {"A": "1"},
        "private_environment": {"B": "2"},
        "docker_url": "tcp://10.0.0.9:2375",
        "cpus": 2.0,
        "skip_on_exit_code": [3],
        "container_name": "name",
        "auto_remove": "force",
    }
    theirs = vars(docker_operators.DockerOperator(task_id="t", **said))
    ours = vars(PrewarmDockerOperator(task_id="t", **said))
    # Attributes that are there as soon as DockerOperator is made, without those of BaseOperator.
    own = (set(PARAMETERS) - {"private_environment"}) | {"_private_environment"}
    assert {name: ours[name] for name in own} == {name: theirs[name] for name in own}
