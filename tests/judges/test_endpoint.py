from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mplus_eval.judges import endpoint as module
from mplus_eval.judges.endpoint import Endpoint, endpoint_faults
from tests.judges.server import KEY, NAME, ChatServer, Failure, serving


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving(ChatServer(lambda body: "yes")) as server:
        yield server


def faults(server: ChatServer, model: str = NAME, **keys: Any) -> list[str]:
    return endpoint_faults(Endpoint(server.url, model, **keys))


def test_a_server_that_lists_the_model_is_asked_nothing(server: ChatServer) -> None:
    assert faults(server) == []
    assert server.asked == []


@pytest.mark.parametrize("models", [None, [], ["another"]])
def test_a_server_that_does_not_list_the_model_is_asked_for_a_token(
    server: ChatServer, models: list[str] | None
) -> None:
    server.models = models
    assert faults(server) == []
    assert [body["max_tokens"] for body in server.asked] == [1]


def test_a_model_that_is_not_there_is_one_line_that_names_what_is(server: ChatServer) -> None:
    server.script = lambda body: Failure(404)
    said = f"judge: the server {server.url} answers 404 when asked for 'mistral'; it serves {NAME}"
    assert faults(server, "mistral") == [said]


def test_a_server_with_another_api_is_one_line(server: ChatServer) -> None:
    server.models, server.script = None, lambda body: Failure(404)
    said = f"judge: the server {server.url} answers 404 when asked for {NAME!r}; base_url usually ends in /v1"
    assert faults(server) == [said]


@pytest.mark.parametrize(("variable", "key"), [("JUDGE_KEY", KEY), ("OPENAI_API_KEY", "")])
def test_a_key_that_is_refused_or_missing_is_one_line_without_it(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, variable: str, key: str
) -> None:
    server.key = "sk-right"
    monkeypatch.setenv(variable, key)
    expected = [f"judge: the server {server.url} refuses the key; set {variable}"]
    assert faults(server, key_variable=variable) == expected


def test_the_right_key_is_no_fault(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = KEY
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    assert faults(server) == []


def test_openai_itself_is_not_asked_without_a_key() -> None:
    said = endpoint_faults(Endpoint("https://api.openai.com/v1", "some-model"))
    assert said == ["judge: api.openai.com needs a key; set OPENAI_API_KEY"]


@pytest.mark.parametrize("key", ["sk-two words", "sk-\u00e4", "sk-one\nsk-two"])
def test_a_key_that_cannot_be_sent_is_one_line_without_it(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert faults(server) == ["judge: OPENAI_API_KEY holds characters that no key has"]


def test_a_server_that_is_gone_is_one_line() -> None:
    with serving(ChatServer(lambda body: "yes")) as server:
        pass
    said = faults(server)
    assert len(said) == 1
    assert said[0].startswith(f"judge: cannot reach the server {server.url} (")


def test_a_silent_server_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROBE_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        assert endpoint_faults(Endpoint(url, NAME)) == [f"judge: cannot reach the server {url} (timed out)"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:8000", "base_url 'localhost:8000': write http://HOST:PORT/v1"),
        (
            "http://me:secret@localhost/v1",
            "a server is written http://HOST:PORT/v1; its key is read from OPENAI_API_KEY",
        ),
        (
            "http://localhost/v1?key=secret",
            "a server is written http://HOST:PORT/v1; its key is read from OPENAI_API_KEY",
        ),
    ],
)
def test_a_url_that_is_none_or_holds_a_key_is_one_line(url: str, said: str) -> None:
    assert endpoint_faults(Endpoint(url, NAME), "config.yaml: judge") == [f"config.yaml: judge: {said}"]


def test_a_stand_in_for_a_key_is_not_blotted_out_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert Endpoint("http://localhost/v1", NAME).without_key("exactly") == "exactly"
