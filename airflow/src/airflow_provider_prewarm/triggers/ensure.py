"""Wait in the triggerer until images are warm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_prewarm.api.connection import DEFAULT_CONN_ID
from airflow_provider_prewarm.exceptions import RequestRefused, ServerUnavailable
from airflow_provider_prewarm.hooks.prewarm import PrewarmHook
from airflow_provider_prewarm.warm.ensuring import Ensuring, acarry_on
from airflow_provider_prewarm.warm.warmth import Want


class PrewarmEnsureTrigger(BaseTrigger):
    """Fires once: with the pins of images that are warm, or with why they won't be.

    Another triggerer may take over at any time, and looks at the server anew.

    :param want: a Want as plain JSON; its deadline is a time of day, so that a restart does not begin it anew
    :param prewarm_conn_id: the connection; the arguments are stored, so no secret may be among them
    """

    def __init__(self, want: Mapping[str, Any], prewarm_conn_id: str = DEFAULT_CONN_ID) -> None:
        super().__init__()
        self.want = dict(want)
        self.prewarm_conn_id = prewarm_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """For the database."""
        return (
            "airflow_provider_prewarm.triggers.ensure.PrewarmEnsureTrigger",
            {"want": self.want, "prewarm_conn_id": self.prewarm_conn_id},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire."""
        yield TriggerEvent({"want": self.want, **await self._outcome()})

    async def _outcome(self) -> dict[str, Any]:
        try:
            async with await PrewarmHook(self.prewarm_conn_id).aopen(self.log.warning) as client:
                talk = Ensuring(Want.of_json(self.want), self.log).wait()
                return {"pins": await acarry_on(talk, client, asyncio.sleep)}
        except RequestRefused as e:
            return {"code": e.code, "detail": e.detail, "mend": e.mend}
        except ServerUnavailable as e:
            return {"code": "unavailable", "detail": str(e), "mend": ""}
