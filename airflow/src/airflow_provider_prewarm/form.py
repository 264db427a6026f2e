"""The form of a connection of type ``prewarm``: one description for all Airflows.

There is no field for a namespace: the server knows which one a token belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Field:
    """A field of the connection's extra.

    :param kind: of its value, in the words of JSON schema
    """

    label: str
    description: str
    kind: Literal["string", "boolean", "number"] = "string"
    default: bool | None = None


FIELDS = {
    "ca_cert": Field(
        "CA certificate", "Path, on each worker, of the certificates that sign the server's. Empty: the system's."
    ),
    "client_cert": Field(
        "Client certificate", "Path, on each worker, of a certificate to sign in with instead of a token."
    ),
    "client_key": Field("Client key", "Path of its key."),
    "verify": Field("Verify the certificate", "Whether the server's certificate is verified.", "boolean", True),
    "timeout": Field(
        "Timeout", "Seconds for one call, 60 where it is empty. Following a run takes as long as it takes.", "number"
    ),
}

# As hooks give it.
BEHAVIOUR: dict[str, Any] = {
    "hidden_fields": ["login", "extra"],
    "relabeling": {"host": "Host (bare)", "schema": "Schema (http or https)", "password": "API token"},
    "placeholders": {
        "host": "prewarm.example.com",
        "port": "8470",
        "schema": "https",
        "password": "pw_… It belongs to one namespace on the server, and works in that one.",
    },
}


def declared() -> dict[str, Any]:
    """Fields and behaviour as get_provider_info gives them, from Airflow 3.2 on."""
    return {
        "conn-fields": {name: _declared(field) for name, field in FIELDS.items()},
        "ui-field-behaviour": {name.replace("_", "-"): value for name, value in BEHAVIOUR.items()},
    }


def _declared(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [field.kind, "null"]}
    if field.default is not None:
        schema["default"] = field.default
    return {"label": field.label, "schema": schema, "description": field.description}


def widgets() -> dict[str, Any]:
    """Fields as Airflow 2 wants them. They need its web server's libraries, which workers may lack."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import BooleanField, IntegerField, StringField
    from wtforms.validators import Optional

    made: dict[str, Any] = {}
    for name, field in FIELDS.items():
        label, description = lazy_gettext(field.label), field.description
        if field.kind == "boolean":
            made[name] = BooleanField(label, description=description, default=field.default)
        elif field.kind == "number":
            made[name] = IntegerField(label, [Optional()], description=description, widget=BS3TextFieldWidget())
        else:
            made[name] = StringField(label, description=description, widget=BS3TextFieldWidget())
    return made
