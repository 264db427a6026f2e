"""DockerOperator's own parameters, and what each is when nothing is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# docker.constants.DEFAULT_TIMEOUT_SECONDS.
API_TIMEOUT: Final = 60

# ``image`` has no default.
DEFAULTS: Final[Mapping[str, Any]] = {
    "api_version": None,
    "command": None,
    "container_name": None,
    "cpus": 1.0,
    "docker_url": None,
    "environment": None,
    "private_environment": None,
    "env_file": None,
    "force_pull": False,
    "mem_limit": None,
    "host_tmp_dir": None,
    "network_mode": None,
    "tls_ca_cert": None,
    "tls_client_cert": None,
    "tls_client_key": None,
    "tls_verify": True,
    "tls_hostname": None,
    "tls_ssl_version": None,
    "mount_tmp_dir": True,
    "tmp_dir": "/tmp/airflow",  # noqa: S108 (in the container)
    "user": None,
    "mounts": None,
    "entrypoint": None,
    "working_dir": None,
    "xcom_all": False,
    "docker_conn_id": None,
    "dns": None,
    "dns_search": None,
    "auto_remove": "never",
    "shm_size": None,
    "tty": False,
    "hostname": None,
    "privileged": False,
    "cap_add": None,
    "extra_hosts": None,
    "retrieve_output": False,
    "retrieve_output_path": None,
    "timeout": API_TIMEOUT,
    "device_requests": None,
    "log_opts_max_size": None,
    "log_opts_max_file": None,
    "ipc_mode": None,
    "skip_on_exit_code": None,
    "port_bindings": None,
    "ulimits": None,
    "labels": None,
}

PARAMETERS: Final = ("image", *DEFAULTS)

# They say how the worker speaks to a Docker engine; here the server does.
WITHOUT_EFFECT: Final = (
    "api_version",
    "docker_conn_id",
    "host_tmp_dir",
    "timeout",
    "tls_ca_cert",
    "tls_client_cert",
    "tls_client_key",
    "tls_hostname",
    "tls_ssl_version",
    "tls_verify",
)


def without_effect(arguments: Mapping[str, Any]) -> list[str]:
    """The parameters that were set and mean nothing on Prewarm."""
    return [name for name in WITHOUT_EFFECT if arguments.get(name, DEFAULTS[name]) != DEFAULTS[name]]
