from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from mplus_eval.backends import ServerError, load_backend, openai
from mplus_eval.backends.chat import UNTOLD, ChatModel
from mplus_eval.conversation.generate import generate as converse
from mplus_eval.conversation.items import Dialogue, DialogueSet, DialogueTask
from mplus_eval.harmlessness.generate import generate as provoke
from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.harmlessness.prompt_rows import SetPrompt
from mplus_eval.models.chat_format import Talk, format_of
from mplus_eval.models.locations import resolve_source
from mplus_eval.servers.failures import Patience
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.spec.harmlessness import HarmlessnessSettings, SampledSet
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import choices
from tests.server import CompletionServer, Reply, serving
from tests.tiny_models import CHAT_TEMPLATE, build_model

TALK = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "PATIENCE", Patience(timeout=5.0, silence=1.0, tries=3, first_wait=0.01))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("served"), chat_template="{{ bos_token }}" + CHAT_TEMPLATE)


@pytest.fixture
def server(checkpoint: Path) -> Iterator[CompletionServer]:
    with serving(CompletionServer(checkpoint)) as server:
        server.apis = ["chat"]
        server.has_tokenizer = False
        yield server


def connect(server: CompletionServer, **keys: Any) -> ChatModel:
    model = ModelSpec(name="m", source=server.url, **keys)
    backend = load_backend("openai", model, resolve_source(model, "openai"))
    assert isinstance(backend, ChatModel)
    return backend


def asked(prompt: str, **settings: Any) -> Instance:
    defaults = {"until": ["\n"], "max_gen_toks": 6, "do_sample": False}
    return Instance("generate_until", {}, (prompt, {**defaults, **settings}), 0)


def test_a_plain_prompt_is_one_message_of_the_user(server: CompletionServer) -> None:
    prompt = "Q: 1 + 1\nA: 2\nQ: 2 + 2\nA:"
    (response,) = connect(server).respond([asked(prompt)])
    (request,) = server.chats
    assert request["messages"] == [{"role": "user", "content": prompt}]
    assert (request["max_tokens"], request["temperature"], request["stop"]) == (6, 0.0, ["\n"])
    assert response.error is None
    assert response.text is not None


def test_talk_is_put_as_it_is(server: CompletionServer) -> None:
    backend = connect(server)
    rendered = format_of(backend, own_template=True).render(TALK)
    assert isinstance(rendered, Talk)
    assert json.loads(rendered) == TALK
    backend.respond([asked(rendered)])
    assert server.chats[0]["messages"] == TALK


def test_a_prompt_that_looks_like_messages_is_a_text_like_any_other(server: CompletionServer) -> None:
    prompt = json.dumps(TALK)
    connect(server).respond([asked(prompt)])
    assert server.chats[0]["messages"] == [{"role": "user", "content": prompt}]


def test_an_answer_is_that_of_the_same_checkpoint_here(server: CompletionServer, checkpoint: Path) -> None:
    model = ModelSpec(name="m", source=str(checkpoint))
    here = load_backend("hf", model, resolve_source(model, "hf"))
    talk = [{"role": "user", "content": "what is one"}]
    (expected,) = here.respond([asked(here.render_chat(talk), until=[], max_gen_toks=8)])
    backend = connect(server)
    (response,) = backend.respond([asked(backend.render_chat(talk), until=[], max_gen_toks=8)])
    assert response.text == expected.text


def test_the_name_of_the_limit_is_found_by_asking(server: CompletionServer) -> None:
    server.refuses = lambda body: 400 if "max_tokens" in body else None
    backend = connect(server)
    backend.respond([asked("hi")])
    assert server.chats[0]["max_completion_tokens"] == 6
    assert backend.facts.asking is not None
    assert backend.facts.asking.api == "chat completions (max_completion_tokens)"


def test_a_server_that_takes_no_settings_is_said_to_decode_in_its_own_way(server: CompletionServer) -> None:
    server.refuses = lambda body: 400 if {"max_tokens", "temperature"} & set(body) else None
    backend = connect(server)
    assert backend.respond([asked("hi")])[0].error is None
    assert set(server.chats[0]) == {"model", "messages", "max_completion_tokens"}
    assert backend.facts.asking is not None
    assert backend.facts.asking.decoding == {"temperature, seed": "the server's own"}


def test_stop_strings_are_cut_here_and_no_more_are_sent_than_a_server_takes(server: CompletionServer) -> None:
    backend = connect(server)
    stops = ["one", "two", "three", "four", "five"]
    server.broken_reply = {"choices": [{"message": {"content": "six five four"}, "finish_reason": "length"}]}
    (response,) = backend.respond([asked("hi", until=stops)])
    assert server.chats[0]["stop"] == stops[:4]
    assert (response.text, response.ended) == ("six ", True)


