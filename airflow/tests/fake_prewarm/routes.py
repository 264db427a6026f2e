"""The calls of the API, by method and path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fake_prewarm.http import Answer, Stream
from fake_prewarm.schema import check_body
from fake_prewarm.wire import Problem, Request, rfc3339

if TYPE_CHECKING:
    from fake_prewarm.server import FakePrewarm

Handler = Callable[["FakePrewarm", Request, str], Any]


def route(fake: FakePrewarm, request: Request) -> Answer | Stream:
    """Answer a request.

    :raises Problem: it is refused
    """
    for method, pattern, handler, locked in _ROUTES:
        found = re.fullmatch(pattern, request.path)
        if found is None or method != request.method:
            continue
        name = unquote(found.groups()[0]) if found.groups() else ""
        if not locked:
            answer = handler(fake, request, name)
        else:
            with fake.changed:
                answer = handler(fake, request, name)
        return answer if isinstance(answer, (Answer, Stream)) else Answer(200, answer)
    document = "/openapi.yaml describes what the API takes"
    raise Problem("path_not_found", f'there is no "{request.path}" here', document)


def _submit(fake: FakePrewarm, request: Request, _: str) -> Answer:
    status, submitted = fake.submit(request)
    return Answer(status, submitted, {"Location": f"/v1/runs/{submitted['id']}"})


def _list_runs(fake: FakePrewarm, request: Request, _: str) -> Any:
    return fake.list_runs(request, [s for s in request.query.get("state", "").split(",") if s])


def _wait(fake: FakePrewarm, request: Request, name: str) -> Any:
    return fake.wait(fake.run(request, name), float(request.query.get("timeout", 60)))


def _logs(fake: FakePrewarm, request: Request, name: str) -> Stream:
    run = fake.run(request, name)
    if run.fields["log"].get("removed"):
        raise Problem("log_removed", f"the log of run {name} was removed", "raise runner.logs.keep")
    after = int(request.headers.get("last-event-id") or request.query.get("after") or 0)
    return Stream(run.follow(after, _flag(request, "follow")))


def _cancel(fake: FakePrewarm, request: Request, name: str) -> Answer:
    run, word = fake.run(request, name), request.headers.get("idempotency-key", "")
    if word and run.words[-1:] != [word]:
        detail = f"run {name} was not canceled: another call has joined it since, and follows it"
        raise Problem("joined_since", detail, f"to cancel it nevertheless: prewarm cancel {name}")
    run.cancel()
    return Answer(202, run.fields)


def _reject(fake: FakePrewarm, request: Request, name: str) -> Any:
    run = fake.run(request, name)
    if run.state == "succeeded":
        run.fields["rejected"] = True
    return run.fields


def _end_scope(fake: FakePrewarm, request: Request, name: str) -> Any:
    scope = fake.world.scope(fake.namespace(request), name)
    if scope["live"]:
        scope |= {"live": False, "ended_at": rfc3339(fake.clock.now())}
    return scope


def _repin(fake: FakePrewarm, request: Request, name: str) -> Any:
    check_body(request.body, "RepinRequest")
    return fake.world.repin(fake.namespace(request), name, request.body["image"])


def _history(fake: FakePrewarm, request: Request, name: str) -> Any:
    image = fake.world.image(name)
    rollouts = [rollout for tag in image.tags for rollout in image.pushed.get(tag, [])]
    rollouts.sort(key=lambda r: r["seen_at"], reverse=True)
    return {"image": name, "rollouts": rollouts[: int(request.query.get("limit", 50))], "acts": []}


def _check_image(fake: FakePrewarm, _: Request, name: str) -> Any:
    image = fake.world.image(name)
    newest = [image.pushed[tag][0] for tag in image.tags if image.pushed.get(tag)]
    return {
        "image": name,
        "tracks": [{"tag": r["tag"], "digest": r["digest"], "pin": r["pin"], "new": False} for r in newest],
    }


def _warm_image(fake: FakePrewarm, request: Request, name: str) -> Any:
    if request.body is not None:
        check_body(request.body, "WarmRequest")
    image = fake.world.image(name)
    newest = image.pushed.get(image.tags[0])
    if not newest:
        raise Problem("no_current", f"no digest of {name} was seen yet", f"look at its tag: prewarm check {name}")
    return {"image": name, "digest": newest[0]["digest"]}


def _events(fake: FakePrewarm, request: Request, _: str) -> Stream:
    return Stream(fake.world.follow_events(int(request.query.get("after", 0)), _flag(request, "follow")))


def _flag(request: Request, name: str) -> bool:
    return request.query.get(name, "") in {"true", "1", "t", "T", "TRUE", "True"}


_NAME = "([^/]+)"
# Method, path, handler, and whether it is quick: then it has the server for itself.
_ROUTES: list[tuple[str, str, Handler, bool]] = [
    ("GET", "/healthz", lambda fake, *_: {"status": "ok", "version": fake.version}, True),
    ("GET", "/readyz", lambda fake, *_: {"status": "ok", "version": fake.version}, True),
    ("POST", "/v1/runs", _submit, True),
    ("POST", "/v1/runs/check", lambda fake, request, _: fake.check(request), True),
    ("GET", "/v1/runs", _list_runs, True),
    ("GET", f"/v1/runs/{_NAME}", lambda fake, request, name: fake.run(request, name).fields, True),
    ("GET", f"/v1/runs/{_NAME}/wait", _wait, False),
    ("GET", f"/v1/runs/{_NAME}/logs", _logs, False),
    ("POST", f"/v1/runs/{_NAME}/cancel", _cancel, True),
    ("POST", f"/v1/runs/{_NAME}/reject", _reject, True),
    ("GET", f"/v1/scopes/{_NAME}", lambda fake, request, name: fake.world.scope(fake.namespace(request), name), True),
    ("DELETE", f"/v1/scopes/{_NAME}", _end_scope, True),
    ("POST", f"/v1/scopes/{_NAME}/repin", _repin, True),
    ("GET", "/v1/images", lambda fake, *_: {"images": [fake.world.shown(i) for i in fake.world.images.values()]}, True),
    ("GET", f"/v1/images/{_NAME}", lambda fake, _, name: fake.world.shown(fake.world.image(name)), True),
    ("GET", f"/v1/images/{_NAME}/history", _history, True),
    ("POST", f"/v1/images/{_NAME}/check", _check_image, True),
    ("POST", f"/v1/images/{_NAME}/warm", _warm_image, True),
    ("GET", "/v1/hosts", lambda fake, *_: {"hosts": fake.world.hosts}, True),
    ("GET", "/v1/events", _events, False),
]
