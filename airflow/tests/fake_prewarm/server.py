"""The fake server itself: its calls, and the test's levers."""

from __future__ import annotations

import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from fake_prewarm.faults import Fault
from fake_prewarm.http import Answer, Listener, Stream
from fake_prewarm.routes import route
from fake_prewarm.runs import ENDED, Clock, FakeRun, Line, decide
from fake_prewarm.schema import check_body, seconds_of
from fake_prewarm.wire import Problem, Request, rfc3339
from fake_prewarm.world import FakeImage, World

# What a program may give: lines, and an exit code as its last word.
Program = Callable[[FakeRun], Iterable[str | Line | int]]
NAMESPACE = "default"


class FakePrewarm:
    """A server with one host, ``etl-1``, and one image, ``node-jobs``, that is warm."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.changed = threading.Condition(threading.RLock())
        """Held around each change; notified after it."""
        self.clock: Clock = Clock()
        self.world: World = World(self.clock, self.changed)
        self.runs: list[FakeRun] = []
        self.program: Program | None = None
        """Plays each run that is started from now on, on a thread of its own. None: the test does."""
        self.hold = False
        """Leaves runs in the queue until their ``start`` is called."""
        self.tokens: dict[str, str] = {}
        """The namespace of each token. Empty: nobody needs one."""
        self.version = "0.9.0"
        self.public_url = "https://prewarm.test"
        """What links to logs begin with. Empty: there are none."""
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.closed = False
        self._handed_out = 0
        self._began: list[FakeRun] = []
        self._listener = Listener(self._serve, tls)
        self._dispatcher = threading.Thread(target=self._dispatch_forever, daemon=True)
        self.add_image("node-jobs")

    # The test's side: life.

    def start(self) -> FakePrewarm:
        self._listener.up()
        self._dispatcher.start()
        return self

    def stop(self) -> None:
        """End it; runs that are under way stay as they are."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self._listener.down()
        self._dispatcher.join(5)

    def __enter__(self) -> FakePrewarm:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{self._listener.scheme}://127.0.0.1:{self._listener.port}"

    def connection(self, **fields: Any) -> dict[str, Any]:
        """The Airflow connection to it, as the JSON of AIRFLOW_CONN_PREWARM_DEFAULT."""
        token = {"password": next(iter(self.tokens))} if self.tokens else {}
        return (
            {"conn_type": "prewarm", "host": "127.0.0.1", "port": self._listener.port, "schema": self._listener.scheme}
            | token
            | fields
        )

    # The test's side: runs.

    def started(self, timeout: float = 5) -> FakeRun:
        """The next run whose program began. Each is given once."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self._began) > self._handed_out, timeout):
                raise AssertionError(
                    f"no run was started within {timeout} s; there are {[(r.id, r.fields) for r in self.runs]}"
                )
            self._handed_out += 1
            return self._began[self._handed_out - 1]

    def until(self, what: Callable[[], bool], timeout: float = 5) -> None:
        """Wait until something is true of it."""
        with self.changed:
            if not self.changed.wait_for(what, timeout):
                raise AssertionError(f"it did not become true within {timeout} s")

    def requested(self, method: str = "", path: str = "") -> list[Request]:
        """Requests so far, by method and by what their path begins or ends with."""
        with self.changed:
            return [
                r
                for r in self.requests
                if (not method or r.method == method) and (r.path.startswith(path) or r.path.endswith(path))
            ]

    # The test's side: images and hosts.

    def add_image(
        self, name: str, repository: str = "", tags: tuple[str, ...] = ("latest",), pushed: bool = True
    ) -> FakeImage:
        """Configure an image, with a warm digest for each tag unless nothing was pushed yet."""
        with self.changed:
            image = self.world.images[name] = FakeImage(name, repository or f"registry.test/etl/{name}", tags)
            if pushed:
                for tag in tags:
                    self.world.push(image, f"{tag} 1", tag, warm=True)
            return image

    def add_host(self, name: str, **fields: Any) -> dict[str, Any]:
        return self.world.add_host(name, **fields)

    def push(self, name: str = "node-jobs", content: str = "2", tag: str = "", warm: bool = True) -> str:
        """Push a new digest, current at once unless it is not warm yet. Gives its pin."""
        with self.changed:
            image = self.world.images[name]
            return self.world.push(image, content, tag or image.tags[0], warm)

    def cool(self, name: str = "node-jobs") -> None:
        """Let the hosts lack the image."""
        with self.changed:
            self.world.images[name].warm = False

    def warm(self, name: str = "node-jobs") -> None:
        """Let the image become warm everywhere, and its newest digests current."""
        with self.changed:
            image = self.world.images[name]
            image.warm = True
            for tag in image.pushed:
                self.world.promote(image, tag)
            self.changed.notify_all()

    # The test's side: faults.

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections, and cut those there are."""
        self.down()
        try:
            yield
        finally:
            self.up()

    def down(self) -> None:
        self._listener.down()

    def up(self) -> None:
        """Come back, under the same address."""
        self._listener.up()

    def answer(
        self,
        status: int,
        code: str = "",
        times: int = 1,
        method: str = "",
        path: str = "",
        retry_after: int = 0,
        body: str = "<html>no Prewarm</html>",
    ) -> None:
        """Answer the next requests so, and do nothing: with a problem where there is a code, else with the body."""
        self._fault(Fault("answer", method, path, times, status=status, code=code, retry_after=retry_after, body=body))

    def lose_answer(self, method: str = "", path: str = "", times: int = 1) -> None:
        """Do what the next requests ask, and close the connection without an answer."""
        self._fault(Fault("lose", method, path, times))

    def hang(self, seconds: float, method: str = "", path: str = "", times: int = 1) -> None:
        """Let the next requests wait before anything is done for them."""
        self._fault(Fault("hang", method, path, times, seconds=seconds))

    def cut_log(self, after: int, within_line: bool = False, times: int = 1) -> None:
        """Break the next streams of a log after so many lines, and half of another one."""
        self._fault(Fault("cut", "GET", "/logs", times, lines=after, within_line=within_line))

    def _fault(self, fault: Fault) -> None:
        with self.changed:
            self.faults.append(fault)

    # The server's side.

    def _serve(self, request: Request) -> Answer | Stream | None:
        """Answer a request. None: with silence."""
        with self.changed:
            self.requests.append(request)
            faults = [fault for fault in self.faults if fault.takes(request)]
            self.changed.notify_all()
        for fault in faults:
            if fault.kind == "hang":
                self._sleep(fault.seconds)
            elif fault.kind == "answer":
                return fault.answer()
        try:
            self._let_in(request)
            answer = route(self, request)
        except Problem as e:
            answer = Answer(e.status, e.body, e.headers, "application/problem+json")
        if any(fault.kind == "lose" for fault in faults):
            return None
        for fault in faults:
            if fault.kind == "cut" and isinstance(answer, Stream):
                answer = Stream(answer.lines, cut_after=fault.lines, within_line=fault.within_line)
        return answer

    def _sleep(self, seconds: float) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.closed, seconds)

    def _let_in(self, request: Request) -> None:
        if request.path in {"/healthz", "/readyz"}:
            return
        if self.tokens and self._token(request) not in self.tokens:
            raise Problem(
                "unauthenticated", "the request has no token that is known", "set PREWARM_TOKEN or PREWARM_TOKEN_FILE"
            )

    def namespace(self, request: Request) -> str:
        return self.tokens.get(self._token(request), NAMESPACE)

    @staticmethod
    def _token(request: Request) -> str:
        return request.headers.get("authorization", "").partition(" ")[2]

    def run(self, request: Request, run_id: str) -> FakeRun:
        for run in self.runs:
            if run.id == unquote(run_id) and run.fields["namespace"] == self.namespace(request):
                return run
        raise Problem("run_not_found", f"no run has the id {run_id}", "prewarm ps -a lists them")

    def submit(self, request: Request) -> tuple[int, dict[str, Any]]:
        body, word, namespace = request.body, request.headers.get("idempotency-key", ""), self.namespace(request)
        check_body(body, "SubmitRun")
        again = [r for r in self.runs if word and word in r.words and r.fields["namespace"] == namespace]
        if again:
            return 200, self._joined(again[0], [], body)
        met, differs, epoch, after, ends, why = self._rule(namespace, body)
        if met is not None:
            met.words.append(word or str(uuid.uuid4()))
            return 200, self._joined(met, differs, body)
        run, scope = self._make(namespace, body, word, epoch, after)
        for each in ends:
            each.cancel(why)
        self.changed.notify_all()
        return 201, run.fields | self._link(run) | ({"scope": scope} if scope else {})

    def check(self, request: Request) -> dict[str, Any]:
        """What would become of a submit."""
        body = request.body
        check_body(body, "SubmitRun")
        checked: dict[str, Any] = {"image": "", "hosts": [], "warm": [], "problems": []}
        try:
            image, tag = self.world.resolve(body["image"])
            checked["image"] = image.name
            fitting = [h["name"] for h in self.world.hosts if not body.get("hosts") or h["name"] in body["hosts"]]
            checked |= {"hosts": fitting, "warm": fitting if image.warm else []}
            checked |= {} if tag.startswith("sha256:") else {"tag": tag}
            checked["pin"] = self._would_be(self.namespace(request), body, image, tag)
            met = self._rule(self.namespace(request), body)[0]
            if met is None:
                self._startable(image, checked["pin"], body)
        except Problem as e:
            checked["problems"].append({name: e.body[name] for name in ("code", "detail", "mend") if name in e.body})
        return checked

    def _would_be(self, namespace: str, body: dict[str, Any], image: FakeImage, tag: str) -> str:
        """The pin of a submit, without using its scope."""
        scope = self.world.scopes.get((namespace, body.get("pin_scope", "")), {"pins": []})
        held = {pin["image"]: str(pin["pin"]) for pin in scope["pins"]}
        if tag.startswith("sha256:"):
            return str(body["image"])
        return held.get(image.track(tag)) or str(image.current(tag)["pin"])

    def _rule(self, namespace: str, body: dict[str, Any]) -> Any:
        key = body.get("key", "")
        if not key:
            return None, [], body.get("epoch", 0), None, [], ""
        of_key = [r for r in reversed(self.runs) if r.fields.get("key") == key and r.fields["namespace"] == namespace]
        return decide(of_key, body)

    def _link(self, run: FakeRun) -> dict[str, Any]:
        return {"link": f"{self.public_url}/runs/{run.id}/log?link=1"} if self.public_url else {}

    def _joined(self, run: FakeRun, differs: list[str], body: dict[str, Any]) -> dict[str, Any]:
        if not run.ended and body.get("try", 0) > run.fields.get("try", 0):
            run.fields |= {name: body[name] for name in ("try", "tries") if name in body}
        answer = run.fields | self._link(run) | {"joined": True}
        if differs:
            answer["differs"] = differs
        if body.get("pin_scope") and body["pin_scope"] == run.fields.get("pin_scope"):
            answer["scope"] = "existing"
        return answer

    def _make(
        self, namespace: str, body: dict[str, Any], word: str, epoch: int, after: FakeRun | None
    ) -> tuple[FakeRun, str]:
        image, pin, scope = self.world.pin(namespace, body.get("pin_scope", ""), body["image"])
        self._startable(image, pin, body)
        run = FakeRun(len(self.runs) + 1, body, self.clock, self.changed)
        run.fields |= {"namespace": namespace, "image": image.name, "asked": body["image"], "pin": pin}
        for name in (
            "key",
            "pin_scope",
            "meta",
            "priority",
            "command",
            "try",
            "tries",
            "skip_exit_codes",
            "concurrency_group",
        ):
            if body.get(name):
                run.fields[name] = body[name]
        if epoch:
            run.fields["epoch"] = epoch
        if body.get("deadline"):
            seconds = seconds_of(body["deadline"])
            run.ends_by = time.monotonic() + seconds
            run.fields["deadline_at"] = rfc3339(self.clock.now() + timedelta(seconds=seconds))
        if after is not None:
            run.fields["after"] = after.id
        if word:
            run.words.append(word)
        self.runs.append(run)
        return run, scope

    def _startable(self, image: FakeImage, pin: str, body: dict[str, Any]) -> None:
        names = {host["name"] for host in self.world.hosts}
        if body.get("hosts") and not names.intersection(body["hosts"]):
            unfit = ", ".join(f"{name}: it is none of the hosts that were asked for" for name in sorted(names))
            detail = f"no host of {image.name} can take the run: {unfit}"
            raise Problem("no_host", detail, "ask for less, or for other hosts; prewarm status lists them")
        if not image.warm and not body.get("wait_warm"):
            cold = ", ".join(f"{name}: pulling" for name in sorted(names))
            raise Problem(
                "image_not_warm",
                f"{image.name} at {pin.partition('@')[2][:19]} is warm on no host that could run it: {cold}",
                "wait for it with --wait-warm, or see prewarm status",
            )

    def _dispatch_forever(self) -> None:
        while not self.closed:
            with self.changed:
                for run in self.runs:
                    if not run.ended and time.monotonic() > run.ends_by:
                        run.cancel("deadline")
                    if run.state == "queued":
                        self._dispatch(run)
                    elif run.state == "running" and run not in self._began:
                        self._begin(run)
                self.changed.wait(0.05)

    def _dispatch(self, run: FakeRun) -> None:
        first = next((r for r in self.runs if r.id == run.fields.get("after")), None)
        if first is not None and (not first.ended or first.fields.get("stop_owed")):
            run.fields["waiting"] = f"the end of run {first.id}"
        elif first is not None and run.body.get("join") == "success" and first.state == "succeeded":
            run.answer_by(first)
        elif not self.world.images[run.fields["image"]].warm:
            run.fields["waiting"] = f"{run.fields['image']} to be warm"
        elif not self.hold:
            wanted = run.body.get("hosts")
            run.start(next(host["name"] for host in self.world.hosts if not wanted or host["name"] in wanted))

    def _begin(self, run: FakeRun) -> None:
        self._began.append(run)
        self.changed.notify_all()
        if self.program is not None:
            threading.Thread(target=self._play, args=(self.program, run), daemon=True).start()

    @staticmethod
    def _play(program: Program, run: FakeRun) -> None:
        code = 0
        for given in program(run):
            if run.ended:
                return
            if isinstance(given, int):
                code = given
            elif isinstance(given, Line):
                run.line(given.text, given.stream)
            else:
                run.line(given)
        if not run.ended:
            run.end(code)

    def wait(self, run: FakeRun, seconds: float) -> dict[str, Any]:
        with self.changed:
            run.waits += 1
            self.changed.notify_all()
            try:
                self.changed.wait_for(lambda: run.ended or self.closed, seconds)
            finally:
                run.waits -= 1
            if self.closed and not run.ended:
                raise Problem("stopping", "the server is shutting down", "ask again")
            return dict(run.fields)

    def list_runs(self, request: Request, states: list[str]) -> dict[str, Any]:
        query, namespace = request.query, self.namespace(request)
        wanted = {
            "image": query.get("image"),
            "host": query.get("host"),
            "key": query.get("key"),
            "pin_scope": query.get("scope"),
        }
        found = [
            run.fields
            for run in reversed(self.runs)
            if run.fields["namespace"] == namespace
            and (not states or run.state in states)
            and (query.get("active") != "true" or run.state not in ENDED)
            and all(value is None or run.fields.get(name) == value for name, value in wanted.items())
            and ("before" not in query or run.id < query["before"])
        ]
        limit = int(query.get("limit", 100))
        page: dict[str, Any] = {"runs": found[:limit]}
        if len(found) > limit:
            page["next"] = found[limit - 1]["id"]
        return page
