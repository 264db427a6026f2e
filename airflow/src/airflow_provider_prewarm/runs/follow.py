"""Follow a run to its end over as many connections as it takes.

The server's log has a number for each line, so that a reader whose connection broke gets exactly what it lacks. Nothing
here cancels: whoever loses its server loses sight of the work, not the work.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import STREAM_SILENCE, AsyncClient, Client, parse
from airflow_provider_prewarm.exceptions import RequestRefused, ServerUnavailable, passing
from airflow_provider_prewarm.runs.kill import Kill

# Seconds between two tries to reach a server: from the first to the longest, never the same in two programs.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
# Seconds for a look at a run whose log has ended before it: a moment passes between the two.
LOOK = 30

# Bytes of a line that counts as one.
_LINE = 2048

# What a trigger's event says for the state of a run that it could not ask for.
UNAVAILABLE = "unavailable"

Run = dict[str, Any]


class Patience:
    """How often, and how long, a server that can't be reached is tried.

    :param limit: seconds without contact
    :param lost: is told once when contact is lost, and why
    """

    def __init__(self, limit: float, lost: Callable[[str], None] | None = None) -> None:
        self._limit = limit
        self._lost = lost
        self._since: float | None = None
        self._stuck: float | None = None
        self._pause = 0.0
        self.tried = False
        """Whether anything failed so far."""

    def contact(self) -> None:
        """The server was reached."""
        self._since = None

    def progress(self) -> None:
        """The server did what it is there for."""
        self._since, self._stuck, self._pause = None, None, 0.0

    def spent(self) -> bool:
        """Whether the server has answered for as long as one that is gone is tried, and did nothing.

        For who has what counts: the end of a run whose log can't be read, say.
        """
        now = time.monotonic()
        if self._stuck is None:
            self._stuck = now
        return now - self._stuck >= self._limit

    def breath(self) -> float:
        """How many seconds to wait where the server answers, and a stream of it broke: longer from time to time."""
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        return self._pause * random.uniform(0.5, 1)  # noqa: S311

    def pause(self, e: Exception) -> float:
        """How many seconds to wait after a failure until the next try.

        :raises Exception: the failure, where it is no passing one, or patience is at its end
        """
        if not passing(e):
            raise e
        self.tried = True
        now = time.monotonic()
        if self._since is None:
            self._since = now
            if self._lost and self._limit > 0:
                self._lost(f"{e}; trying again for {self._limit:g} s")
        left = self._since + self._limit - now
        if left <= 0:
            if isinstance(e, ServerUnavailable) and self._limit > 0:
                raise ServerUnavailable(f"{e}; tried for {self._limit:g} s") from None
            raise e
        return min(max(self.breath(), getattr(e, "retry_after", 0.0)), left)


def send(client: Client, call: calls.Call, patience: Patience) -> Any:
    """Send a call that may be repeated until it is answered.

    :raises PrewarmError: it was refused, or the server can't be reached
    """
    while True:
        try:
            answer = client.send(call)
        except (ServerUnavailable, RequestRefused) as e:
            time.sleep(patience.pause(e))
        else:
            patience.progress()
            return answer


async def asend(client: AsyncClient, call: calls.Call, patience: Patience) -> Any:
    """The same in an event loop."""
    while True:
        try:
            return await client.send(call)
        except (ServerUnavailable, RequestRefused) as e:
            await asyncio.sleep(patience.pause(e))


class Follower:
    """Reads a run's log to its end.

    :param line: gets each line once, in order
    :param kill: what Airflow's kill interrupts
    :param after: the number of the last line that is known
    :param silence: seconds without a line after which it looks whether the server is there
    """

    def __init__(
        self,
        client: Client,
        run: str,
        line: Callable[[dict[str, Any]], None],
        kill: Kill,
        patience: Patience,
        after: int = 0,
        silence: float = STREAM_SILENCE,
    ) -> None:
        self.after = after
        self.told = False
        """Whether the log was read to its end. Where that can't be had, an ended run is given all the same."""
        self._client = client
        self._run = run
        self._line = line
        self._kill = kill
        self._patience = patience
        self._silence = silence

    def to_end(self) -> Run:
        """Follow, and give the run once it has ended.

        :raises PrewarmError: the server can't be reached, or does not know the run
        """
        while True:
            try:
                self._stream()
                run = self._look(LOOK)
            except (ServerUnavailable, RequestRefused) as e:
                run = self._regain(e)
            if run["ended"] and (self.told or self._patience.spent()):
                return run
            self._sleep(self._patience.breath())

    def _stream(self) -> None:
        """Print what one connection gives."""
        kill, line, before = self._kill, self._line, self.after
        self.told = False
        try:
            with kill.able(), self._client.lines(calls.read_log(self._run, self.after), self._silence) as lines:
                for raw in lines:
                    kill.waiting = False  # a record is written whole
                    told = parse(raw)
                    if told["seq"] > self.after:
                        line(told)
                        self.after = told["seq"]
                    kill.wait()
            self.told = True
        except RequestRefused as e:
            if e.code != "log_removed":
                raise
            self.told = True  # the run says so, too
        finally:
            if self.after > before:
                self._patience.progress()

    def _look(self, seconds: int) -> Run:
        call = calls.wait_run(self._run, seconds) if seconds else calls.get_run(self._run)
        with self._kill.able():
            run: Run = self._client.send(call)
        return run

    def _regain(self, e: Exception) -> Run:
        """Wait until the server answers for the run. A stream that was silent for long broke, and that is no loss."""
        while True:
            try:
                if not passing(e):
                    raise e
                run = self._look(0)
            except (ServerUnavailable, RequestRefused) as failure:
                e = failure
                self._sleep(self._patience.pause(e))
            else:
                self._patience.contact()
                return run

    def _sleep(self, seconds: float) -> None:
        with self._kill.able():
            time.sleep(seconds)


