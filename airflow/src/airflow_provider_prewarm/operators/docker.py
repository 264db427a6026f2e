"""A task that was written for DockerOperator, on Prewarm."""

from __future__ import annotations

import inspect
import os
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow_provider_prewarm import known_hosts, places, switch
from airflow_provider_prewarm._compat import Context
from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.connection import DEFAULT_CONN_ID
from airflow_provider_prewarm.docker_run import DockerRun
from airflow_provider_prewarm.exceptions import RequestWrong
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.operators.base import XCOM_KEY, OnKill, PrewarmOperator, Repin
from airflow_provider_prewarm.parity import body, exits, program, variables
from airflow_provider_prewarm.parity import mounts as mount_forms
from airflow_provider_prewarm.parity.plain import is_plain, plain_part, without_none
from airflow_provider_prewarm.parity.signature import API_TIMEOUT, PARAMETERS, without_effect
from airflow_provider_prewarm.parity.wrong import ArgumentWrong
from airflow_provider_prewarm.runs import ask, earlier
from airflow_provider_prewarm.runs.follow import send
from airflow_provider_prewarm.runs.task import executes, try_of
from airflow_provider_prewarm.runs.terms import listed
from airflow_provider_prewarm.secret import shown

if TYPE_CHECKING:
    from docker.types import DeviceRequest, Mount, Ulimit

# DockerOperator pulls an image that its host lacks, however long that takes.
WAIT_WARM = timedelta(minutes=15)

# What subclasses of DockerOperator have overridden.
NEVER_CALLED = (
    "_run_image",
    "_run_image_with_mounts",
    "_attempt_to_retrieve_result",
    "_copy_from_docker",
    "_normalize_mounts",
    "pickling_library",
)
# What DockerOperator and this one both call, and a subclass may have overridden.
_CALLED = ("format_command", "unpack_environment_variables")


