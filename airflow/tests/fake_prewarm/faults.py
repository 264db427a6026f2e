"""What goes wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass

from fake_prewarm.http import Answer
from fake_prewarm.wire import Problem, Request


@dataclass
class Fault:
    """A fault of the next so many requests that it is meant for.

    :param kind: answer, lose, hang or cut
    :param path: what the request's begins or ends with
    """

    kind: str
    method: str
    path: str
    times: int
    status: int = 0
    code: str = ""
    retry_after: int = 0
    body: str = ""
    seconds: float = 0
    lines: int = 0
    within_line: bool = False

    def takes(self, request: Request) -> bool:
        """Whether it is this request's turn."""
        meant = request.path.startswith(self.path) or request.path.endswith(self.path)
        if self.times <= 0 or not meant or (self.method and self.method != request.method):
            return False
        self.times -= 1
        return True

    def answer(self) -> Answer:
        if not self.code:
            return Answer(self.status, self.body.encode(), {}, "text/html")
        problem = Problem(self.code, "the test wants it so", "", self.retry_after, self.status)
        return Answer(problem.status, problem.body, problem.headers, "application/problem+json")
