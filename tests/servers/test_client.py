from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mplus_eval.servers.client import ServerClient
from mplus_eval.servers.failures import Patience, RequestFailed, ServerGoneError, UnreadableError
from tests.judges.server import KEY, ChatServer, Failure, serving

QUICK = Patience(timeout=5.0, silence=1.0, tries=8, first_wait=0.02)
BODY = {"model": "m", "messages": [{"role": "user", "content": "Say yes."}]}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving(ChatServer(lambda body: "yes")) as server:
        yield server


def client(server: ChatServer, **changes: Any) -> ServerClient:
    return ServerClient(server.url, KEY, patience=replace(QUICK, **changes))


def read(reply: dict[str, Any]) -> str:
    try:
        return str(reply["choices"][0]["message"]["content"])
    except (KeyError, TypeError) as error:
        raise UnreadableError("no choices") from error


def ask(asked: ServerClient, n: int = 1) -> list[str | RequestFailed]:
    try:
        return asked.ask("/chat/completions", [(BODY, read)] * n)
    finally:
        asked.close()


def causes(said: list[str | RequestFailed]) -> list[str]:
    return [str(each) for each in said if isinstance(each, RequestFailed)]


def test_answers_come_in_order_and_are_counted(server: ChatServer) -> None:
    server.script = lambda body: str(body["n"])
    asked = client(server)
    assert asked.ask("/chat/completions", [({**BODY, "n": n}, read) for n in range(30)]) == list(map(str, range(30)))
    assert (asked.usage.n_requests, asked.usage.tokens_in, asked.usage.tokens_out) == (30, 3000, 300)
    asked.close()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_passes_is_tried_again(server: ChatServer, status: int) -> None:
    server.failures = [Failure(status)] * 3
    assert ask(client(server)) == ["yes"]
    assert len(server.asked) == 4


def test_a_wish_to_wait_is_fulfilled_by_all(server: ChatServer) -> None:
    server.failures = [Failure(429, {"Retry-After": "1"})]
    asked = client(server)
    asked.gate.limit = 1
    began = time.monotonic()
    assert ask(asked, 3) == ["yes"] * 3
    assert time.monotonic() - began >= 1.0
    assert len(server.asked) == 4


def test_a_used_up_limit_closes_the_gate_before_anybody_is_refused(server: ChatServer) -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "700ms"}
    reply = json.dumps({"choices": [{"message": {"content": "yes"}}]})
    server.failures = [Failure(200, headers, reply)]
    asked = client(server)
    asked.gate.limit = 1
    began = time.monotonic()
    assert ask(asked, 2) == ["yes"] * 2
    assert time.monotonic() - began >= 0.7


def test_too_many_requests_halve_those_under_way(server: ChatServer) -> None:
    server.failures = [Failure(429)] * 2
    asked = client(server)
    assert ask(asked, 4) == ["yes"] * 4
    assert asked.gate.limit < 8


def test_a_server_that_is_gone_for_a_while_loses_nothing(server: ChatServer) -> None:
    # A port that refuses connections for a second, and then has a server.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    asked = ServerClient(f"http://127.0.0.1:{port}/v1", patience=replace(QUICK, silence=20.0, first_wait=0.3))
    coming = threading.Timer(1.0, forward, (port, int(server.url.rsplit(":", 1)[1].split("/")[0]), server.stopped))
    coming.daemon = True
    coming.start()
    assert ask(asked, 5) == ["yes"] * 5


