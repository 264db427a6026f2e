"""Run a container on a warm, digest-pinned image."""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

from airflow_provider_prewarm._compat import Context
from airflow_provider_prewarm.api.connection import DEFAULT_CONN_ID
from airflow_provider_prewarm.operators.base import OnKill, PrewarmOperator, Repin
from airflow_provider_prewarm.parity.wrong import ArgumentWrong
from airflow_provider_prewarm.runs import values
from airflow_provider_prewarm.secret import none_within, shown

XCom = Literal["auto", "result", "last_line", "none"]


class PrewarmRunOperator(PrewarmOperator):
    """Run a container on a warm, digest-pinned image, and follow it to its end.

    :param image: a configured image, ``node-jobs`` or ``node-jobs:1.4.2``; a tag that one tracks; ``repo@sha256:…``; or
        the payload of an asset event that says that a digest went live
    :param command: replaces the image's; a string is split as a shell would, and no shell is run
    :param entrypoint: replaces the image's; as ``command``
    :param env: variables of the container, which everybody may read
    :param secret_env: variables whose values are kept out of logs and listings, templated without being shown; a value
        ``{"file": "/run/secrets/x"}`` is a file on the server. The DAG that Airflow stores has no value of it
    :param unmasked: leave the values of ``secret_env`` readable in the log, and so in an XCom that is a line of it
    :param working_dir: an absolute path in the container
    :param user: name or uid, with ``:group`` or ``:gid``
    :param network: a network of the hosts, ``bridge`` or ``none``
    :param mounts: ``{"type": "volume", "source": "cache", "target": "/cache", "read_only": True}`` each
    :param memory: limit, bytes or as ``"2g"``
    :param memory_swap: limit of memory and swap together; -1: unlimited swap
    :param cpus: limit in CPUs
    :param cpu_shares: a weight; 1024 is usual
    :param shm_size: size of /dev/shm, bytes or as ``"256m"``
    :param pids_limit: the most processes
    :param ulimits: ``{"name": "nofile", "soft": 1024, "hard": 2048}`` each
    :param gpus: how many; -1: all
    :param scratch: ``volume`` or ``tmpfs``, or the API's object: space for temporary files, at /scratch and in TMPDIR
    :param scope_volume: where the volume is mounted that the tasks of the pin scope share
    :param keep_volume_on_failure: keep that volume at the scope's end if this run failed
    :param hostname: of the container
    :param extra_hosts: name to address
    :param dns: name servers
    :param labels: of the container
    :param init: the engine's own init is process 1
    :param tty: give the program a terminal; all is stdout then
    :param read_only: the container's root file system can't be written
    :param privileged: where the server's policy allows it
    :param cap_add: capabilities, where the server's policy allows them
    :param cap_drop: capabilities that the container lacks
    :param platform: refuse hosts of another one
    :param stop_signal: what a stop begins with
    :param stop_grace: time between that and the kill
    :param log_cap: bound of the log in bytes
    :param result_path: a JSON file that the program writes: the XCom
    :param xcom: ``auto`` is the result with ``result_path``, else the last line on stdout; ``result``, ``last_line``,
        ``none``
    :param options: further fields of a submit, as docs/openapi.yaml has them (SubmitRun); they go before all others;
        ``secret_env`` is none of them
    """

    template_fields: Sequence[str] = (
        "prewarm_conn_id",
        "image",
        "command",
        "entrypoint",
        "env",
        "working_dir",
        "user",
        "network",
        "mounts",
        "labels",
        "hosts",
        "host_labels",
        "pin_scope",
        "key",
        "concurrency_group",
        "meta",
        "result_path",
        "options",
    )
    # No file is read for a command that ends in .sh: it is a path in the image.
    template_ext: Sequence[str] = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "env": "json",
        "command": "bash",
        "mounts": "json",
        "meta": "json",
        "options": "json",
    }
    ui_color = "#f3e9d8"

    def __init__(
        self,
        *,
        image: str | Mapping[str, Any],
        command: str | Sequence[str] | None = None,
        entrypoint: str | Sequence[str] | None = None,
        env: Mapping[str, Any] | None = None,
        secret_env: Mapping[str, str | Mapping[str, str]] | None = None,
        unmasked: bool = False,
        working_dir: str = "",
        user: str | int | None = "",
        network: str = "",
        mounts: Sequence[Mapping[str, Any]] = (),
        memory: int | str = 0,
        memory_swap: int | str = 0,
        cpus: float = 0,
        cpu_shares: int = 0,
        shm_size: int | str = 0,
        pids_limit: int = 0,
        ulimits: Sequence[Mapping[str, Any]] = (),
        gpus: int = 0,
        scratch: str | Mapping[str, Any] | None = None,
        scope_volume: str = "",
        keep_volume_on_failure: bool = False,
        hostname: str = "",
        extra_hosts: Mapping[str, str] | None = None,
        dns: str | Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        init: bool = False,
        tty: bool = False,
        read_only: bool = False,
        privileged: bool = False,
        cap_add: str | Sequence[str] = (),
        cap_drop: str | Sequence[str] = (),
        platform: str = "",
        stop_signal: str = "",
        stop_grace: timedelta | float | None = None,
        log_cap: int | str = 0,
        result_path: str = "",
        xcom: XCom = "auto",
        options: Mapping[str, Any] | None = None,
        # Those of PrewarmOperator.
        prewarm_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool | None = None,
        on_kill: OnKill = "cancel",
        wait_warm: timedelta | float | None = None,
        fresh: bool = False,
        repin: Repin = "never",
        pin_scope: str | None = None,
        key: str = "",
        hosts: str | Sequence[str] = (),
        host_labels: Mapping[str, str] | None = None,
        concurrency_group: str = "",
        concurrency_limit: int = 0,
        reconnect_timeout: timedelta | float = timedelta(minutes=10),
        keepalive: timedelta | float | None = None,
        stderr_level: str = "INFO",
        skip_on_exit_code: int | Collection[int] | None = None,
        fail_on_exit_code: int | Collection[int] | None = None,
        xcom_max_bytes: int = 1 << 20,
        meta: Mapping[str, str] | None = None,
        airflow_env: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            prewarm_conn_id=prewarm_conn_id,
            deferrable=deferrable,
            on_kill=on_kill,
            wait_warm=wait_warm,
            fresh=fresh,
            repin=repin,
            pin_scope=pin_scope,
            key=key,
            hosts=hosts,
            host_labels=host_labels,
            concurrency_group=concurrency_group,
            concurrency_limit=concurrency_limit,
            reconnect_timeout=reconnect_timeout,
            keepalive=keepalive,
            stderr_level=stderr_level,
            skip_on_exit_code=skip_on_exit_code,
            fail_on_exit_code=fail_on_exit_code,
            xcom_max_bytes=xcom_max_bytes,
            meta=meta,
            airflow_env=airflow_env,
            **kwargs,
        )
        self.image = image
        self.command = command
        self.entrypoint = entrypoint
        self.env = env
        self.secret_env = shown(secret_env)
        self.unmasked = unmasked
        self.working_dir = working_dir
        self.user = user
        self.network = network
        self.mounts = mounts
        self.memory = memory
        self.memory_swap = memory_swap
        self.cpus = cpus
        self.cpu_shares = cpu_shares
        self.shm_size = shm_size
        self.pids_limit = pids_limit
        self.ulimits = ulimits
        self.gpus = gpus
        self.scratch = scratch
        self.scope_volume = scope_volume
        self.keep_volume_on_failure = keep_volume_on_failure
        self.hostname = hostname
        self.extra_hosts = extra_hosts
        self.dns = dns
        self.labels = labels
        self.init = init
        self.tty = tty
        self.read_only = read_only
        self.privileged = privileged
        self.cap_add = cap_add
        self.cap_drop = cap_drop
        self.platform = platform
        self.stop_signal = stop_signal
        self.stop_grace = stop_grace
        self.log_cap = log_cap
        self.result_path = result_path
        self.xcom_from = xcom  # xcom itself is the method
        none_within(options)
        self.options = options
        values.at_parse(self.task_id, {name: getattr(self, name, None) for name in values.CHECKS})
        if xcom not in ("auto", "result", "last_line", "none"):
            raise ValueError(f"xcom={xcom!r}: it is one of auto, result, last_line, none")
        if xcom == "result" and not result_path and "result" not in (options or {}):
            raise ValueError("xcom='result' needs result_path: the file in the container that the program writes")
        self.wants_last_stdout = xcom == "last_line" or (xcom == "auto" and not result_path)

    def run_spec(self, context: Context) -> dict[str, Any]:
        """The parameters as the API names them.

        :raises RequestWrong: one of them can't be sent; the next try would not be another one
        """
        from airflow_provider_prewarm.exceptions import RequestWrong

        secret = self.render_template(self.secret_env or {}, context)
        try:
            none_within(self.options)  # it may have been a template
            values.rendered({name: getattr(self, name, None) for name in values.CHECKS} | {"secret_env": secret})
            spec = self._spec(secret)
        except ArgumentWrong as e:
            raise RequestWrong("invalid_request", f"{e.parameter}: {e.why}", e.mend) from None
        except ValueError as e:
            raise RequestWrong("invalid_request", str(e)) from None
        self._tell_of_shell(spec.get("command") or [])
        return spec

    def _tell_of_shell(self, command: Sequence[str]) -> None:
        found = values.for_a_shell(command) if isinstance(self.command, str) and not self.entrypoint else ""
        if found:
            self.log.warning(
                "Prewarm: the command has %s in it, and no shell is run: the program gets it as it is. "
                "Where a shell is meant, write command=%s",
                found,
                f'["sh", "-c", {json.dumps(self.command, ensure_ascii=False)}]',
            )

    def _spec(self, secret: Mapping[str, Any]) -> dict[str, Any]:
        from airflow_provider_prewarm.runs.terms import duration, listed

        asked: dict[str, Any] = {
            "image": image_of(self.image),
            "command": words(self.command),
            "entrypoint": words(self.entrypoint),
            "env": [f"{name}={value}" for name, value in (self.env or {}).items()],
            "secret_env": secrets(secret),
            "unmasked": self.unmasked,
            "workdir": self.working_dir,
            "user": "" if self.user is None else str(self.user),
            "network": self.network,
            "mounts": [dict(mount) for mount in self.mounts],
            "memory": values.bytes_of("memory", self.memory or 0),
            "memory_swap": values.bytes_of("memory_swap", self.memory_swap or 0),
            "cpus": self.cpus,
            "cpu_shares": self.cpu_shares,
            "shm_size": values.bytes_of("shm_size", self.shm_size or 0),
            "pids_limit": self.pids_limit,
            "ulimits": [dict(limit) for limit in self.ulimits],
            "device_requests": [{"count": self.gpus, "capabilities": [["gpu"]]}] if self.gpus else [],
            "scratch": {"type": self.scratch} if isinstance(self.scratch, str) else dict(self.scratch or {}),
            "scope_volume": self.scope_volume,
            "keep_volume_on_failure": self.keep_volume_on_failure,
            "hostname": self.hostname,
            "extra_hosts": [f"{name}:{address}" for name, address in (self.extra_hosts or {}).items()],
            "dns": listed(self.dns),
            "labels": dict(self.labels or {}),
            "init": self.init,
            "tty": self.tty,
            "read_only": self.read_only,
            "privileged": self.privileged,
            "cap_add": listed(self.cap_add),
            "cap_drop": listed(self.cap_drop),
            "platform": self.platform,
            "stop_signal": self.stop_signal,
            "stop_grace": duration(self.stop_grace) if self.stop_grace is not None else "",
            "log_cap": values.bytes_of("log_cap", self.log_cap or 0),
            "result": self.result_path,
        }
        said = {name: value for name, value in asked.items() if value not in (None, "", [], {}, 0, False)}
        return said | dict(self.options or {})

    def xcom(
        self,
        run: Mapping[str, Any],
        lines: Sequence[str],  # noqa: ARG002 - another subclass needs it
        last_stdout: str | None,
    ) -> Any:
        """The result, or the last line on stdout."""
        if self.xcom_from == "none":
            return None
        result = self.result_path or (self.options or {}).get("result")
        if self.xcom_from == "result" or (self.xcom_from == "auto" and result):
            return run.get("result")
        return last_stdout


