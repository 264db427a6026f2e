"""Make sure that images are warm before tasks need them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from airflow_provider_prewarm._compat import BaseOperator, Context, conf
from airflow_provider_prewarm.api.connection import DEFAULT_CONN_ID
from airflow_provider_prewarm.exceptions import refusal
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.triggers.ensure import PrewarmEnsureTrigger
from airflow_provider_prewarm.warm.ensuring import Ensuring, NotYetError, carry_on
from airflow_provider_prewarm.warm.warmth import Want


class PrewarmEnsureOperator(BaseOperator):
    """Make sure that images are warm on their hosts, and wait for what is not, with its progress in the log.

    It ends at once where all is warm, and may be repeated: good as a setup task. Its XCom is the pin of each image, by
    the name that it was given. Hosts that are unreachable or drained, or whose platform an image lacks, are not waited
    for, as a promotion does not wait for them; with none left the task waits for one to come back.

    A digest that waits for an approval, a cooldown or a verification is pulled nowhere: with ``refresh`` the log says
    so, and the current digest is made sure of. Killing the task stops no pull.

    :param images: as a run names them: ``node-jobs``, ``node-jobs:1.4.2``, ``registry.example.com/node-jobs:latest``
    :param hosts: only these of the images' hosts
    :param host_labels: only hosts with all of these labels
    :param min_hosts: so many warm hosts are enough; None: all that count
    :param refresh: look at the registry first, and make sure of the newest digest; the token needs the scope ``warm``
    :param timeout: how long to wait; the task then fails with each host's state. ``execution_timeout`` counts, too
    :param fail_after: how long a host may fail before the task fails; with the scope ``warm`` its tries are hastened
    :param deferrable: give the worker's slot free while waiting
    :param prewarm_conn_id: the connection
    """

    template_fields: Sequence[str] = ("images", "hosts", "host_labels", "prewarm_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"host_labels": "json"}
    ui_color = "#fdf0d5"

    def __init__(
        self,
        *,
        images: Sequence[str] | str,
        hosts: Sequence[str] = (),
        host_labels: Mapping[str, str] | None = None,
        min_hosts: int | None = None,
        refresh: bool = False,
        timeout: timedelta | float = timedelta(minutes=30),
        fail_after: timedelta | float = timedelta(minutes=5),
        deferrable: bool | None = None,
        prewarm_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.images = images
        self.hosts = hosts
        self.host_labels = host_labels
        self.min_hosts = min_hosts
        self.refresh = refresh
        self.timeout = timeout
        self.fail_after = fail_after
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
        )
        self.prewarm_conn_id = prewarm_conn_id

    def execute(self, context: Context) -> Any:  # noqa: ARG002
        """Look, and wait; or defer where there is something to wait for."""
        want = self._want()
        with PrewarmHook(self.prewarm_conn_id).get_conn() as client:
            if self.refresh:
                want = replace(want, newest=carry_on(Ensuring(want, self.log).refresh(), client))
            try:
                return carry_on(Ensuring(want, self.log).wait(), client, wait=not self.deferrable)
            except NotYetError:
                self.log.info("Waiting in the triggerer")
        self._defer(want.as_json())
        return None

    def _defer(self, want: Mapping[str, Any]) -> None:
        # The trigger keeps the time by itself: it says what was not warm.
        trigger = PrewarmEnsureTrigger(want=want, prewarm_conn_id=self.prewarm_conn_id)
        self.defer(trigger=trigger, method_name="execute_complete", kwargs={"deferred": want})

    def execute_complete(
        self,
        context: Context,  # noqa: ARG002
        event: Mapping[str, Any],
        deferred: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """End as the trigger says.

        :param deferred: what the task waits for
        """
        # See Attempt: Airflow may give it the event of another task's trigger.
        if deferred and event.get("want") != deferred:
            self.log.warning("Airflow resumed this task with what another one waited for; it waits on")
            self._defer(deferred)
        if "pins" in event:
            pins: dict[str, str] = event["pins"]
            for image, pin in pins.items():
                self.log.info("%s is warm: %s", image, pin)
            return pins
        raise refusal(event["code"], event["detail"], event["mend"])

    def _want(self) -> Want:
        images = [self.images] if isinstance(self.images, str) else list(self.images)
        hosts = [self.hosts] if isinstance(self.hosts, str) else list(self.hosts)
        if not images or not all(images):
            raise refusal("invalid_request", f"images={self.images!r} names no image", "as images=['node-jobs']")
        if self.min_hosts is not None and self.min_hosts < 1:
            raise refusal("invalid_request", f"min_hosts={self.min_hosts} is below 1", "leave it out to mean all hosts")
        waited = _seconds(self.timeout)
        if self.execution_timeout:
            waited = min(waited, self.execution_timeout.total_seconds())
        return Want(
            images=tuple(dict.fromkeys(images)),
            hosts=tuple(hosts),
            host_labels=dict(self.host_labels or {}),
            min_hosts=self.min_hosts,
            deadline=time.time() + waited,
            waited=waited,
            fail_after=_seconds(self.fail_after),
        )


def _seconds(span: timedelta | float) -> float:
    return span.total_seconds() if isinstance(span, timedelta) else float(span)
