"""What Airflow asks a provider about itself. Each of its processes does, so nothing heavy is imported."""

from __future__ import annotations

from typing import Any

from airflow_provider_prewarm.form import declared

_PACKAGE = "airflow_provider_prewarm"
_INTEGRATION = "Prewarm"


def get_provider_info() -> dict[str, Any]:
    """The entry point ``apache_airflow_provider``."""
    return {
        "package-name": "airflow-provider-prewarm",
        "name": "Prewarm",
        "description": "Run tasks on warm, digest-pinned images with Prewarm.",
        "integrations": [{"integration-name": _INTEGRATION, "tags": ["software"]}],
        "operators": _modules("operators.run", "operators.docker", "operators.ensure", "operators.scope"),
        "hooks": _modules("hooks.prewarm"),
        "triggers": _modules("triggers.run", "triggers.image", "triggers.ensure"),
        "connection-types": [
            {
                "connection-type": "prewarm",
                "hook-class-name": f"{_PACKAGE}.hooks.prewarm.PrewarmHook",
                "hook-name": "Prewarm",
                **declared(),
            }
        ],
        "extra-links": [f"{_PACKAGE}.links.PrewarmRunLink"],
        "task-decorators": [{"name": "prewarm", "class-name": f"{_PACKAGE}.decorators.prewarm.prewarm_task"}],
        "config": {
            "prewarm": {
                "description": "How DAGs that were written for DockerOperator are run.",
                "options": {
                    "docker_operator": {
                        "description": (
                            "What PrewarmDockerOperator runs tasks with: ``prewarm``, or ``docker`` for the real "
                            "DockerOperator, which needs the extra ``docker``; ``dags:REGEXP`` is prewarm for DAGs "
                            "whose whole id matches, and docker for all others."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "dags:nightly_.*",
                        "default": "prewarm",
                    },
                    "check_at_parse": {
                        "description": (
                            "Whether PrewarmDockerOperator may ask the server for its hosts while a DAG file is "
                            "parsed, to refuse there a docker_url or a bind that no host answers to."
                        ),
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "True",
                    },
                },
            }
        },
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.{name}" for name in names]}]
