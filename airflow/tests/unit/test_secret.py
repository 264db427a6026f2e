"""What Airflow stores of a DAG has no secret of it, mapped or not."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from tasks import context, task

from airflow_provider_prewarm.decorators.prewarm import prewarm_task
from airflow_provider_prewarm.exceptions import RequestWrong
from airflow_provider_prewarm.operators.docker import PrewarmDockerOperator
from airflow_provider_prewarm.operators.run import PrewarmRunOperator
from fake_prewarm import FakePrewarm

try:
    from airflow.sdk import DAG
except ImportError:  # 2.11
    from airflow.models.dag import DAG


def stored(dag: Any) -> str:
    """The DAG as Airflow's database has it."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialized
    except ImportError:
        from airflow.serialization.serialized_objects import SerializedDAG as Serialized
    return json.dumps(Serialized.to_dict(dag))


def unmapped(mapped: Any, given: dict[str, Any]) -> Any:
    """The task that a worker makes of a mapped one."""
    return mapped.unmap(given)


def new_dag() -> Any:
    return DAG("d", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None)


def test_a_plain_task() -> None:
    with new_dag() as dag:
        PrewarmRunOperator(task_id="t", image="x", secret_env={"P": "planted"})
        PrewarmDockerOperator(task_id="d", image="x", private_environment={"P": "planted"})
    assert "planted" not in stored(dag)


def test_partial() -> None:
    with new_dag() as dag:
        secret = {"P": "planted", "N": 7654321, "T": "{{ conn.db.password }}", "F": {"file": "/run/secrets/f"}}
        run = PrewarmRunOperator.partial(task_id="t", image="x", secret_env=secret).expand(command=[["a"], ["b"]])
        docker = PrewarmDockerOperator.partial(
            task_id="d", image="x", private_environment={"P": "planted", "N": 7654321}
        ).expand(command=["a", "b"])
    text = stored(dag)
    assert "planted" not in text
    assert "7654321" not in text
    assert "{{ conn.db.password }}" in text
    assert unmapped(run, {"command": ["a"]}).secret_env == secret
    assert unmapped(docker, {"command": "a"})._private_environment == {"P": "planted", "N": 7654321}
    assert "planted" not in repr(run.partial_kwargs)


def test_a_mapped_task_of_a_function() -> None:
    with new_dag() as dag:

        @prewarm_task(image="x", secret_env={"P": "planted"})
        def job(day: str) -> str:
            return f"run {day}"

        job.expand(day=["1", "2"])
    assert "planted" not in stored(dag)


@pytest.mark.parametrize("bare", [True, False])
def test_an_overridden_task_of_a_function(bare: bool) -> None:
    with new_dag() as dag:

        def job(day: str) -> str:
            return f"run {day}"

        made = prewarm_task(job, image="x") if bare else prewarm_task(image="x")(job)
        made.override(task_id="a", secret_env={"P": "planted"}).expand(day=["1", "2"])
        made.partial().override(task_id="b").override(secret_env={"P": "planted"}).expand(day=["1", "2"])
    assert sorted(dag.task_ids) == ["a", "b"]
    assert "planted" not in stored(dag)


def test_defaults_of_a_dag() -> None:
    """Airflow stores default_args as they are."""
    when = datetime(2026, 1, 1, tzinfo=timezone.utc)
    with DAG("d", start_date=when, schedule=None, default_args={"secret_env": {"P": "planted"}}):
        with pytest.raises(ValueError, match="default_args of DAG d have secret_env: Airflow stores them") as e:
            PrewarmRunOperator(task_id="t", image="x")
        assert "planted" not in str(e.value)
        with pytest.raises(ValueError, match="default_args of DAG d have secret_env"):
            PrewarmRunOperator.partial(task_id="m", image="x")
    with DAG("d", start_date=when, schedule=None, default_args={"secret_env": {"P": "{{ conn.db.password }}"}}):
        PrewarmRunOperator(task_id="t", image="x")


def test_defaults_of_a_dag_of_dockeroperator(caplog: pytest.LogCaptureFixture) -> None:
    when = datetime(2026, 1, 1, tzinfo=timezone.utc)
    with DAG("d", start_date=when, schedule=None, default_args={"private_environment": {"P": "planted"}}):
        PrewarmDockerOperator(task_id="t", image="x")
    assert "default_args of DAG d have private_environment" in caplog.text
    assert "planted" not in caplog.text


def test_expand() -> None:
    with new_dag() as dag:
        run = PrewarmRunOperator.partial(task_id="t", image="x").expand(secret_env=[{"P": "planted"}, {"P": "planted"}])
        PrewarmRunOperator.partial(task_id="u", image="x").expand_kwargs([{"secret_env": {"P": "planted"}}])
    assert "planted" not in stored(dag)
    assert run.expand_input.value["secret_env"][0]["P"].value == "planted"
    assert unmapped(run, {"secret_env": run.expand_input.value["secret_env"][0]}).secret_env == {"P": "planted"}


def test_what_a_mapped_task_asks_for(fake: FakePrewarm, conn: str) -> None:
    fake.program = lambda run: [0]
    with new_dag():
        partial = PrewarmRunOperator.partial(task_id="t", image="node-jobs", secret_env={"P": "planted"})
        op = unmapped(partial.expand(command=[["a"]]), {"command": ["a"]})
    assert op.run_spec(context(op))["secret_env"] == [{"name": "P", "value": "planted"}]


@pytest.mark.filterwarnings("ignore:Task .* was never mapped")
@pytest.mark.parametrize("options", [{"secret_env": []}, {"secret_env": [{"name": "P", "value": "planted"}]}])
def test_options_show_what_they_have(options: dict[str, Any]) -> None:
    partial = PrewarmRunOperator.partial
    with new_dag():
        for refused in (
            lambda: task(options=options),
            lambda: partial(task_id="a", image="x", options=options),
            lambda: partial(task_id="b", image="x").expand(options=[options]),
            lambda: partial(task_id="c", image="x").expand_kwargs([{"options": options}]),
        ):
            with pytest.raises(ValueError, match="options may not have secret_env"):
                refused()
    rendered = task()
    rendered.options = options
    with pytest.raises(RequestWrong, match="options may not have secret_env"):
        rendered.run_spec(context(rendered))