def forward(port: int, target: int, stopped: threading.Event) -> None:
    """Be the server at another port, a connection at a time."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(0.1)
        while not stopped.is_set():
            try:
                one, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=pump, args=(one, target), daemon=True).start()


def pump(one: socket.socket, target: int) -> None:
    other = socket.create_connection(("127.0.0.1", target))

    def copy(source: socket.socket, sink: socket.socket) -> None:
        while content := source.recv(65536):
            sink.sendall(content)
        sink.close()

    threading.Thread(target=copy, args=(other, one), daemon=True).start()
    copy(one, other)


def test_a_dead_server_is_given_up_after_so_much_silence(server: ChatServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    asked = ServerClient(url, patience=replace(QUICK, tries=1000, first_wait=0.05))
    began = time.monotonic()
    with pytest.raises(ServerGoneError, match=r"^has not answered for 1 s: it could not be reached"):
        ask(asked, 1000)
    assert time.monotonic() - began < 10


def test_a_gateway_without_a_server_behind_it_is_given_up_as_well(server: ChatServer) -> None:
    server.script = lambda body: Failure(503)
    with pytest.raises(ServerGoneError, match=r"answered 503 \(told to fail\)"):
        ask(client(server, tries=1000), 100)


def test_a_silent_server_that_is_at_work_is_waited_for(server: ChatServer) -> None:
    def slow(body: dict[str, Any]) -> str:
        time.sleep(1.0)
        return "yes"

    server.script = slow
    assert ask(client(server, silence=0.3)) == ["yes"]


def test_a_silent_server_that_is_not_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = ServerClient(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", patience=replace(QUICK, silence=0.4))
        with pytest.raises(ServerGoneError, match=r"^has not answered for 0.4 s$"):
            ask(asked)


def test_a_request_that_times_out_is_tried_three_times(server: ChatServer) -> None:
    server.script = lambda body: Failure(hangs=True)
    said = ask(client(server, timeout=0.2, silence=30.0))
    assert causes(said) == ["did not answer within 0.2 s, 3 times"]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_bad_request_fails_alone(server: ChatServer, status: int) -> None:
    server.failures = [Failure(status, content='{"error": {"message": "too long"}}')]
    said = ask(client(server), 20)
    (failed,) = [each for each in said if isinstance(each, RequestFailed)]
    assert (str(failed), failed.of_this_request) == (f"answered {status} (too long)", True)
    assert said.count("yes") == 19


@pytest.mark.parametrize("status", [401, 403, 404, 501])
def test_what_would_refuse_everything_ends_it_at_once(server: ChatServer, status: int) -> None:
    server.script = lambda body: Failure(status)
    with pytest.raises(ServerGoneError, match=rf"^answered {status} \(told to fail\)$"):
        ask(client(server), 100)
    assert len(server.asked) <= 8


def test_a_longer_wait_than_anybody_waits_ends_it(server: ChatServer) -> None:
    server.script = lambda body: Failure(429, {"Retry-After": "3600"})
    with pytest.raises(ServerGoneError, match="asks to wait 3600 s"):
        ask(client(server))


def test_requests_that_fail_one_after_the_other_end_it(server: ChatServer) -> None:
    server.script = lambda body: Failure(500)
    with pytest.raises(ServerGoneError, match=r"^answered 500 \(told to fail\), 2 times$"):
        ask(client(server, tries=2, silence=30.0, in_a_row=5), 100)
    # Two tries of five requests, and of those that were under way beside them.
    assert len(server.asked) <= 26


@pytest.mark.parametrize(
    "content",
    [
        "<html><body>Bad gateway</body></html>",
        '{"choices": [{"message": ',
        "[]",
        '{"choices": 7}',
        '"' + "x" * 10**6 + '"',
        "[" * 100_000,
    ],
)
def test_an_answer_that_is_none_is_tried_again_and_fails_alone(server: ChatServer, content: str) -> None:
    server.failures = [Failure(content=content)] * 2
    assert ask(client(server)) == ["yes"]
    server.failures = [Failure(content=content)] * 3
    (cause,) = causes(ask(client(server)))
    assert cause.startswith("answered what is no completion (")
    assert cause.endswith("), 3 times")
    assert len(cause) < 250


def test_an_answer_that_breaks_off_is_tried_again(server: ChatServer) -> None:
    server.failures = [Failure(content='{"choices": []}' * 10, cut=True)]
    assert ask(client(server)) == ["yes"]


def test_the_key_is_blotted_out_of_what_a_server_repeats(server: ChatServer) -> None:
    server.key = "another"
    with pytest.raises(ServerGoneError) as caught:
        ask(client(server))
    assert str(caught.value) == "answered 401 (wrong key Bearer ***)"


def test_an_interrupt_ends_it_at_once(server: ChatServer) -> None:
    server.script = lambda body: Failure(hangs=True)
    asked = client(server, timeout=60.0, silence=60.0)
    began = time.monotonic()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        ask(asked, 100)
    assert time.monotonic() - began < 5


def test_it_can_be_asked_where_a_loop_is_running(server: ChatServer) -> None:
    import asyncio

    async def notebook() -> list[str | RequestFailed]:
        return ask(client(server), 2)

    assert asyncio.run(notebook()) == ["yes", "yes"]
