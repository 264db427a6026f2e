"""Parts of Airflow and Prewarm that die while tasks run. Last but for what looks at what was left."""

from __future__ import annotations

import signal

from test_retries import done, output, printed
from waiting import kill
from world import World


def test_a_triggerer_and_then_prewarm_are_killed(world: World) -> None:
    deferred = world.trigger("deferred", "triggerer-killed", lines=60, pause="1s")
    sync = world.trigger("sync", "prewarm-killed", lines=60, pause="1s")
    world.started(sync, "job", lines=4)
    world.deferred(deferred)

    # What a lost machine does: nothing of the triggerer is left, and another one takes over.
    for pid in sorted(world.airflow.triggerers()):
        kill(pid, signal.SIGKILL)
    world.airflow.parts.enter_context(world.airflow.running("triggerer", "triggerer"))
    world.server.kill()
    world.server.start()
    sync.wait()
    deferred.wait()
    for run in (sync, deferred):
        done(world, run, 0)
        assert printed(run, 1) == output(60)
        assert run.xcom("job") == "out 60"
        assert run.task("job")["try_number"] == 1
