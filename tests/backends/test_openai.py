from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from mplus_eval.backends import Response, ServerError, load_backend, openai
from mplus_eval.backends.openai import OpenAIModel
from mplus_eval.models.locations import resolve_source
from mplus_eval.servers.failures import Patience
from mplus_eval.servers.usage import Spent
from mplus_eval.spec.backends import BACKENDS, ServerApi
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import choices, generations, log_probabilities, texts
from tests.conftest import TinyModel
from tests.server import CompletionServer, Reply, serving
from tests.tiny_models import CHAT_TEMPLATE, around, retokenize


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests tried again at once, and servers given up soon."""
    monkeypatch.setattr(openai, "PATIENCE", Patience(timeout=5.0, silence=1.0, tries=3, first_wait=0.01))


@pytest.fixture(scope="module")
def checkpoint(tiny_model: TinyModel) -> Path:
    return tiny_model(chat_template=CHAT_TEMPLATE)


@pytest.fixture
def server(checkpoint: Path) -> Iterator[CompletionServer]:
    with serving(CompletionServer(checkpoint)) as server:
        yield server


def connect(server: CompletionServer, **keys: Any) -> OpenAIModel:
    model = ModelSpec(name="m", source=server.url, **keys)
    backend = load_backend("openai", model, resolve_source(model, "openai"))
    assert isinstance(backend, OpenAIModel)
    return backend


def local(checkpoint: Path, **keys: Any) -> Any:
    model = ModelSpec(name="m", source=str(checkpoint), **keys)
    return load_backend("hf", model, resolve_source(model, "hf"))


def test_choices_get_the_answers_of_the_backend_hf(server: CompletionServer, checkpoint: Path) -> None:
    responses = connect(server, tokenizer=str(checkpoint)).respond(choices())
    expected = local(checkpoint).respond(choices())
    assert log_probabilities(responses) == pytest.approx(log_probabilities(expected), abs=1e-3)
    assert [response.is_greedy for response in responses] == [response.is_greedy for response in expected]


def test_generations_get_the_answers_of_the_backend_hf(server: CompletionServer, checkpoint: Path) -> None:
    expected = [response.text for response in local(checkpoint).respond(generations())]
    responses = connect(server, tokenizer=str(checkpoint)).respond(generations())
    assert [response.text for response in responses] == expected


def test_the_servers_own_tokenizer_serves_where_none_is_named(server: CompletionServer, tiny_model: TinyModel) -> None:
    # A tokenizer that begins no text with a token of its own, so that lm-eval's remote one cuts it the same way.
    without_bos = tiny_model(architecture="gpt2", context=512)
    with serving(CompletionServer(without_bos)) as other:
        responses = connect(other).respond(choices()[:6])
    expected = local(without_bos).respond(choices()[:6])
    assert log_probabilities(responses) == pytest.approx(log_probabilities(expected), abs=1e-3)


def test_the_servers_name_and_length_are_used(server: CompletionServer, checkpoint: Path) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    backend.respond(generations())
    assert {request["model"] for request in server.completions} == {"tiny"}
    assert backend.lm.max_length == 511  # lm-eval keeps a token for the answer


def test_seed_and_sampling_reach_the_server(server: CompletionServer, checkpoint: Path) -> None:
    requests = generations()
    for seed, request in enumerate(requests):
        request.args[1].update(do_sample=True, temperature=0.7, top_p=0.9, seed=seed)
    connect(server, tokenizer=str(checkpoint)).respond(requests)
    asked = [(one["seed"], one["temperature"], one["top_p"]) for one in server.completions]
    assert sorted(asked) == [(0, 0.7, 0.9), (1, 0.7, 0.9)]


@pytest.mark.parametrize(
    ("owner", "neutral"),
    [
        ("", {"top_p": 1.0}),
        ("vllm", {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "skip_special_tokens": False}),
        ("llamacpp", {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}),
    ],
)
def test_a_server_is_told_what_it_would_take_from_the_checkpoint(
    server: CompletionServer, checkpoint: Path, owner: str, neutral: dict[str, Any]
) -> None:
    server.models[0]["owned_by"] = owner
    names = ("top_p", "top_k", "min_p", "repetition_penalty", "repeat_penalty", "skip_special_tokens")
    connect(server, tokenizer=str(checkpoint)).respond(generations()[:1])
    connect(server, tokenizer=str(checkpoint), generation="own").respond(generations()[:1])
    connect(server, tokenizer=str(checkpoint), generation={"repetition_penalty": 1.2}).respond(generations()[:1])
    asked = [{name: one[name] for name in names if name in one} for one in server.completions]
    penalty = "repeat_penalty" if owner == "llamacpp" else "repetition_penalty"
    shown = {name: value for name, value in neutral.items() if name == "skip_special_tokens"}
    assert asked == [neutral, shown, {**neutral, penalty: 1.2}]


def test_ends_of_a_template_are_stop_strings_of_a_server(server: CompletionServer, checkpoint: Path) -> None:
    (request,) = generations()[:1]
    request.args[1].update(ends=["<|im_end|>"], turns=["<|im_start|>", "\n"])
    connect(server, tokenizer=str(checkpoint)).respond([request])
    assert server.completions[0]["stop"][:3] == ["\n", "<|im_end|>", "<|im_start|>"]
    assert not {"ends", "turns"} & set(server.completions[0])


def test_a_server_tells_neither_endings_nor_what_was_cut(server: CompletionServer, checkpoint: Path) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    expected = local(checkpoint).respond(generations())
    for response, ours in zip(backend.respond(generations()), expected, strict=True):
        assert response == Response(text=response.text, prompt_tokens=ours.prompt_tokens)
    assert backend.opened is None


def test_texts_are_encoded_as_by_the_backend_hf(server: CompletionServer, checkpoint: Path, tmp_path: Path) -> None:
    appending = retokenize(checkpoint, tmp_path, post_processor=around("<s>", "</s>"))
    spanning = [Instance("loglikelihood", {}, ("runs from th", end), 0, ("task", 0, 1)) for end in ("e", " A")]
    for keys in ({}, {"add_bos": False}, {"chat_template": True}):
        backend = connect(server, tokenizer=str(appending), **keys)
        ours = local(checkpoint, **keys)
        for asked in ([*choices(), *spanning], generations()):
            for response, expected in zip(backend.respond(asked), ours.respond(asked), strict=True):
                assert response.prompt_tokens == expected.prompt_tokens
                assert response.scored_tokens == expected.scored_tokens
                assert response.n_spanned == expected.n_spanned
                assert response.log_probability == pytest.approx(expected.log_probability, abs=1e-3)
        assert backend.facts.asking is not None
        assert backend.facts.asking.leaves_off == "</s>"
        put = [tuple(prompt) for request in server.completions[-2:] for prompt in request["prompt"]]
        assert sorted(put) == sorted(tuple(each.prompt_tokens or ()) for each in ours.respond(generations()))


def test_what_is_left_of_no_prompt_is_not_sent(server: CompletionServer, tiny_model: TinyModel) -> None:
    without_bos = tiny_model(architecture="gpt2", context=512)
    asked = [
        Instance("loglikelihood", {}, pair, 0, ("task", place, 1))
        for place, pair in enumerate([("h", "e"), ("he", " A")])
    ]
    with serving(CompletionServer(without_bos)) as other:
        lost, sound = connect(other, tokenizer=str(without_bos)).respond(asked)
        assert sum(len(request["prompt"]) for request in other.completions) == 1
    assert lost.error == "no token of the prompt is left before the continuation, since tokens span both"
    assert sound.error is None


def test_a_server_that_encodes_itself_tells_no_ids(server: CompletionServer, tiny_model: TinyModel) -> None:
    with serving(CompletionServer(tiny_model(architecture="gpt2", context=512))) as other:
        backend = connect(other)
        (response,) = backend.respond(choices()[:1])
    assert (response.prompt_tokens, response.scored_tokens) == (None, None)
    assert backend.facts.asking is not None
    assert backend.facts.asking.api == "completions (log-probabilities by echo)"


def test_a_chat_template_brings_its_own_beginning_or_the_tokenizer_does(
    server: CompletionServer, checkpoint: Path
) -> None:
    backend = connect(server, tokenizer=str(checkpoint), chat_template=True)
    said = backend.render_chat([{"role": "user", "content": "hi"}])
    assert said == "<|user|>hi\n<|assistant|>"
    asked = [
        Instance("generate_until", {}, (text, {"until": [], "max_gen_toks": 2}), 0) for text in (said, "<s>" + said)
    ]
    backend.respond(asked)
    assert [prompt.count(0) for request in server.completions for prompt in request["prompt"]] == [1, 1]


def test_the_key_is_taken_from_the_environment(
    server: CompletionServer, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "secret"
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert len(connect(server, tokenizer=str(checkpoint)).respond(generations())) == 2


def test_no_server_is_sent_the_key_of_another(
    server: CompletionServer, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # lm-eval's own class would send OPENAI_API_KEY to any server.
    api = ServerApi("http://HOST:PORT/v1", key_variable="OTHER_API_KEY")
    monkeypatch.setitem(BACKENDS, "openai", replace(BACKENDS["openai"], server=api))
    monkeypatch.setenv("OPENAI_API_KEY", "secret of another host")
    assert connect(server, tokenizer=str(checkpoint)).lm.header == {"Authorization": "Bearer "}
    monkeypatch.setenv("OTHER_API_KEY", "own")
    assert connect(server, tokenizer=str(checkpoint)).lm.header == {"Authorization": "Bearer own"}


def test_a_passing_failure_is_tried_again(server: CompletionServer, checkpoint: Path) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    server.failures = [500, 503]
    assert backend.respond(generations()[:1])[0].text == local(checkpoint).respond(generations()[:1])[0].text
    assert len(server.completions) == 3


@pytest.mark.parametrize("requests", [choices, generations])
def test_a_lasting_failure_is_the_requests_own_and_outside_the_model(
    server: CompletionServer, checkpoint: Path, requests: Any
) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    server.failures = [500] * 3
    (response,) = backend.respond(requests()[:1])
    assert response.error == f"outside the model: the server {server.url} answered 500 (told to fail), 3 times"
    assert len(server.completions) == 3
    assert backend.respond(requests()[:1])[0].error is None


@pytest.mark.parametrize("requests", [choices, generations])
def test_a_request_that_is_refused_fails_alone(server: CompletionServer, checkpoint: Path, requests: Any) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    server.failures = [Reply(400, '{"message": "too long"}')]
    responses = backend.respond(requests()[:2])
    assert sorted(response.error or "" for response in responses) == [
        "",
        f"the server {server.url} answered 400 (too long)",
    ]


def test_a_server_that_is_gone_is_one_line(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "PATIENCE", Patience(silence=1.0, tries=1000, first_wait=0.01))
    with serving(CompletionServer(checkpoint)) as server:
        backend = connect(server, tokenizer=str(checkpoint))
        url = server.url
    words = rf"^the server {url} has not answered for 1 s: it could not be reached \(.*\)$"
    with pytest.raises(ServerError, match=words):
        backend.respond(generations() * 50)


def test_a_server_that_is_gone_for_a_moment_loses_nothing(server: CompletionServer, checkpoint: Path) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    server.failures = [503] * 8
    assert all(response.error is None for response in backend.respond(choices()))


def test_half_a_surrogate_pair_becomes_a_text_that_can_be_stored(server: CompletionServer, checkpoint: Path) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    server.broken_reply = {"choices": [{"index": 0, "text": "a\ud83d b"}]}
    assert backend.respond(generations()[:1])[0].text == "a? b"


def test_no_text_is_an_empty_one(server: CompletionServer, checkpoint: Path) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    server.broken_reply = {"choices": [{"index": 0, "text": None, "finish_reason": "length"}]}
    response = backend.respond(generations()[:1])[0]
    assert (response.text, response.ended, response.error) == ("", False, None)


@pytest.mark.parametrize(
    ("logprobs", "words"),
    [
        (None, "prompt log-probabilities need echo and logprobs"),
        ({"token_logprobs": [None, -1.0], "top_logprobs": [None, {"a": -1.0}]}, "fewer log-probabilities than tokens"),
        ({"token_logprobs": [None] * 99, "top_logprobs": [{"a": 0.0}] * 99}, "a token without a log-probability"),
        ({"token_logprobs": [-1.0] * 99, "top_logprobs": [None] * 99}, "no top_logprobs"),
    ],
)
def test_log_probabilities_that_are_none_fail_the_request(
    server: CompletionServer, checkpoint: Path, logprobs: object, words: str
) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    server.broken_reply = {"choices": [{"index": 0, "text": "x", "logprobs": logprobs}]}
    (response,) = backend.respond(choices()[:1])
    assert response.log_probability is None
    assert response.error is not None
    assert response.error.startswith(
        f"outside the model: the server {server.url} answered what is no completion ({words}"
    )


def test_vllms_own_log_probabilities_of_a_prompt_do_as_well(server: CompletionServer, checkpoint: Path) -> None:
    server.refuses = lambda body: 400 if "echo" in body else None
    backend = connect(server, tokenizer=str(checkpoint))
    responses, expected = backend.respond(choices()), local(checkpoint).respond(choices())
    assert log_probabilities(responses) == pytest.approx(log_probabilities(expected), abs=1e-3)
    assert [response.is_greedy for response in responses] == [response.is_greedy for response in expected]
    assert "echo" not in server.completions[0]


def test_whole_texts_get_the_log_probability_of_the_backend_hf(server: CompletionServer, checkpoint: Path) -> None:
    responses = connect(server, tokenizer=str(checkpoint)).respond(texts())
    expected = local(checkpoint).respond(texts())
    assert log_probabilities(responses) == pytest.approx(log_probabilities(expected), abs=1e-3)


def test_a_server_without_log_probabilities_is_not_asked_for_them(server: CompletionServer, checkpoint: Path) -> None:
    server.refuses = lambda body: 400 if {"echo", "prompt_logprobs"} & set(body) else None
    backend = connect(server, tokenizer=str(checkpoint))
    assert {response.error for response in backend.respond(choices())} == {openai.UNTOLD}
    assert server.completions == []
    assert backend.respond(generations())[0].error is None


def test_stop_strings_are_cut_here_too(server: CompletionServer, checkpoint: Path) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    server.broken_reply = {"choices": [{"index": 0, "text": "yes\nQuestion", "finish_reason": "length"}]}
    response = backend.respond(generations()[:1])[0]
    assert (response.text, response.ended) == ("yes", True)


def samples(n: int = 4) -> list[Any]:
    settings = {"until": [], "max_gen_toks": 2, "do_sample": True, "temperature": 1.0}
    return [Instance("generate_until", {}, ("no", {**settings, "seed": seed}), seed) for seed in range(n)]


def test_samples_of_a_prompt_are_one_request(server: CompletionServer, checkpoint: Path) -> None:
    said = connect(server, tokenizer=str(checkpoint)).respond(samples())
    (request,) = server.completions
    assert (request["n"], request["seed"]) == (4, 0)
    assert [(response.text or "")[-1] for response in said] == ["0", "1", "2", "3"]


def test_samples_that_a_server_does_not_give_are_asked_for_one_by_one(
    server: CompletionServer, checkpoint: Path
) -> None:
    server.gives_samples = False
    backend = connect(server, tokenizer=str(checkpoint))
    assert len(backend.respond(samples())) == 4
    assert [(one.get("n"), one["seed"]) for one in server.completions][:1] == [(4, 0)]
    assert sorted((one.get("n"), one["seed"]) for one in server.completions[1:]) == [(None, 1), (None, 2), (None, 3)]
    backend.respond(samples(2))
    assert "n" not in server.completions[-1]


def test_samples_that_are_refused_together_are_asked_for_one_by_one(server: CompletionServer, checkpoint: Path) -> None:
    server.refuses = lambda body: 400 if "n" in body else None
    responses = connect(server, tokenizer=str(checkpoint)).respond(samples())
    assert [response.error for response in responses] == [None] * 4
    assert sorted(one["seed"] for one in server.completions[1:]) == [0, 1, 2, 3]


def test_a_prompt_that_is_refused_alone_too_says_nothing_of_samples(server: CompletionServer, checkpoint: Path) -> None:
    backend = connect(server, tokenizer=str(checkpoint))
    server.failures = [400] * 4
    assert all(response.error for response in backend.respond(samples(3)))
    server.completions.clear()
    assert len(backend.respond(samples(3))) == 3
    assert [one.get("n") for one in server.completions] == [3]


def test_no_more_requests_are_under_way_than_the_model_says(server: CompletionServer, checkpoint: Path) -> None:
    server.seconds = 0.05
    connect(server, tokenizer=str(checkpoint), concurrency=2).respond(choices())
    assert server.most_under_way == 2


def test_what_was_spent_is_told(server: CompletionServer, checkpoint: Path) -> None:
    server.usage = {"prompt_tokens": 7, "completion_tokens": 2}
    backend = connect(server, tokenizer=str(checkpoint))
    backend.respond(generations())
    assert backend.facts.spent == Spent(n_requests=2, tokens_in=14, tokens_out=4)
    assert "spent" not in backend.facts.as_json()


def test_the_key_stands_in_no_error_and_no_log(
    server: CompletionServer, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = "sk-a-key-that-must-not-be-seen"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    server.key = key
    backend = connect(server, tokenizer=str(checkpoint))
    server.failures = [Reply(500, json.dumps({"error": {"message": f"failed for Bearer {key}"}}))] * 3
    with caplog.at_level("DEBUG"):
        (response,) = backend.respond(generations()[:1])
    assert response.error is not None
    assert "failed for Bearer ***" in response.error
    server.key = "another"
    with caplog.at_level("DEBUG"), pytest.raises(ServerError) as caught:
        backend.respond(generations()[:1])
    assert key not in f"{caught.value} {caplog.text} {backend.facts} {response}"
