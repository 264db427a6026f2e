"""Bodies are held against docs/openapi.yaml, so that a field that the server does not know fails a test."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from fake_prewarm.wire import Problem

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.yaml"
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
# Fields that mean nothing without another one.
_NEEDS = {"tries": "try", "epoch": "key", "scope_volume": "pin_scope", "concurrency_limit": "concurrency_group"}


@functools.cache
def document() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(DOCUMENT.read_text(encoding="utf-8"), Loader=loader)
    return loaded


@functools.cache
def validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": document()["components"]})


def check_body(body: Any, schema: str) -> None:
    """Refuse a body as the server does.

    :raises Problem: a field is wrong or not known, or misses another one
    """
    errors = [
        f"{'.'.join(map(str, e.absolute_path)) or 'body'}: {e.message}" for e in validator(schema).iter_errors(body)
    ]
    if not errors and schema == "SubmitRun":
        needs = _NEEDS | ({"join": "key"} if body.get("join") == "success" else {})
        needs |= {"keepalive_action": "keepalive"} if body.get("keepalive_action") == "stop" else {}
        errors = [
            f"{name}: it means nothing without {other}"
            for name, other in needs.items()
            if body.get(name) and not body.get(other)
        ]
        errors += [f"{name}: it must not be null" for name, value in body.items() if value is None]
        if body.get("tries", body.get("try", 0)) < body.get("try", 0):
            errors.append(f"try: the task has {body['tries']} tries")
    if errors:
        raise Problem("invalid_request", "; ".join(errors), "/openapi.yaml describes what the API takes")


def seconds_of(duration: str) -> float:
    """A duration as the API takes it, as 1h30m."""
    return sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", duration))
