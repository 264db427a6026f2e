"""Subclasses that reach into DockerOperator."""

import datetime

from airflow.providers.docker.exceptions import DockerContainerFailedException
from airflow.providers.docker.operators.docker import DockerOperator

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG


class Quiet(DockerOperator):
    """Only defaults."""

    def __init__(self, **kwargs):
        super().__init__(image="registry.test/etl/node-jobs", **kwargs)


class Deep(DockerOperator):
    def __init__(self, *, key=None, **kwargs):
        super().__init__(**kwargs)
        self.key = key
        self.harmless = key

    def _run_image(self):
        self.log.info("%s", self.cli.version())
        return super()._run_image()

    def execute(self, context):
        try:
            return super().execute(context)
        except DockerContainerFailedException as e:
            self.log.error("%s", e.logs)
            raise

    def on_kill(self):
        self.log.info("left alone")

    @staticmethod
    def format_command(command):
        return ["sh", "-c", command]


with DAG("subclass", start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), schedule=None):
    Quiet(task_id="quiet")
    Deep(task_id="deep", image="registry.test/etl/node-jobs")
