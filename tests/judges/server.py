"""A local server with OpenAI's chat API whose replies follow a script, and which fails when told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = "scripted"
KEY = "sk-a-key-that-must-not-be-seen"
Body = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A reply that is none."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: str = '{"error": {"message": "told to fail"}}'
    hangs: bool = False
    """Says nothing until the server is stopped."""
    cut: bool = False
    """Closes the connection in the middle of its content."""


Script = Callable[[Body], "str | Failure"]


@dataclass
class ChatServer:
    """What the server says; to be changed by tests while it runs."""

    script: Script
    failures: list[Failure] = field(default_factory=list)
    """Given one after the other, before the script is followed."""
    models: list[str] | None = field(default_factory=lambda: [NAME])
    """None keeps no list."""
    key: str | None = None
    finish_reason: str = "stop"
    usage: dict[str, int] | None = field(default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 10})
    url: str = ""
    asked: list[Body] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, path: str) -> Failure:
        """Answer a GET request."""
        if path != "/v1/models" or self.models is None:
            return Failure(404)
        return Failure(content=json.dumps({"data": [{"id": name} for name in self.models]}))

    def post(self, body: Body) -> Failure:
        """Answer a question."""
        with self._lock:
            self.asked.append(body)
            if self.failures:
                return self.failures.pop(0)
        said = self.script(body)
        return said if isinstance(said, Failure) else Failure(content=json.dumps(self._completion(said)))

    def _completion(self, text: str) -> Body:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": self.finish_reason}
        return {"model": NAME, "choices": [choice], **({"usage": self.usage} if self.usage else {})}


@contextmanager
def serving(server: ChatServer) -> Iterator[ChatServer]:
    """Run a server on a free port of this machine for as long as the block lasts; sets its `url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(server.get(self.path))

        def do_POST(self) -> None:
            self._reply(server.post(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def _reply(self, reply: Failure) -> None:
            given = self.headers.get("Authorization", "")
            if server.key is not None and given != f"Bearer {server.key}":
                # Some servers repeat the key that they refuse.
                reply = Failure(401, content=json.dumps({"error": {"message": f"wrong key {given}"}}))
            if reply.hangs:
                server.stopped.wait(30)
                self.close_connection = True
                return
            content = reply.content.encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if reply.cut else content)
            self.close_connection = reply.cut

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{listener.server_address[1]}/v1"
    try:
        yield server
    finally:
        server.stopped.set()
        listener.shutdown()
        listener.server_close()
        thread.join()


def asked_text(body: Body) -> str:
    """The prompt of a request."""
    return str(body["messages"][0]["content"])


def verdict(choice: str, why: str = "It is better.") -> str:
    """A reply as it is asked for."""
    return json.dumps({"reason": why, "verdict": choice})


def grade(value: int) -> str:
    """A reply as it is asked for."""
    return json.dumps({"reason": "It helps.", "grade": value})


def prefers(word: str) -> Script:
    """A judge that prefers whichever answer holds a word; neither or both are a tie."""

    def judge(body: Body) -> str:
        text = asked_text(body)
        a, _, b = text.partition("Assistant B's answer")
        holds = (word in a.partition("Assistant A's answer")[2], word in b.partition("The material ends here")[0])
        return verdict({(True, False): "A", (False, True): "B"}.get(holds, "C"))

    return judge


def refusing(*, maximum: bool = False, schema: bool = False, older: bool = False) -> Script:
    """A server that refuses some formats of requests."""

    def script(body: Body) -> str | Failure:
        refused = (
            (maximum and "maxLength" in str(body.get("response_format")))
            or (schema and "response_format" in body)
            or (older and ("max_tokens" in body or "temperature" in body))
        )
        if refused:
            return Failure(422 if schema else 400)
        return verdict("C") if "response_format" in body else "They are alike.\n[[C]]"

    return script
