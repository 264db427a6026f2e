"""What Airflow is told of the provider fits Airflow's own schemas, and leads to things that exist."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from airflow_provider_prewarm import form
from airflow_provider_prewarm._compat import AIRFLOW_3
from airflow_provider_prewarm.api.connection import _EXTRA, Server, server_of
from airflow_provider_prewarm.get_provider_info import get_provider_info
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook

INFO = get_provider_info()
AIRFLOW = Path(airflow.__file__).parent


def schema(name: str) -> Any:
    return json.loads((AIRFLOW / name).read_text(encoding="utf-8"))


def modules() -> Iterator[str]:
    for kind in ("operators", "hooks", "triggers"):
        for entry in INFO[kind]:
            yield from entry["python-modules"]


def classes() -> list[str]:
    connections = [entry["hook-class-name"] for entry in INFO["connection-types"]]
    decorators = [entry["class-name"] for entry in INFO["task-decorators"]]
    return [*connections, *INFO["extra-links"], *decorators]


def test_it_fits_the_installed_airflow() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))
    # That schema lets unknown keys pass; what Airflow does not read is a mistake.
    known = set(schema("provider_info.schema.json")["properties"])
    assert set(INFO) - known <= {"integrations", "operators", "hooks"}


@pytest.mark.parametrize("name", sorted(modules()))
def test_modules_exist(name: str) -> None:
    if name.endswith(".triggers.image") and not AIRFLOW_3:
        with pytest.raises(ImportError, match="Airflow 3"):  # there are no asset watchers
            importlib.import_module(name)
        return
    importlib.import_module(name)


@pytest.mark.parametrize("path", classes())
def test_classes_exist(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_the_form_fits_the_installed_airflow() -> None:
    jsonschema.validate(PrewarmHook.get_ui_field_behaviour(), schema("customized_form_field_behaviours.schema.json"))


def test_fields_are_those_that_a_connection_reads() -> None:
    read = set(Server.__dataclass_fields__) - {"url", "token", "conn_id"}
    assert set(form.FIELDS) == set(_EXTRA) == read == set(INFO["connection-types"][0]["conn-fields"])


@pytest.mark.parametrize("name", sorted(form.FIELDS))
def test_a_field_left_empty_is_its_default(name: str) -> None:
    """As the forms write it."""
    default = INFO["connection-types"][0]["conn-fields"][name]["schema"].get("default")
    for empty in ("", None, default):
        connection = _Connection(json.dumps({name: empty}))
        assert server_of(connection) == Server("http://h")  # type: ignore[arg-type]


class _Connection:
    conn_id, conn_type, host, port, schema, password = "c", "prewarm", "h", None, "", ""

    def __init__(self, extra: str) -> None:
        self.extra = extra


@pytest.mark.skipif(AIRFLOW_3, reason="the widgets of Airflow 2 need its web server's libraries")
def test_widgets_of_airflow_2() -> None:
    from flask import Flask
    from flask_babel import Babel
    from wtforms import Form

    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        made = type("ConnectionForm", (Form,), PrewarmHook.get_connection_form_widgets())()
        assert [field.name for field in made] == list(form.FIELDS)
        assert made["verify"].data is True
        assert str(made["ca_cert"].label.text) == "CA certificate"
