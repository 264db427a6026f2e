"""How a try ends, one class for each way, so that a ``retry_policy`` can tell them apart.

What is raised as an ``AirflowFailException`` is not tried again: trying again would end the same way, or must not
happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_prewarm._compat import AirflowException, AirflowFailException, AirflowSkipException


class PrewarmError(AirflowException):
    """Anything that Prewarm, or the way to it, ended a try with."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Airflow moves exceptions between processes; ours have more than a message."""
        return _restore, (type(self), self.args, dict(self.__dict__))


def _restore(kind: type[PrewarmError], args: tuple[Any, ...], fields: dict[str, Any]) -> PrewarmError:
    """Make an exception as it was. What its ``__init__`` makes of its arguments is in the fields."""
    e = kind.__new__(kind, *args)
    e.__dict__.update(fields)
    return e


class ServerUnavailable(PrewarmError):
    """The server could not be reached, or was cut off, or was stopping. The work may go on."""


class RequestRefused(PrewarmError):
    """The server understood a request and refused it.

    :param code: the stable word of the refusal, as ``image_not_warm``
    :param detail: what was refused and why
    :param mend: what to do about it; may be empty
    :param status: the HTTP status
    :param retry_after: seconds after which it may be asked again; 0 where the server said nothing
    """

    def __init__(self, code: str, detail: str, mend: str = "", status: int = 0, retry_after: float = 0) -> None:
        super().__init__(f"{detail} ({code}): {mend}" if mend else f"{detail} ({code})")
        self.code = code
        self.detail = detail
        self.mend = mend
        self.status = status
        self.retry_after = retry_after


class RequestWrong(RequestRefused, AirflowFailException):
    """A refusal that the same request meets again: a field is wrong, or not allowed."""


class ImageNotWarm(RequestRefused):
    """The image is warm on no host that could take the run, and nothing was executed."""


class TryKilled(PrewarmError):
    """Airflow ended the try: somebody set the task's state, or its worker goes. A try that remains is made."""


class RunError(PrewarmError):
    """A run ended otherwise than well.

    :param message: how it ended, for a reader
    :param run: the run as the server gave it
    :param logs: the last lines of its log, which callbacks of DockerOperator read
    """

    def __init__(self, message: str, run: Mapping[str, Any], logs: Sequence[str] = ()) -> None:
        AirflowException.__init__(self, message)  # not super: of RunNotWarm that is RequestRefused
        self.run = dict(run)
        self.logs = list(logs)

    @property
    def exit_code(self) -> int | None:
        """The container's exit code; None where nothing exited."""
        code = self.run.get("exit_code")
        return None if code is None else int(code)


class ContainerFailed(RunError):
    """The program ended with an exit code that is not 0."""


class ContainerOutOfMemory(ContainerFailed):
    """The kernel ended the program for its memory."""


class ContainerFailedForGood(ContainerFailed, AirflowFailException):
    """The program ended with one of ``fail_on_exit_code``."""


class ContainerSkipped(RunError, AirflowSkipException):
    """The program ended with one of ``skip_on_exit_code``."""


class RunTimedOut(RunError):
    """The run's deadline passed, and it was stopped."""


class RunCanceled(RunError):
    """Somebody or something stopped the run."""


class RunInterrupted(RunError):
    """It may have run, and runs no more; how it ended can't be known."""


class RunLost(RunError):
    """Contact was lost; it may still run where nobody sees it."""


class RunNotExecuted(RunError):
    """The run was accepted and then refused; nothing was executed."""


class RunNotWarm(RunNotExecuted, ImageNotWarm):
    """The image did not become warm while the run waited for that."""

    def __init__(self, message: str, run: Mapping[str, Any], logs: Sequence[str] = ()) -> None:
        RunError.__init__(self, message, run, logs)
        self.code = str(run.get("reason", "image_not_warm"))
        self.detail, self.mend, self.status, self.retry_after = message, "", 0, 0


class ResultUnusable(RunError, AirflowFailException):
    """The program succeeded, and what it left as its result can't be an XCom."""


# Refusals that the same request meets again.
_WRONG = {"invalid_request", "path_not_found", "method_not_allowed", "not_allowed", "forbidden", "key_conflict"}
# Refusals that end by themselves once an image is warm.
_NOT_WARM = {"image_not_warm", "no_current", "pin_cold"}

# A fault of the server's own, and an answer of what stands before it.
_STUMBLED = {"internal", "unknown"}


def refusal(code: str, detail: str, mend: str = "", status: int = 0, retry_after: float = 0) -> RequestRefused:
    """The exception for a refusal of the server."""
    kind = RequestWrong if code in _WRONG else ImageNotWarm if is_not_warm(code) else RequestRefused
    return kind(code, detail, mend, status, retry_after)


def is_not_warm(code: str) -> bool:
    """Whether a refusal ends by itself once an image is warm."""
    return code in _NOT_WARM


def passing(e: Exception) -> bool:
    """Whether a failure may be over soon: the server is restarted, busy or stumbles, or the way to it is broken.

    What it says of registries, hosts and images is none, whatever the status.
    """
    if isinstance(e, ServerUnavailable):
        return True
    if not isinstance(e, RequestRefused):
        return False
    return e.status == 429 or (e.status >= 500 and e.code in _STUMBLED)
