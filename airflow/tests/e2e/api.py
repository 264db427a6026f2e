"""The REST API of Airflow 3, for what a person does in its web pages."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx
from waiting import until

ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}


class Api:
    """A client with all rights."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=120)
        # SQLite has one writer at a time; a crowd of them keeps Airflow's own parts out for so long that they give up.
        self._writing = threading.Lock()

    def __enter__(self) -> Api:
        token = self._http.get("/auth/token").raise_for_status().json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        with contextlib.nullcontext() if method == "GET" else self._writing:
            answer = self._http.request(method, path, **arguments)
        if not answer.is_success:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def healthy(self) -> bool:
        health = self.call("GET", "/api/v2/monitor/health")
        return all(
            health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        )

    def import_errors(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/api/v2/importErrors")["import_errors"]
        return found

    def parsed_files(self) -> int:
        dags = self.call("GET", "/api/v2/dags", params={"limit": 1000})["dags"]
        return len({dag["fileloc"] for dag in dags})

    def trigger(self, dag: str, run_id: str, **conf: Any) -> DagRun:
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self.call("POST", f"/api/v2/dags/{dag}/dagRuns", json=body)
        return DagRun(self, dag, run_id)


class DagRun:
    """A DAG run, and what may be done to its tasks."""

    def __init__(self, api: Api, dag: str, run_id: str) -> None:
        self.api = api
        self.dag = dag
        self.run_id = run_id
        self.path = f"/api/v2/dags/{dag}/dagRuns/{quote(run_id, safe='')}"

    def key(self, task: str, map_index: int = -1) -> str:
        """The run key that its task has with Prewarm."""
        return f"{self.dag}/{self.run_id}/{task}/{map_index}"

    def task(self, task: str, map_index: int = -1) -> dict[str, Any]:
        suffix = f"/{map_index}" if map_index >= 0 else ""
        found: dict[str, Any] = self.api.call("GET", f"{self.path}/taskInstances/{task}{suffix}")
        return found

    def tasks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.call("GET", f"{self.path}/taskInstances", params={"limit": 1000})[
            "task_instances"
        ]
        return found

    def wait_task(self, task: str, *states: str, number: int = 0, seconds: float = 180) -> dict[str, Any]:
        """Wait until a task is in one of the states, in a certain try if that matters."""

        def so() -> dict[str, Any] | None:
            now = self.task(task)
            if now["state"] in states and (not number or now["try_number"] == number):
                return now
            if now["state"] in ENDED and not (now["try_number"] < number):
                raise AssertionError(
                    f"{self.dag} {self.run_id} {task} is {now['state']}, not {states}\n{self.told(task)}"
                )
            return None

        try:
            return (
                until(
                    f"{self.dag} {self.run_id} {task} is {' or '.join(states)} (try {number or 'any'})", so, seconds, 1
                )
                or {}
            )
        except TimeoutError as e:
            raise TimeoutError(f"{e}\nit is {self.task(task)['state']}\n{self.told(task)}") from e

    def wait(self, state: str = "success", seconds: float = 240) -> None:
        """Wait until the DAG run has ended, and see that it ended so."""
        got = until(f"{self.dag} {self.run_id} has ended", self._ended, seconds, 1)
        if got != state:
            tasks = [(t["task_id"], t["map_index"], t["state"], t["try_number"]) for t in self.tasks()]
            told = [self.told(t["task_id"], t["map_index"]) for t in self.tasks() if t["state"] == "failed"]
            raise AssertionError(f"{self.dag} {self.run_id} is {got}, not {state}: {tasks}\n" + "\n".join(told[:3]))

    def _ended(self) -> str:
        state = self.api.call("GET", self.path)["state"]
        return state if state in {"success", "failed"} else ""

    def log(self, task: str, number: int, map_index: int = -1) -> list[dict[str, Any]]:
        """The log of a try, record by record, as the web page shows it."""
        got = self.api.call(
            "GET",
            f"{self.path}/taskInstances/{task}/logs/{number}",
            params={"full_content": True, "map_index": map_index},
            headers={"Accept": "application/json"},
        )
        records: list[dict[str, Any]] = [r if isinstance(r, dict) else {"event": r} for r in got["content"]]
        return records

    def events(self, task: str, number: int, map_index: int = -1) -> list[str]:
        return [str(record.get("event", "")) for record in self.log(task, number, map_index)]

    def told(self, task: str, map_index: int = -1) -> str:
        """The logs of all tries, for who reads that a test failed."""
        try:
            tries = range(1, self.task(task, map_index)["try_number"] + 1)
            return "\n".join(self._told(task, number, map_index) for number in tries)
        except RuntimeError as e:
            return str(e)

    def _told(self, task: str, number: int, map_index: int) -> str:
        records = self.log(task, number, map_index)[-60:]
        lines = (f"{r.get('timestamp', '')} {r.get('event', '')} {r.get('error_detail', '')}" for r in records)
        return "\n".join((f"--- try {number}", *lines))

    def xcom(self, task: str, key: str = "return_value", map_index: int = -1) -> Any:
        got = self.api.call(
            "GET", f"{self.path}/taskInstances/{task}/xcomEntries/{key}", params={"map_index": map_index}
        )
        return got["value"]

    def xcoms(self, task: str, map_index: int = -1) -> dict[str, Any]:
        entries = self.api.call(
            "GET", f"{self.path}/taskInstances/{task}/xcomEntries", params={"map_index": map_index}
        )["xcom_entries"]
        return {e["key"]: self.xcom(task, e["key"], map_index) for e in entries}

    def links(self, task: str, map_index: int = -1) -> dict[str, Any]:
        got = self.api.call("GET", f"{self.path}/taskInstances/{task}/links", params={"map_index": map_index})
        links: dict[str, Any] = got["extra_links"]
        return links

    def clear(self, *tasks: str) -> None:
        """Ask for tasks anew, as a person does."""
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "task_ids": list(tasks),
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.api.call("POST", f"/api/v2/dags/{self.dag}/clearTaskInstances", json=body)

    def mark(self, task: str, state: str) -> float:
        """Set the state of a task by hand; when that was answered."""
        self.api.call("PATCH", f"{self.path}/taskInstances/{task}", json={"new_state": state})
        return time.time()

    def delete(self) -> None:
        self.api.call("DELETE", self.path)


def show(value: Any) -> str:
    return json.dumps(value, indent=1, default=str)
