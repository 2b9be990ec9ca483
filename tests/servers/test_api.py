from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mplus_eval.servers import api
from mplus_eval.servers.api import NoApiError, ServedApi, find_api, forget
from mplus_eval.servers.client import Json
from mplus_eval.servers.failures import Patience
from tests.conftest import TinyModel
from tests.server import NAME, CompletionServer, serving
from tests.tiny_models import CHAT_TEMPLATE


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    monkeypatch.setattr(api, "_PATIENCE", Patience(timeout=2.0, silence=2.0, tries=3, first_wait=0.01, in_a_row=1))


@pytest.fixture(scope="module")
def checkpoint(tiny_model: TinyModel) -> Path:
    return tiny_model(chat_template=CHAT_TEMPLATE)


@pytest.fixture
def server(checkpoint: Path) -> Iterator[CompletionServer]:
    with serving(CompletionServer(checkpoint)) as server:
        yield server


def without(*names: str) -> object:
    def refuses(body: Json) -> int | None:
        return 400 if set(names) & set(body) else None

    return refuses


def test_a_server_that_echoes_is_asked_one_token_once(server: CompletionServer) -> None:
    assert find_api(server.url, NAME, "") == find_api(server.url, NAME, "") == ServedApi("completions", "echo")
    (probe,) = server.probes
    assert (probe["max_tokens"], probe["echo"], probe["prompt"]) == (1, True, api.PROBE)


@pytest.mark.parametrize(
    ("apis", "refused", "found", "n_requests"),
    [
        (["completions"], ("echo",), ServedApi("completions", "prompt_logprobs"), 2),
        (["completions"], ("echo", "prompt_logprobs"), ServedApi("completions", None), 3),
        (["completions", "chat"], ("prompt",), ServedApi("chat", None), 4),
        (["chat"], (), ServedApi("chat", None), 1),
        (["chat"], ("max_tokens",), ServedApi("chat", None, "max_completion_tokens"), 2),
        (["chat"], ("max_tokens", "seed"), ServedApi("chat", None, "max_completion_tokens", takes_settings=False), 3),
    ],
)
def test_what_a_server_takes_is_found_by_what_it_refuses(
    server: CompletionServer, apis: list[str], refused: tuple[str, ...], found: ServedApi, n_requests: int
) -> None:
    server.apis = apis
    server.refuses = without(*refused)  # type: ignore[assignment]
    assert find_api(server.url, NAME, "") == found
    assert len(server.probes) == n_requests


def test_an_api_that_is_named_is_the_only_one_that_is_tried(server: CompletionServer) -> None:
    server.apis = ["completions", "chat"]
    assert find_api(server.url, NAME, "", "chat").kind == "chat"
    assert all("messages" in probe for probe in server.probes)


def test_a_server_of_no_known_api_is_told_with_what_it_says(server: CompletionServer) -> None:
    server.apis = []
    with pytest.raises(NoApiError) as caught:
        find_api(server.url, NAME, "")
    said = "answered 404 (/v1{})"
    assert str(caught.value) == "; ".join(
        f"{path} {said.format(path)}" for path in ("/completions", "/chat/completions")
    )


def test_a_server_that_is_busy_for_a_moment_is_asked_again(server: CompletionServer) -> None:
    said = iter([429, 503, None, None])
    server.refuses = lambda body: next(said)
    assert find_api(server.url, NAME, "").scores == "echo"


def test_what_was_found_is_in_words() -> None:
    assert ServedApi().words == "completions (log-probabilities by echo)"
    assert ServedApi(scores=None).words == "completions (no log-probabilities)"
    bare = ServedApi("chat", None, "max_completion_tokens", takes_settings=False)
    assert bare.words == "chat completions (max_completion_tokens, temperature and seed its own)"
