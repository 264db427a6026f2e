"""Tasks of DockerOperator in all their variety."""

import datetime

from airflow.providers.docker.operators.docker import DockerOperator
from docker.types import Mount, Ulimit

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

print("DAG files may print")

with DAG(
    "plain",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    schedule=None,
    default_args={"docker_url": "tcp://10.0.0.11:2376", "api_version": "auto"},
):
    DockerOperator(
        task_id="extract", image="registry.test/etl/node-jobs", command="node extract.js", auto_remove="force"
    )
    DockerOperator(
        task_id="transform",
        image="registry.test/etl/node-jobs:1.4",
        docker_url="tcp://10.0.0.99:2375",
        tls_ca_cert="/certs/ca.pem",
        timeout=600,
        docker_conn_id="registry",
        force_pull=True,
        xcom_all=True,
    )
    DockerOperator(
        task_id="load",
        image="registry.test/etl/loader:{{ params.version }}",
        mounts=[
            Mount("/data", "/srv/data", "bind"),
            Mount("/in", "/home/airflow/in", "bind", read_only=True),
            {"target": "/cache", "source": "cache"},
            {"target": "/day", "source": "/srv/data/{{ ds }}", "type": "bind"},
        ],
        host_tmp_dir="/mnt/big",
        ulimits=[Ulimit(name="nofile", soft=1024, hard=2048)],
    )
    DockerOperator(
        task_id="report",
        image="alpine:3.20",
        privileged=True,
        cap_add=["SYS_ADMIN"],
        network_mode="host",
        retrieve_output=True,
        retrieve_output_path="/tmp/out.pickle",
        private_environment={"PASSWORD": "Zq7Xw9Kp"},
        container_name="report",
        auto_remove="never",
    )
    DockerOperator(task_id="by_id", image="a" * 64, mem_limit="lots", docker_url=None)