@pytest.mark.parametrize(
    ("message", "finished", "text", "ended"),
    [
        ({"content": None}, "stop", "", True),
        ({"content": None, "refusal": "I will not."}, "stop", "I will not.", True),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "length", "ab", False),
        ({"content": "a\ud83d"}, "stop", "a?", True),
    ],
)
def test_what_an_answer_may_look_like(
    server: CompletionServer, message: dict[str, Any], finished: str, text: str, ended: bool
) -> None:
    backend = connect(server)
    server.broken_reply = {"choices": [{"message": message, "finish_reason": finished}]}
    (response,) = backend.respond([asked("hi")])
    assert (response.text, response.ended, response.error) == (text, ended, None)


def test_an_answer_that_is_held_back_fails_one_item_and_is_not_asked_again(server: CompletionServer) -> None:
    backend = connect(server)
    server.broken_reply = {"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]}
    (response,) = backend.respond([asked("hi")])
    assert response.error == f"the server {server.url} holds the answer back (content_filter)"
    assert len(server.chats) == 1


@pytest.mark.parametrize("message", [{"content": 7}, "text", None])
def test_wrong_types_fail_one_item(server: CompletionServer, message: object) -> None:
    backend = connect(server)
    server.broken_reply = {"choices": [{"message": message}]}
    (response,) = backend.respond([asked("hi")])
    assert response.error is not None
    assert response.error.startswith("outside the model: the server")
    assert "answered what is no completion" in response.error


def test_reasoning_that_the_server_takes_apart_is_none_of_the_answer(server: CompletionServer) -> None:
    backend = connect(server, thinking_tokens=100)
    server.broken_reply = {"choices": [{"message": {"content": "Four.", "reasoning_content": "Two and two."}}]}
    (response,) = backend.respond([asked("hi")])
    assert (response.text, response.thinking, response.unclosed) == ("Four.", "Two and two.", False)
    assert server.chats[0]["max_tokens"] == 106


@pytest.mark.parametrize("keys", [{}, {"thinking": "<think>…</think>"}])
def test_reasoning_in_the_text_is_cut_off(server: CompletionServer, keys: dict[str, Any]) -> None:
    backend = connect(server, **keys)
    server.broken_reply = {"choices": [{"message": {"content": "<think>Two\nand two.</think>\n\nFour.\nFive."}}]}
    (response,) = backend.respond([asked("hi")])
    assert (response.text, response.thinking) == ("Four.", "Two\nand two.")


def test_log_probabilities_are_not_asked_for(server: CompletionServer) -> None:
    responses = connect(server).respond(choices())
    assert {response.error for response in responses} == {UNTOLD}
    assert server.chats == []


def test_a_template_is_told_whether_to_think(server: CompletionServer) -> None:
    server.models[0]["owned_by"] = "vllm"
    connect(server, enable_thinking=False).respond([asked("hi")])
    assert server.chats[0]["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_server_that_is_gone_is_one_line(server: CompletionServer, checkpoint: Path) -> None:
    backend = connect(server)
    server.failures = [Reply(404)]
    with pytest.raises(ServerError, match=rf"^the server {server.url} answered 404 \(told to fail\)$"):
        backend.respond([asked("hi")])


def test_a_dialogue_goes_on_from_the_models_own_answers(server: CompletionServer) -> None:
    task = DialogueTask(
        ConversationSettings(dialogues="x", max_new_tokens=4),
        DialogueSet("x", (Dialogue("1", "talk", ("Who are you?", "And she?"), (None, None)),), 1),
    )
    first, second = converse(task, [0], connect(server), seed=0, own_template=True, on_items=lambda n: None)
    assert first.error is second.error is None
    assert [message["role"] for message in server.chats[1]["messages"]] == ["user", "assistant", "user"]
    assert server.chats[1]["messages"][1]["content"] == (first.text or "").strip()
    assert json.loads(second.prompt) == server.chats[1]["messages"]
    assert "stop" not in server.chats[0]


def test_a_prompt_set_is_sampled_without_likelihoods(server: CompletionServer) -> None:
    prompts = (SetPrompt("set/0", "Tell me of no river.", "talk"),)
    settings = HarmlessnessSettings(
        scorers=("words",), samples=3, max_new_tokens=4, fewer=(1,), primary="set",
        sets=(SampledSet(name="set", source="x"),), likelihood_samples=2,
    )  # fmt: skip
    prompt_set = PromptSet(SampledSet(name="set", source="x", chat=True), "sampled", prompts)
    answers = provoke(prompt_set, [0], connect(server), settings, seed=0, own_template=True, on_items=lambda n: None)
    assert [answer.sample for answer in answers] == [0, 1, 2]
    assert all(answer.text and answer.log_probabilities is None and answer.error is None for answer in answers)
    (request,) = server.chats
    assert (request["n"], request["messages"][0]["content"]) == (3, "Tell me of no river.")
