"""What is not DockerOperator, and speaks to Docker nevertheless."""

import datetime

import docker
from airflow.providers.docker.hooks.docker import DockerHook
from airflow.providers.docker.operators.docker_swarm import DockerSwarmOperator

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task


@task
def prune():
    docker.from_env().containers.prune()


@task.docker(image="python:3.12", mount_tmp_dir=False)
def square(x):
    return x * x


def login():
    return DockerHook(docker_conn_id="registry", base_url="unix:///var/run/docker.sock")


with DAG("others", start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), schedule=None):
    prune()
    square(3)
    square.override(task_id="squares").expand(x=[1, 2])
    DockerSwarmOperator(task_id="service", image="alpine:3.20", placement=["node.role==worker"], enable_logging=True)
