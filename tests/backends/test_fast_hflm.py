"""`FastHFLM` answers as lm-eval's `HFLM` does, request by request, and says what it cannot answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from mplus_eval.backends import Response
from mplus_eval.backends.encoding import EncodedRequest
from mplus_eval.backends.fast_hflm import FastHFLM
from mplus_eval.inference.budget import Budget
from mplus_eval.inference.generation import TreeGenerator
from mplus_eval.inference.self_check import Tier
from tests.backends.requests import log_probabilities
from tests.conftest import TinyModel

SHOTS = "the cat sat on the mat . " * 6
CHOICES = [
    (SHOTS + "the dog", " ran"),
    (SHOTS + "the dog", " sat on the mat"),
    (SHOTS + "the dog  ", "sat"),
    ("", "the cat"),
    ("the mat", " " + SHOTS),
    (SHOTS + "the dog", " ran"),
]


def request(context: str, continuation: str) -> Instance:
    return Instance("loglikelihood", {}, (context, continuation), 0)


def generation(context: str, **settings: Any) -> Instance:
    return Instance("generate_until", {}, (context, settings), 0)


@pytest.fixture(scope="module")
def ours(tiny_model: TinyModel) -> FastHFLM:
    lm = FastHFLM(pretrained=str(tiny_model()), device="cpu", backend="causal")
    assert lm.tier.name == "tree"
    return lm


@pytest.fixture(scope="module")
def theirs(tiny_model: TinyModel) -> HFLM:
    return HFLM(pretrained=str(tiny_model()), device="cpu", batch_size=1)


@pytest.fixture(params=["tree", "shared prefix", "plain"])
def tiered(request: pytest.FixtureRequest, ours: FastHFLM, monkeypatch: pytest.MonkeyPatch) -> FastHFLM:
    monkeypatch.setattr(ours, "tier", Tier(request.param, 0.0, 0.0, ""))
    return ours


def test_every_tier_scores_as_lm_eval_does(tiered: FastHFLM, theirs: HFLM) -> None:
    requests = [request(*pair) for pair in CHOICES]
    found = tiered.loglikelihood(requests, disable_tqdm=True)
    expected = theirs.loglikelihood(requests, disable_tqdm=True)
    assert [value for value, _ in found] == pytest.approx([value for value, _ in expected], abs=1e-4)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]


def test_long_contexts_lose_their_beginning_as_in_lm_eval(tiny_model: TinyModel, tiered: FastHFLM) -> None:
    requests = [request(SHOTS + "the dog", " ran"), request(SHOTS, "the dog sat")]
    expected = HFLM(pretrained=str(tiny_model()), device="cpu", batch_size=1, max_length=16)
    before, tiered._max_length = tiered._max_length, 16
    try:
        responses = tiered.respond(requests)
    finally:
        tiered._max_length = before
    lengths = [sum(map(len, tiered._encode_pair(*one.args))) for one in requests]
    # The last token is never an input.
    assert [response.n_truncated for response in responses] == [length - 17 for length in lengths]
    values = [value for value, _ in expected.loglikelihood(requests, disable_tqdm=True)]
    assert log_probabilities(responses) == pytest.approx(values, abs=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"until": ["\n\n"], "max_gen_toks": 12, "do_sample": False},
        {"until": [" mat"], "max_gen_toks": 30},
        {"until": "the", "max_gen_toks": 5, "temperature": 0.0},
    ],
)
def test_every_tier_generates_as_lm_eval_does(tiered: FastHFLM, theirs: HFLM, settings: dict[str, Any]) -> None:
    requests = [generation(SHOTS + words, **settings) for words in ("the dog", "the cat sat", "on", "the dog")]
    assert tiered.generate_until(requests, disable_tqdm=True) == theirs.generate_until(requests, disable_tqdm=True)


def test_what_is_cut_from_a_prompt_is_counted(tiered: FastHFLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiered, "_max_length", 32)
    prompts = [SHOTS + "the dog", "on"]
    made = tiered.respond([generation(text, until=[], max_gen_toks=4) for text in prompts])
    assert [response.n_truncated for response in made] == [len(tiered.tok_encode(prompts[0])) - 28, 0]
    (whole,) = tiered.respond([Instance("loglikelihood_rolling", {}, (prompts[0],), 0)])
    assert whole.n_truncated == 0


def test_samples_do_not_depend_on_what_is_generated_beside_them(
    ours: FastHFLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [generation(SHOTS + "the", until=[], max_gen_toks=8, temperature=1.0, do_sample=True) for _ in range(6)]
    together = ours.generate_until(requests, disable_tqdm=True)
    assert len(set(together)) > 1
    monkeypatch.setattr(ours, "budget", Budget(tokens=64, slots=2))
    assert ours.generate_until(requests, disable_tqdm=True) == together
    assert ours.generate_until(requests[:2], disable_tqdm=True) == together[:2]


def sampled(seed: int | None, text: str = SHOTS + "the", n_tokens: int = 8) -> Instance:
    own = {} if seed is None else {"seed": seed}
    return generation(text, until=[], max_gen_toks=n_tokens, temperature=1.0, do_sample=True, **own)


def test_a_request_with_a_seed_is_drawn_from_it_wherever_it_stands(ours: FastHFLM) -> None:
    requests = [sampled(seed) for seed in (11, 12, 13, 14)]
    found = ours.generate_until(requests, disable_tqdm=True)
    assert len(set(found)) > 1
    assert ours.generate_until([sampled(None), *requests[::-1]], disable_tqdm=True)[1:] == found[::-1]


def test_repeats_of_one_request_are_not_alike(ours: FastHFLM) -> None:
    found = ours.generate_until([sampled(5) for _ in range(6)], disable_tqdm=True)
    assert len(set(found)) > 1
    assert found[0] == ours.generate_until([sampled(5)], disable_tqdm=True)[0]


def test_seeds_serve_where_transformers_generates_too(ours: FastHFLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "tier", Tier("plain", 0.0, 0.0, ""))
    monkeypatch.setattr(ours, "batch_size_per_gpu", 4)
    batches: list[dict[str, Any]] = []
    generate = ours.model.generate

    def noted(**settings: Any) -> Any:
        batches.append(settings)
        return generate(**settings)

    monkeypatch.setattr(ours.model, "generate", noted)
    requests = [sampled(seed) for seed in (1, 2, 3, 4)]
    state = torch.get_rng_state()
    found = ours.generate_until(requests, disable_tqdm=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert [(len(one["input_ids"]), one["top_k"], "seed" in one) for one in batches] == [(4, 0, False)]
    assert ours.generate_until(requests, disable_tqdm=True) == found
    assert ours.generate_until([sampled(seed) for seed in (5, 6, 7, 8)], disable_tqdm=True) != found
    for response in ours.respond(requests):
        assert (response.n_tokens, response.ended) == (8, False)


def test_a_text_that_the_limit_cuts_has_not_ended(ours: FastHFLM) -> None:
    responses = ours.respond([generation(SHOTS, until=[], max_gen_toks=n) for n in (1, 5)])
    assert [(response.n_tokens, response.ended) for response in responses] == [(1, False), (5, False)]


def test_a_stop_string_ends_a_text(ours: FastHFLM) -> None:
    asked = SHOTS + "the dog"
    whole = ours.generate_until([generation(asked, until=[], max_gen_toks=12)], disable_tqdm=True)[0]
    tokens = ours.tok_encode(whole, add_special_tokens=False)
    text = ours.tok_decode(tokens[:6])
    stop = text[-3:]
    (cut,) = ours.respond([generation(asked, until=[stop], max_gen_toks=12)])
    assert cut.text == whole[: whole.index(stop)]
    assert cut.ended
    assert cut.n_tokens is not None
    assert cut.n_tokens <= 6


@pytest.mark.parametrize("by", ["configuration", "stop string"])
def test_the_token_that_ends_a_text_is_not_counted(ours: FastHFLM, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    asked = generation(SHOTS, until=[], max_gen_toks=4)
    made: list[tuple[int, ...]] = []
    generate = TreeGenerator.generate

    def noted(*arguments: Any) -> list[tuple[int, ...]]:
        made[:] = generate(*arguments)
        return made

    monkeypatch.setattr(TreeGenerator, "generate", noted)
    ours.generate_until([asked], disable_tqdm=True)
    first = made[0][0]
    if by == "configuration":
        monkeypatch.setattr(ours, "ends", frozenset({first}))
    else:
        asked.args[1]["until"] = [ours.tok_decode([first], skip_special_tokens=False)]
    (response,) = ours.respond([asked])
    assert (response.n_tokens, response.ended) == (0, True)


def test_settings_beyond_sampling_are_left_to_transformers(
    ours: FastHFLM, theirs: HFLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theirs.model.generation_config, "repetition_penalty", 1.5)
    texts = [SHOTS + words for words in ("the dog", "on")]
    plain = [generation(text, until=[], max_gen_toks=12, do_sample=False) for text in texts]
    asked = [generation(text, until=[], max_gen_toks=12, do_sample=False, repetition_penalty=1.5) for text in texts]
    responses = ours.respond(asked)
    assert [response.text for response in responses] == theirs.generate_until(plain, disable_tqdm=True)
    assert [(response.n_tokens, response.ended) for response in responses] == [(12, False)] * 2


def test_what_cannot_be_scored_is_said_of_that_request_alone(tiered: FastHFLM, monkeypatch: pytest.MonkeyPatch) -> None:
    width = tiered.model.get_input_embeddings().num_embeddings
    encoded = [
        EncodedRequest(("a", "b"), context, continuation, 0)
        for context, continuation in [
            ([1, 2], [3]),
            ([1, 2], []),
            ([1, width], [3]),
            ([1], [3] * (tiered.max_length + 1)),
            ([], [3]),
        ]
    ]
    monkeypatch.setattr("mplus_eval.backends.fast_hflm.encode_requests", lambda encoding, requests: encoded)
    sound, *failed = tiered.score([])
    assert sound.error is None
    assert sound.log_probability is not None
    assert [replace(each, prompt_tokens=None, scored_tokens=None, n_spanned=None) for each in failed] == [
        Response(error="the continuation is empty", n_truncated=0),
        Response(error=f"token id {width} is outside the model's vocabulary of {width}", n_truncated=0),
        Response(
            error=f"the continuation has {tiered.max_length + 1} tokens, the model's length is {tiered.max_length}",
            n_truncated=1,
        ),
        Response(error="no token of the prompt is left before the continuation, since tokens span both", n_truncated=0),
    ]
    with pytest.raises(ValueError, match="the continuation is empty"):
        tiered.loglikelihood([])


def test_lm_evals_cache_hook_sees_every_answer(ours: FastHFLM, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, Any]] = []

    class Hook:
        def add_partial(self, kind: str, arguments: Any, answer: Any) -> None:
            seen.append((kind, arguments))

    monkeypatch.setattr(ours, "cache_hook", Hook())
    ours.loglikelihood([request(*CHOICES[0])], disable_tqdm=True)
    ours.generate_until([generation("the", until=[], max_gen_toks=2)], disable_tqdm=True)
    assert [kind for kind, _ in seen] == ["loglikelihood", "generate_until"]
    assert seen[0][1] == CHOICES[0]


def test_half_as_much_at_once_until_there_is_no_less(ours: FastHFLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "budget", Budget(tokens=128, rows=32, slots=2, cached=128))
    monkeypatch.setattr(ours, "batch_size_per_gpu", 2)
    assert ours.halve()
    assert (ours.budget, ours.batch_size_per_gpu) == (Budget(tokens=64, rows=16, slots=1, cached=64), 1)
    assert not ours.halve()