class AsyncFollower:
    """Reads a run's log to its end in an event loop that it shares with a thousand others.

    It gives so many lines a second and no more; a long one counts as several. Where the program printed faster, and has
    ended, the rest is left.

    :param after: the number of the last line that was given
    :param silence: as Follower's
    """

    def __init__(
        self,
        client: AsyncClient,
        run: str,
        line: Callable[[dict[str, Any]], None],
        patience: Patience,
        after: int = 0,
        silence: float = STREAM_SILENCE,
        per_second: int = 500,
    ) -> None:
        self.after = after
        self.told = False
        """As Follower's, or as much as is to be given here."""
        self._client = client
        self._run = run
        self._line = line
        self._patience = patience
        self._silence = silence
        self._per_second = per_second
        self._second = 0.0  # when it began
        self._given = 0  # lines within it

    async def to_end(self) -> Run:
        """Follow, and give the run once it has ended.

        :raises PrewarmError: the server can't be reached, or does not know the run
        """
        while True:
            try:
                await self._stream()
                run = await self._look(LOOK)
            except (ServerUnavailable, RequestRefused) as e:
                run = await self._regain(e)
            if run["ended"] and (self.told or self._patience.spent()):
                return run
            await asyncio.sleep(self._patience.breath())

    async def _stream(self) -> None:
        before, self.told = self.after, False
        try:
            async with self._client.lines(calls.read_log(self._run, self.after), self._silence) as lines:
                async for raw in lines:
                    told = parse(raw)
                    if told["seq"] <= self.after:
                        continue
                    self._line(told)
                    self.after = told["seq"]
                    if await self._enough(len(raw)):
                        break
            self.told = True
        except RequestRefused as e:
            if e.code != "log_removed":
                raise
            self.told = True
        finally:
            if self.after > before:
                self._patience.progress()

    async def _enough(self, size: int) -> bool:
        """Wait where this second has had its lines. Whether the rest is too much to be given here."""
        now = time.monotonic()
        if now - self._second >= 1:
            self._second, self._given = now, 0
        self._given += 1 + size // _LINE
        if self._given < self._per_second:
            return False
        await asyncio.sleep(max(self._second + 1 - now, 0))
        try:
            run = await self._look(0)
        except (ServerUnavailable, RequestRefused):
            return False
        return bool(run["ended"]) and run["log"]["lines"] - self.after > self._per_second

    async def _look(self, seconds: int) -> Run:
        run: Run = await self._client.send(calls.wait_run(self._run, seconds) if seconds else calls.get_run(self._run))
        return run

    async def _regain(self, e: Exception) -> Run:
        """As Follower's."""
        while True:
            try:
                if not passing(e):
                    raise e
                run = await self._look(0)
            except (ServerUnavailable, RequestRefused) as failure:
                e = failure
                await asyncio.sleep(self._patience.pause(e))
            else:
                self._patience.contact()
                return run
