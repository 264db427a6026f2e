"""A Prewarm server in the test's own process, as docs/openapi.yaml says. It speaks real HTTP and executes nothing.

    fake = FakePrewarm().start()
    # the test plays the program:
    run = fake.started()
    run.line("42 rows")
    run.line("slow query", stream="stderr")
    run.end(exit_code=0, result={"rows": 42})
    # or a function does, for each run:
    fake.program = lambda run: ["42 rows", stderr("slow query"), 3]
    # faults:
    fake.cut_log(after=100, within_line=True)
    fake.answer(503, times=2)
    fake.lose_answer("POST", "/v1/runs")
    with fake.away(): ...
    # what it was asked:
    fake.requested("POST", "/v1/runs")[0].body["key"]

tests/contract holds it against the real server.
"""

from __future__ import annotations

from fake_prewarm.runs import FakeRun, Line, stderr, stdout
from fake_prewarm.server import FakePrewarm
from fake_prewarm.wire import Problem, Request

__all__ = ["FakePrewarm", "FakeRun", "Line", "Problem", "Request", "stderr", "stdout"]
