"""What the operators that run a container have in common: one try at a task, from its submit to its outcome."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_prewarm._compat import BaseOperator, Context, conf
from airflow_provider_prewarm.api.connection import DEFAULT_CONN_ID
from airflow_provider_prewarm.links import PrewarmRunLink
from airflow_provider_prewarm.runs.printer import stderr_level_of
from airflow_provider_prewarm.secret import hiding, none_in_defaults

if TYPE_CHECKING:
    from airflow_provider_prewarm.runs.follow import Patience
    from airflow_provider_prewarm.runs.kill import Kill

OnKill = Literal["cancel", "release"]
Repin = Literal["never", "on_clear"]

# The XCom that says which run a task is: run_id, image, pin, digest, host.
XCOM_KEY = "prewarm"


class PrewarmOperator(BaseOperator):
    """A task that is one run on Prewarm. Subclasses say what the container is, and what its XCom is.

    ``execution_timeout`` is the run's deadline, by the server's clock, from the submit on. A run that ends within it is
    the task's end, also where its log takes longer to print. On Airflow 2 a deferrable task has Airflow's own clock
    beside it, from the task's start on, and fails at its end without asking Prewarm: leave room between the two by
    ``options={"deadline": "2h"}``, or set no ``execution_timeout`` there.

    Airflow passes ``default_args`` only to what ``__init__`` names, so each subclass names all of its parameters and
    these, and hands them on.

    :param prewarm_conn_id: the connection
    :param deferrable: give the worker's slot free while the run goes on
    :param on_kill: ``cancel`` stops the run when Airflow kills the task; ``release`` lets it go on for the next try
    :param wait_warm: how long the run may wait for its image to be warm; None: it is refused at once
    :param fresh: run what the tag shows at the registry now
    :param repin: ``on_clear``: a cleared task moves its DAG run's digest to what is current, once, before the first
        submit after the clear; a retry after a try that could not keeps the digest
    :param pin_scope: the name of the pin scope; None: the DAG run; "": none
    :param key: more of the run's key, where one task makes several runs. Without it the second one of a try gets
        ``/2``, the third ``/3``: give it where they don't always come in the same order
    :param hosts: only these hosts
    :param host_labels: only hosts with all of these labels
    :param concurrency_group: runs of a group are counted together
    :param concurrency_limit: how many of the group may be under way
    :param reconnect_timeout: how long a server that is gone is tried before the try fails
    :param keepalive: after how long without anybody who asks for it the server stops the run. None: as long as Airflow
        takes to notice that a worker is gone, or ``reconnect_timeout`` where that is longer, and while a try remains,
        until that begins; at least an hour where the task is deferrable, since Airflow keeps a task deferred while all
        its triggerers are down. Say more where they may be down for longer, or where a ``retry_policy`` makes delays
        that are longer than ``retry_delay``
    :param stderr_level: the level of lines on stderr that do not say theirs
    :param skip_on_exit_code: the program's word that there was nothing to do
    :param fail_on_exit_code: the program's word that another try is of no use
    :param xcom_max_bytes: the most that an XCom may have, as JSON
    :param meta: what people are told of the run, beside DAG, task, try, owner and link
    :param airflow_env: whether the container gets the variables AIRFLOW_CTX_...
    """

    operator_extra_links = (PrewarmRunLink(),)
    # How many of the run's last lines ``xcom`` and a failure's ``logs`` get; None: all, as memory allows.
    kept_lines: int | None = 200
    # Whether ``xcom`` looks at the last line on stdout, which may be far from the end of the log.
    wants_last_stdout = True

    def __init__(
        self,
        *,
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
        super().__init__(**kwargs)
        if self.has_dag():
            none_in_defaults(self.dag)
        _one_of("on_kill", on_kill, ("cancel", "release"))
        _one_of("repin", repin, ("never", "on_clear"))
        stderr_level_of(stderr_level)
        self.prewarm_conn_id = prewarm_conn_id
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable
        self.kill_action = on_kill  # on_kill itself is what Airflow calls
        self.wait_warm = wait_warm
        self.fresh = fresh
        self.repin = repin
        self.pin_scope = pin_scope
        self.key = key
        self.hosts = hosts
        self.host_labels = host_labels
        self.concurrency_group = concurrency_group
        self.concurrency_limit = concurrency_limit
        self.reconnect_timeout = reconnect_timeout
        self.keepalive = keepalive
        self.stderr_level = stderr_level
        self.skip_on_exit_code = skip_on_exit_code
        self.fail_on_exit_code = fail_on_exit_code
        self.xcom_max_bytes = xcom_max_bytes
        self.meta = meta
        self.airflow_env = airflow_env
        self._kill: Kill | None = None
        self._killed = False
        # Of the run, once it is known. None: Airflow is asked for the one that was pushed.
        self._link: str | None = ""

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """As Airflow's; and what is secret is kept out of what Airflow stores of a mapped task."""
        return hiding(super().partial(**kwargs))

    @abstractmethod
    def run_spec(self, context: Context) -> dict[str, Any]:
        """What is run: image, command, env, mounts … as the API has it (docs/openapi.yaml, SubmitRun).

        It is called after templates were rendered, on the worker. What it raises fails the try.
        """

    @abstractmethod
    def xcom(self, run: Mapping[str, Any], lines: Sequence[str], last_stdout: str | None) -> Any:
        """What a run that succeeded gives to the next tasks.

        :param run: as the server gave it
        :param lines: what ``kept_lines`` kept of both streams, in order
        :param last_stdout: the last line on stdout that is not empty
        """

    def execute(self, context: Context) -> Any:
        """Submit, follow, settle; or submit and defer."""
        from airflow_provider_prewarm.runs.attempt import Attempt

        with self._stopped_by_ctrl_c():
            return Attempt(self, context).begin()

    def execute_complete(
        self,
        context: Context,
        event: Mapping[str, Any] | None = None,
        *,
        run_id: str = "",
        word: str = "",
        after: int = 0,
    ) -> Any:
        """Settle a run that a trigger has followed, as its event says.

        :param run_id: the run that this task was deferred for; this and the rest is what the trigger was given
        """
        from airflow_provider_prewarm.runs.attempt import Attempt

        with self._stopped_by_ctrl_c():
            attempt = Attempt(self, context)
            return attempt.complete(attempt.own(event, run_id, word, after))

    def on_kill(self) -> None:
        """Stop the run, or let it go. See ``kill``: no call of Airflow, no record in the log, within two seconds."""
        self._killed = True  # a try that has nothing to stop yet looks at this
        if self._kill:
            self._kill.now()

    @contextmanager
    def _stopped_by_ctrl_c(self) -> Iterator[None]:
        """``airflow dags test`` is ended by a person, without a word to ``on_kill``: the same is done here."""
        try:
            yield
        except KeyboardInterrupt:
            self._killed = True
            if self._kill:
                self._kill.interrupted()
                self.log.warning("Prewarm: %s", self._kill.did)
            raise

    def _patience(self) -> Patience:
        """For how long a server that is gone is tried, and where that is told."""
        from airflow_provider_prewarm.runs.follow import Patience
        from airflow_provider_prewarm.runs.terms import seconds_of

        return Patience(seconds_of(self.reconnect_timeout), lambda why: self.log.warning("Prewarm: %s", why))


def _one_of(name: str, value: str, words: Sequence[str]) -> None:
    if value not in words:
        raise ValueError(f"{name}={value!r}: it is one of {', '.join(words)}")
