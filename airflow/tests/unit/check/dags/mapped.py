"""Mapped tasks."""

import datetime

from airflow.providers.docker.operators.docker import DockerOperator

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG


class Strict(DockerOperator):
    """Can't be made without its command."""

    def __init__(self, *, command, **kwargs):
        if command == "{{ mapped }}" or command is None:
            raise ValueError("no command")
        super().__init__(command=command, **kwargs)


with DAG(
    "mapped",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    schedule=None,
    default_args={"privileged": True},
):
    first = DockerOperator(task_id="first", image="registry.test/etl/node-jobs")
    DockerOperator.partial(task_id="commands", image="registry.test/etl/node-jobs").expand(command=["a", "b"])
    DockerOperator.partial(task_id="images").expand(image=["registry.test/etl/node-jobs", "registry.test/etl/other:2"])
    DockerOperator.partial(task_id="from_xcom", image="registry.test/etl/node-jobs").expand(docker_url=first.output)
    DockerOperator.partial(task_id="dicts", image="registry.test/etl/node-jobs").expand_kwargs(
        [{"command": "a"}, {"user": "1"}]
    )
    DockerOperator.partial(task_id="any", image="registry.test/etl/node-jobs").expand_kwargs(first.output)
    Strict.partial(task_id="strict", image="registry.test/etl/node-jobs").expand(command=first.output)