class PrewarmDockerOperator(PrewarmOperator):
    """DockerOperator's arguments, attributes and templates, run on Prewarm: a DAG moves by changing one import.

    What differs: the container is always removed once its log is kept, whatever ``auto_remove`` says; the image is
    never pulled by the task, which waits for it to be warm; the temporary folder is a volume on the run's host, and
    TMPDIR names it, too; ``retrieve_output`` needs ``result_path``; a variable without a value is refused. TLS paths,
    ``timeout``, ``api_version``, ``docker_conn_id`` and ``host_tmp_dir`` have no effect, and the log says which were
    set.

    ``[prewarm] docker_operator`` sends tasks through the real DockerOperator instead.

    :param image: ``repo:tag`` of an image that Prewarm keeps warm, or ``repo@digest``; without a tag it is ``:latest``
    :param docker_url: the endpoint or an alias of a host, or a list of which any will do; None: ``$DOCKER_HOST`` where
        that is one of these, else any host
    :param force_pull: what the tag shows at the registry now: as ``fresh``, and without the DAG run's digest unless
        ``pin_scope`` is given
    :param private_environment: as DockerOperator has it; of a mapped task, too, the DAG that Airflow stores has no
        value of it
    :param cpus: a weight, as DockerOperator has it
    :param mount_tmp_dir: a volume of the run's own at ``tmp_dir``, which ``AIRFLOW_TMP_DIR`` names
    :param container_name: the container's name in a network of the user's own, and its label ``airflow.container_name``
    :param xcom_all: the XCom is all lines of both streams, not the last one
    :param result_path: a JSON file that the program writes: the XCom is what it holds
    :param unmasked: leave the values of ``private_environment`` readable in the log, and so in the XCom
    :param wait_warm: how long the run may wait for its image to be warm; None: it is refused at once
    :param deferrable: give the worker's slot free while the run goes on; what a subclass's ``execute`` does behind
        ``super().execute()`` is not reached then, so that ``[operators] default_deferrable`` is not asked
    :param skip_on_exit_code: an exit code, or anything that can be asked ``in``; 0 may be among them

    All other parameters are DockerOperator's, with its meaning, or those of PrewarmOperator.
    """

    template_fields: Sequence[str] = (
        "image",
        "command",
        "environment",
        "env_file",
        "container_name",
        "mounts",
        "docker_conn_id",
        # Prewarm's own.
        "prewarm_conn_id",
        "hosts",
        "host_labels",
        "pin_scope",
        "key",
        "concurrency_group",
        "meta",
        "result_path",
    )
    template_fields_renderers = {"env_file": "yaml", "meta": "json"}  # noqa: RUF012 (as Airflow has it)
    template_ext: Sequence[str] = (".sh", ".bash", ".env")

    def __init__(
        self,
        *,
        image: str,
        api_version: str | None = None,
        command: str | list[str] | None = None,
        container_name: str | None = None,
        cpus: float = 1.0,
        docker_url: str | list[str] | None = None,
        environment: dict | None = None,
        private_environment: dict | None = None,
        env_file: str | None = None,
        force_pull: bool = False,
        mem_limit: float | str | None = None,
        host_tmp_dir: str | None = None,
        network_mode: str | None = None,
        tls_ca_cert: str | None = None,
        tls_client_cert: str | None = None,
        tls_client_key: str | None = None,
        tls_verify: bool = True,
        tls_hostname: str | bool | None = None,
        tls_ssl_version: str | None = None,
        mount_tmp_dir: bool = True,
        tmp_dir: str = "/tmp/airflow",  # noqa: S108 (in the container)
        user: str | int | None = None,
        mounts: list[Mount | dict] | None = None,
        entrypoint: str | list[str] | None = None,
        working_dir: str | None = None,
        xcom_all: bool = False,
        docker_conn_id: str | None = None,
        dns: list[str] | None = None,
        dns_search: list[str] | None = None,
        auto_remove: Literal["never", "success", "force"] = "never",
        shm_size: int | None = None,
        tty: bool = False,
        hostname: str | None = None,
        privileged: bool = False,
        cap_add: Iterable[str] | None = None,
        extra_hosts: dict[str, str] | None = None,
        retrieve_output: bool = False,
        retrieve_output_path: str | None = None,
        timeout: int = API_TIMEOUT,
        device_requests: list[DeviceRequest] | None = None,
        log_opts_max_size: str | None = None,
        log_opts_max_file: str | None = None,
        ipc_mode: str | None = None,
        skip_on_exit_code: int | Container[int] | None = None,
        port_bindings: dict | None = None,
        ulimits: list[Ulimit] | None = None,
        labels: dict[str, str] | list[str] | None = None,
        # Prewarm's own.
        result_path: str | None = None,
        unmasked: bool = False,
        prewarm_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool | None = None,
        on_kill: OnKill = "cancel",
        wait_warm: timedelta | float | None = WAIT_WARM,
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
        fail_on_exit_code: int | Collection[int] | None = None,
        xcom_max_bytes: int = 1 << 20,
        meta: Mapping[str, str] | None = None,
        airflow_env: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            prewarm_conn_id=prewarm_conn_id,
            # Not [operators] default_deferrable: what a subclass does behind super().execute() has to be reached.
            deferrable=bool(deferrable),
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
            skip_on_exit_code=exits.skips(skip_on_exit_code),
            fail_on_exit_code=fail_on_exit_code,
            xcom_max_bytes=xcom_max_bytes,
            meta=meta,
            airflow_env=airflow_env,
            **kwargs,
        )
        # The attributes are DockerOperator's: subclasses read and set them.
        self.image = image
        self.api_version = api_version
        self.command = command
        self.container_name = container_name
        self.cpus = cpus
        self.docker_url = docker_url or os.environ.get("DOCKER_HOST") or places.DEFAULT_URL
        self.environment = environment or {}
        self._private_environment = shown(private_environment) or {}
        self.env_file = env_file
        self.force_pull = force_pull
        self.mem_limit = mem_limit
        self.host_tmp_dir = host_tmp_dir
        self.network_mode = network_mode
        self.tls_ca_cert = tls_ca_cert
        self.tls_client_cert = tls_client_cert
        self.tls_client_key = tls_client_key
        self.tls_verify = tls_verify
        self.tls_hostname = tls_hostname
        self.tls_ssl_version = tls_ssl_version
        self.mount_tmp_dir = mount_tmp_dir
        self.tmp_dir = tmp_dir
        self.user = user
        self.mounts = mounts or []
        self.entrypoint = entrypoint
        self.working_dir = working_dir
        self.xcom_all = xcom_all
        self.docker_conn_id = docker_conn_id
        self.dns = dns
        self.dns_search = dns_search
        self.auto_remove = auto_remove
        self.shm_size = shm_size
        self.tty = tty
        self.hostname = hostname
        self.privileged = privileged
        self.cap_add = cap_add
        self.extra_hosts = extra_hosts
        self.retrieve_output = retrieve_output
        self.retrieve_output_path = retrieve_output_path
        self.timeout = timeout
        self.device_requests = device_requests
        self.log_opts_max_size = log_opts_max_size
        self.log_opts_max_file = log_opts_max_file
        self.ipc_mode = ipc_mode
        self.port_bindings = port_bindings or {}
        self.ulimits = ulimits or []
        self.labels = labels
        self.result_path = result_path
        self.unmasked = unmasked
        self._docker_url_said = docker_url or None
        self._docker_url_at_init = self.docker_url
        self._docker: DockerRun | None = None
        self._only_prewarm = [
            name
            for name, value in {
                "result_path": result_path,
                "unmasked": unmasked,
                "deferrable": deferrable,
                "fail_on_exit_code": fail_on_exit_code,
                "hosts": hosts,
                "host_labels": host_labels,
                "pin_scope": pin_scope,
                "key": key,
                "concurrency_group": concurrency_group,
            }.items()
            if value
        ]
        self._check_at_parse()

    def run_spec(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """What DockerOperator's arguments are for a run, after they were rendered."""
        try:
            made = body.container(
                self._arguments(), self.result_path, self.format_command, self.unpack_environment_variables
            )
        except ArgumentWrong as e:
            raise RequestWrong("invalid_argument", f"{e.parameter}: {e.why}", e.mend) from e
        return made | ({"unmasked": True} if self.unmasked else {})

    def xcom(self, run: Mapping[str, Any], lines: Sequence[str], last_stdout: str | None) -> Any:  # noqa: ARG002
        """The last line of both streams, all of them, or what the result file holds."""
        if self.result_path:
            return run.get("result")
        if not lines:
            return None
        return [line.rstrip() for line in lines] if self.xcom_all else lines[-1].rstrip()

    def execute(self, context: Context) -> Any:
        """Run on Prewarm, or through DockerOperator where ``[prewarm] docker_operator`` says so."""
        if switch.on_docker(switch.setting(), context["ti"].dag_id):
            return self._execute_on_docker(context)
        _check_overrides(type(self))
        ignored = without_effect(self._arguments())
        if ignored:
            self.log.info("Without effect on Prewarm, whose server speaks to the engines: %s", ", ".join(ignored))
        if self.force_pull:
            self._pull()
        self._keep_lines()
        self._place()
        return inspect.unwrap(PrewarmOperator.execute)(self, context)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None, **deferred: Any) -> Any:
        """Settle a run that a trigger has followed, as its event says."""
        self._keep_lines()
        return super().execute_complete(context, event, **deferred)

    def on_kill(self) -> None:
        """Stop the run, or DockerOperator's container."""
        if self._docker is not None:
            self._docker.on_kill()
        else:
            super().on_kill()

    @staticmethod
    def format_command(command: list[str] | str | None) -> list[str] | str | None:
        """A string that begins with ``[`` is the Python list that it shows; as DockerOperator has it."""
        formatted: list[str] | str | None = program.literal(command)
        return formatted

    @staticmethod
    def unpack_environment_variables(env_str: str) -> dict:
        """The variables of an env file's content; as DockerOperator has it."""
        return variables.parse_file(env_str)

    @property
    def hook(self) -> Any:
        """DockerOperator's hook, while the task runs through it."""
        return self._of_docker("hook")

    @property
    def cli(self) -> Any:
        """The Docker client of DockerOperator, while the task runs through it."""
        return self._of_docker("cli")

    def _of_docker(self, name: str) -> Any:
        if self._docker is None:
            if not switch.on_docker(switch.setting(), self.dag.dag_id if self.has_dag() else None):
                _no_docker(name)
            self._docker = self._new_docker()  # a subclass's execute asks before super().execute()
        return getattr(self._docker.operator, name)

    def _new_docker(self) -> DockerRun:
        # DockerOperator writes into environment.
        said = {
            **self._arguments(),
            "environment": dict(self.environment),
            "force_pull": self.force_pull or self.fresh,
        }
        own = {name: getattr(self, name) for name in _CALLED if _is_own(type(self), name)}
        return DockerRun(self.task_id, said, self.do_xcom_push, own)

    def _arguments(self) -> dict[str, Any]:
        """DockerOperator's arguments as they stand now: a subclass may have set the attributes."""
        private = "private_environment"
        return {name: getattr(self, f"_{name}" if name == private else name) for name in PARAMETERS}

    def _execute_on_docker(self, context: Context) -> Any:
        self.log.info("%s = %s: this task runs through DockerOperator", switch.SETTING, switch.setting())
        if self._only_prewarm:
            self.log.info("Without effect there: %s", ", ".join(self._only_prewarm))
        # Neither would be called here: the real DockerOperator is none of this class.
        _check_overrides(type(self))
        this = try_of(context)
        if this.number > 1:
            key = executes.key(context["ti"], this.number, ask.key_of(self, this))
            earlier.stop(self.prewarm_conn_id, key, self.log)
        self._docker = self._new_docker()  # the attributes may have changed since a client was asked for
        return self._docker.execute(context)

    def _pull(self) -> None:
        """Ask for what the tag shows now, which an earlier task may have pushed: not for the DAG run's digest."""
        self.fresh = True
        if self.pin_scope is None:
            self.pin_scope = ""
            self.log.info("Prewarm: force_pull: what the tag shows now, not the digest of the DAG run's other tasks")

    def _keep_lines(self) -> None:
        """With ``xcom_all``, which a subclass may have set, the XCom is all lines, if xcom_max_bytes allows that."""
        if self.xcom_all and not self.result_path:
            self.kept_lines = None

    def _wish(self, docker_url: str | list[str] | None, made_mounts: Sequence[Mapping[str, Any]]) -> places.Wish:
        """Where the task wants to run.

        :param docker_url: the attribute, or None where that is no address yet
        :param made_mounts: its mounts, as the submit has them
        """
        explicit = self._docker_url_said is not None or self.docker_url != self._docker_url_at_init
        urls = places.urls_of(docker_url)
        if not explicit:
            urls = [url for url in urls if not places.is_default(url)]
        # At parse a template names no host yet.
        only = tuple(listed(self.hosts)) if is_plain(self.hosts) else ()
        labels = self.host_labels if self.host_labels and is_plain(self.host_labels) else {}
        return places.Wish(urls, explicit, mount_forms.sources(made_mounts), only, labels)

    def _place(self) -> None:
        """Choose hosts by what the DAG says of them, as the server has them now."""
        try:
            wish = self._wish(self.docker_url, mount_forms.mounts(self.mounts))
            if not wish.asks:
                return
            hosts, note = places.settle(wish, self._hosts_now())
        except ArgumentWrong as e:
            raise RequestWrong("invalid_argument", f"{e.parameter}: {e.why}", e.mend) from e
        self.hosts = hosts
        if note:
            self.log.info(note)

    def _hosts_now(self) -> list[dict[str, Any]]:
        with PrewarmHook(self.prewarm_conn_id).get_conn() as client:
            return list(send(client, calls.list_hosts(), self._patience())["hosts"])

    def _check_at_parse(self) -> None:
        """Refuse, where the DAG is written, what could only fail where it runs.

        :raises ValueError: an argument has no meaning, or one that a run on Prewarm can't have
        """
        given = self._arguments()
        body.check_as_docker(given)
        # A DAG that is not known yet may be one that runs by Docker.
        if switch.on_docker(switch.setting(), self.dag.dag_id if self.has_dag() else None) is not False:
            return
        _check_overrides(type(self))
        plain = plain_part(without_none(given), self.template_fields, self.template_ext)
        if _is_own(type(self), "format_command"):
            plain |= {"command": None, "entrypoint": None}  # the subclass knows what they are, once it is made
        try:
            made = body.container(plain, self.result_path)
            self._check_place_at_parse(self._wish(plain["docker_url"], made.get("mounts", [])))
        except ArgumentWrong as e:
            raise ArgumentWrong(f"task {self.task_id}: {e.parameter}", e.why, e.mend) from None

    def _check_place_at_parse(self, wish: places.Wish) -> None:
        says_hosts = wish.explicit and not all(places.is_default(url) for url in wish.urls)
        if not (says_hosts or wish.binds) or not switch.check_at_parse():
            return
        hosts = known_hosts.at_parse(self.prewarm_conn_id)
        if hosts is not None:
            places.settle(wish, hosts)


def _is_own(kind: type, name: str) -> bool:
    """Whether a subclass has a method of its own."""
    return getattr(kind, name) is not getattr(PrewarmDockerOperator, name)


def _check_overrides(kind: type) -> None:
    """Refuse a subclass whose methods would silently never be called."""
    for name in NEVER_CALLED:
        if hasattr(kind, name):
            raise ValueError(
                f"{kind.__name__} has {name}, which DockerOperator calls and PrewarmDockerOperator does not: it has "
                "no Docker client: do it in execute(), which may call super().execute(context), read files of the "
                "container by result_path, or leave this class with DockerOperator"
            )


def _no_docker(name: str) -> NoReturn:
    # An AttributeError: hasattr() tells the truth.
    raise AttributeError(
        f"PrewarmDockerOperator has no {name!r}: the container runs on a host of Prewarm's, and the worker has no "
        f"Docker client. Its run and host are in the XCom {XCOM_KEY!r}; a file of it is read by result_path. Where a "
        f"subclass needs the client, keep its DAG with DockerOperator by {switch.SETTING}"
    )
