"""Environment variables: of a file, open ones, private ones."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any

from airflow_provider_prewarm.parity.wrong import ArgumentWrong

# What DockerOperator calls the folder for temporary files by.
TMP_DIR = "AIRFLOW_TMP_DIR"


def parse_file(text: str) -> dict[str, str | None]:
    """The variables of a .env file, by python-dotenv, as DockerOperator reads it."""
    try:
        from dotenv import dotenv_values
    except ImportError:
        raise ArgumentWrong(
            "env_file",
            "python-dotenv, which reads it, is not installed here",
            "pip install python-dotenv where the worker runs, or write the variables as environment",
        ) from None
    return dict(dotenv_values(stream=StringIO(text)))


def variables(
    from_file: Mapping[str, Any], environment: Mapping[str, Any], private: Mapping[str, Any], tmp_dir: str | None
) -> dict[str, list[Any]]:
    """``env`` and ``secret_env``: what is private goes before what is open, and that before what the file says.

    :param tmp_dir: where temporary files are; None: nowhere, and then the open variables do not say it either
    """
    named = {name: value for name, value in environment.items() if name != TMP_DIR or tmp_dir is not None}
    if tmp_dir is not None:
        named[TMP_DIR] = tmp_dir
    open_ones = {**_texts("env_file", from_file), **_texts("environment", named)}
    secrets = _texts("private_environment", private)
    for name, value in secrets.items():
        open_ones.pop(name, None)
        if not value:  # a secret of the API has a value
            open_ones[name] = value
    return {
        "env": [f"{name}={value}" for name, value in open_ones.items()],
        "secret_env": [{"name": name, "value": value} for name, value in secrets.items() if value],
    }


def _texts(parameter: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Values as docker-py writes them."""
    return {str(name): _text(f"{parameter}[{name!r}]", value) for name, value in values.items()}


def _text(parameter: str, value: Any) -> str:
    if value is None:
        # docker-py sends the bare name, by which the engine takes the image's own variable away.
        raise ArgumentWrong(
            parameter,
            "it has no value; for DockerOperator that takes the image's own variable away, which a run can't",
            'leave it out, or give it a value (NAME= or "" for an empty one); os.getenv() gives None where a '
            "variable is not set",
        )
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
