"""``[prewarm] docker_operator``: which DAGs' PrewarmDockerOperators run through the real DockerOperator.

``prewarm``: none. ``docker``: all. ``dags:REGEXP``: those DAGs run on Prewarm whose whole id matches, all others by
Docker: fifty DAGs are moved by one edit of their imports, and go over one by one, and back, by this setting.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache

from airflow_provider_prewarm._compat import conf

SETTING = "[prewarm] docker_operator"
_BY_ID = "dags:"


def setting() -> str:
    """The setting. Five hundred tasks of a file ask for it, so that it is looked up again only where it may differ."""
    return _configured(os.environ.get("AIRFLOW__PREWARM__DOCKER_OPERATOR"))


@lru_cache(maxsize=8)
def _configured(_in_the_environment: str | None) -> str:
    return str(conf.get("prewarm", "docker_operator", fallback="prewarm")).strip()


def check_at_parse() -> bool:
    """``[prewarm] check_at_parse``: whether a DAG's parse may ask the server for its hosts."""
    return bool(conf.getboolean("prewarm", "check_at_parse", fallback=True))


def on_docker(said: str, dag_id: str | None) -> bool | None:
    """Whether a task of a DAG runs through DockerOperator; None: the DAG's id says that, and is not known yet.

    :param said: the setting
    :raises ValueError: the setting is none of the three
    """
    if said in ("prewarm", "docker"):
        return said == "docker"
    if not said.startswith(_BY_ID):
        raise ValueError(f"{SETTING} = {said!r}: write prewarm, docker, or dags: and a regular expression")
    try:
        pattern = re.compile(said[len(_BY_ID) :].strip())
    except re.error as e:
        raise ValueError(f"{SETTING} = {said!r}: no regular expression: {e}") from e
    return None if dag_id is None else pattern.fullmatch(dag_id) is None