def image_of(image: str | Mapping[str, Any]) -> str:
    """The image that is named, or the pin of an asset event's payload, which a template may have made text of.

    :raises ValueError: it is neither
    """
    said: Any = image
    if isinstance(said, str) and said.lstrip()[:1] == "{":
        said = _read(said)
    if isinstance(said, Mapping):
        said = said.get("pin")
    if not isinstance(said, str) or not said.strip():
        raise ValueError(f"image={image!r} names no image, and is no payload with a pin")
    return said.strip()


def words(command: str | Sequence[str] | None) -> list[str]:
    """A command as the list of its words. A list that a template made text of is read as one.

    :raises ValueError: quotes that don't close
    """
    if command is None:
        return []
    if not isinstance(command, str):
        return [str(word) for word in command]
    if command.lstrip()[:1] == "[":
        listed = _read(command)
        if isinstance(listed, list):
            return [str(word) for word in listed]
    try:
        return shlex.split(command)
    except ValueError as e:
        # Not repeated: there may be secrets in it.
        raise ValueError(f"a command or entrypoint can't be split into words: {e}; write a list of them") from None


def secrets(given: Mapping[str, str | Mapping[str, str]]) -> list[dict[str, str]]:
    """Secret variables as the API takes them."""
    return [
        {"name": name, **({"file": value["file"]} if isinstance(value, Mapping) else {"value": str(value)})}
        for name, value in given.items()
    ]


def _read(text: str) -> Any:
    for reader in (json.loads, ast.literal_eval):
        try:
            return reader(text)
        except (ValueError, SyntaxError):
            continue
    return None
