"""Loads the example DAGs as an Airflow does whose provider is installed, without a network. Run by test_examples.py.

Prints, as JSON, the errors and what the DAGs are made of.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
try:
    from airflow.serialization.serialized_objects import DagSerialization as Serialization
except ImportError:
    from airflow.serialization.serialized_objects import SerializedDAG as Serialization


def refuse(*_: Any) -> None:
    raise OSError("a DAG file must not use the network as it is parsed")


def main(folder: Path) -> None:
    socket.socket.connect = socket.getaddrinfo = refuse  # type: ignore[assignment, method-assign]
    errors: dict[str, str] = {}
    dags: dict[str, Any] = {}
    for file in sorted(folder.glob("example_*.py")):
        bag = DagBag(str(file), safe_mode=False)
        errors |= {Path(name).name: text for name, text in bag.import_errors.items()}
        for name, dag in bag.dags.items():
            json.dumps(Serialization.to_dict(dag))
            dags[name] = {"file": file.name, "tasks": {t.task_id: type(t).__name__ for t in dag.tasks}}
    print("\n" + json.dumps({"errors": errors, "dags": dags}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
