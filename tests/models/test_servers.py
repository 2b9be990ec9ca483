from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mplus_eval.models.servers import served_models, server_faults, server_of
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.model import ModelSpec
from tests.conftest import TinyModel
from tests.server import CompletionServer, serving
from tests.tiny_models import CHAT_TEMPLATE, build_model

OPENAI = BACKENDS["openai"]


def faults(source: str, **keys: Any) -> list[str]:
    return server_faults(ModelSpec(name="m", source=source, **keys), OPENAI, "model 'm'")


def only_fault(source: str, **keys: Any) -> str:
    (line,) = faults(source, **keys)
    assert line.startswith("model 'm': ")
    assert "\n" not in line
    return line.removeprefix("model 'm': ")


@pytest.fixture
def server(tiny_model: TinyModel) -> Iterator[CompletionServer]:
    with serving(CompletionServer(tiny_model())) as server:
        yield server


def test_a_served_name_may_be_the_source(server: CompletionServer) -> None:
    assert faults("tiny", base_url=server.url) == []
    assert only_fault("huge", base_url=server.url).endswith("does not serve 'huge'; it serves tiny")


def test_a_server_that_wants_a_key(server: CompletionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = "secret"
    assert only_fault(server.url).endswith("refuses the key; set OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert faults(server.url) == []


@pytest.mark.parametrize("key", ["schlüssel", "two words", "a\tb"])
def test_a_key_that_is_none_is_told_and_not_shown(
    server: CompletionServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert only_fault(server.url) == "OPENAI_API_KEY holds characters that no key has"


def test_a_server_without_tokenizer_needs_one_named(server: CompletionServer, tiny_model: TinyModel) -> None:
    server.has_tokenizer = False
    assert "offers no tokenizer" in only_fault(server.url)
    assert faults(server.url, tokenizer=str(tiny_model())) == []


def test_a_server_that_cannot_be_reached(tiny_model: TinyModel) -> None:
    with serving(CompletionServer(tiny_model())) as gone:
        url = gone.url
    assert only_fault(url).startswith(f"cannot reach the server {url} (")


@pytest.mark.parametrize(
    ("keys", "url", "name"),
    [
        ({"source": "http://host:1/v1/"}, "http://host:1/v1", None),
        ({"source": "http://host:1/v1", "model": "served"}, "http://host:1/v1", "served"),
        ({"source": "served", "base_url": "http://host:1/v1"}, "http://host:1/v1", "served"),
        ({"source": "served", "base_url": "http://host:1/v1", "model": "other"}, "http://host:1/v1", "other"),
        ({"source": "served"}, "", "served"),
    ],
)
def test_the_address_and_the_name_are_the_source_or_keys_of_their_own(
    keys: dict[str, Any], url: str, name: str | None
) -> None:
    assert server_of(ModelSpec(name="m", **keys)) == (url, name)


def test_the_longest_sequence_is_known_where_the_server_says_it(server: CompletionServer) -> None:
    assert OPENAI.server is not None
    server.models.append({"id": "other"})
    assert served_models(server.url, OPENAI.server) == {"tiny": 512, "other": None}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"source": "served"}, "the backend openai needs base_url=http://HOST:PORT/v1"),
        ({"source": "http://user:key@host/v1"}, "its key is read from OPENAI_API_KEY"),
        ({"source": "http://host/v1?key=1"}, "its key is read from OPENAI_API_KEY"),
    ],
)
def test_an_address_is_written_without_a_key(keys: dict[str, Any], words: str) -> None:
    assert words in only_fault(**keys)


def test_what_a_server_cannot_honour_is_refused_key_by_key(server: CompletionServer) -> None:
    lines = faults(server.url, revision="main", device="cpu", chat_template=True)
    assert [line.split(": ")[1].split()[0] for line in lines] == ["revision", "device", "with"]
    assert lines[2].endswith("chat_template needs tokenizer=SOURCE")


@pytest.fixture
def chat_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompletionServer]:
    checkpoint = build_model(tmp_path_factory.mktemp("chat"), chat_template=CHAT_TEMPLATE)
    with serving(CompletionServer(checkpoint)) as server:
        server.apis, server.has_tokenizer = ["chat"], False
        yield server


def test_a_chat_server_needs_no_tokenizer(chat_server: CompletionServer) -> None:
    assert faults(chat_server.url) == faults(chat_server.url, chat_template=True) == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"chat_template": "mine.jinja"}, "chat completions are put into the server's own template"),
        ({"add_bos": True}, "leaves special tokens to the server"),
        ({"enable_thinking": False}, "this server cannot be told enable_thinking"),
        ({"api": "completions"}, "does not answer /completions as OpenAI's does (/completions answered 404"),
    ],
)
def test_what_a_chat_server_cannot_honour_is_refused(
    chat_server: CompletionServer, keys: dict[str, Any], words: str
) -> None:
    assert words in only_fault(chat_server.url, **keys)


def test_a_tokenizer_changes_nothing_of_what_a_chat_server_encodes(
    chat_server: CompletionServer, tiny_model: TinyModel
) -> None:
    line = only_fault(chat_server.url, tokenizer=str(tiny_model()), add_bos=True)
    assert line == "with chat completions the server encodes texts itself; leave add_bos out"


def test_a_server_is_asked_one_prompt_a_request(server: CompletionServer) -> None:
    assert only_fault(server.url, batch_size=8) == (
        "the backend openai asks one prompt a request, as many at once as concurrency=N says"
    )


def test_a_server_of_neither_api_is_one_line(server: CompletionServer) -> None:
    server.apis = []
    line = only_fault(server.url)
    assert line.startswith(
        f"the server {server.url} does not answer /completions or /chat/completions as OpenAI's does ("
    )


def test_a_server_that_keeps_no_list_is_asked_by_name(server: CompletionServer, tiny_model: TinyModel) -> None:
    server.models = []
    assert faults("tiny", base_url=server.url, tokenizer=str(tiny_model())) == []
    assert "serves 0 models" in only_fault(server.url)
