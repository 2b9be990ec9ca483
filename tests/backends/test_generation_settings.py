"""What requests to generate ask for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from transformers import GenerationConfig, PreTrainedTokenizerFast

from mplus_eval.backends.generation_settings import is_plain, sampling_of, seeded, seeds_of, stopper
from mplus_eval.inference.sampling import Sampling
from tests.conftest import TinyModel

SAMPLED: Any = {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 5, "until": ["\n"], "max_gen_toks": 4}


def request(text: str, **settings: Any) -> Instance:
    return Instance("generate_until", {}, (text, settings), 0)


@pytest.mark.parametrize(
    ("settings", "configured", "plain"),
    [
        (SAMPLED, {}, True),
        ({"until": ["\n"], "seed": 3}, {}, True),
        ({"num_beams": 4}, {}, False),
        ({"until": ["\n"]}, {"repetition_penalty": 1.1}, False),
        # A checkpoint's own top-p and top-k hold where a request that samples names none.
        ({"do_sample": True, "temperature": 0.7}, {"top_p": 0.8}, False),
        ({"do_sample": True, "temperature": 0.7}, {"top_k": 40}, False),
        ({"do_sample": False}, {"top_p": 0.8, "top_k": 40}, True),
        (SAMPLED, {"top_p": 0.8, "top_k": 40}, True),
    ],
)
def test_what_is_plain(settings: Any, configured: dict[str, Any], plain: bool) -> None:
    assert is_plain(settings, GenerationConfig(**configured)) is plain


@pytest.mark.parametrize(
    ("settings", "sampling"),
    [
        ({"do_sample": False, "temperature": 0.0}, None),
        (SAMPLED, Sampling(0.7, 0.9, 5)),
        ({"temperature": 0.5}, Sampling(0.5)),
        ({"do_sample": True}, Sampling(1.0)),
        ({"do_sample": True, "temperature": 1.0, "top_k": 0}, Sampling(1.0)),
    ],
)
def test_how_tokens_are_drawn(settings: Any, sampling: Sampling | None) -> None:
    assert sampling_of(settings) == sampling


def test_a_request_without_a_seed_is_drawn_by_its_place() -> None:
    assert seeds_of([request("a"), request("a"), request("b", seed=9)]) == [0, 1, 9]


def test_repeats_of_a_request_get_seeds_of_their_own() -> None:
    asked = [request("a", seed=5), request("b", seed=5), request("a", seed=5)]
    assert seeds_of(asked) == [5, 5, 5 + 1_000_003]


def test_torch_draws_by_the_seeds_inside_and_as_before_outside() -> None:
    cpu, state = torch.device("cpu"), torch.get_rng_state()
    drawn = []
    for seeds in ([1, 2], [1, 2], [2, 1]):
        with seeded(seeds, cpu):
            drawn.append(float(torch.rand(1)))
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(torch.get_rng_state(), state)
    with seeded([], cpu):
        torch.rand(1)
    assert not torch.equal(torch.get_rng_state(), state)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: TinyModel) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(tiny_model())


def test_a_stop_string_is_found_across_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    stopped = stopper(tokenizer, ["sat on"])
    assert stopped is not None
    tokens = tokenizer.encode("the cat sat on the mat", add_special_tokens=False)
    first = next(n for n in range(len(tokens)) if stopped(tokens[: n + 1]))
    assert "sat on" in tokenizer.decode(tokens[: first + 1])
    assert "sat on" not in tokenizer.decode(tokens[:first])


def test_an_empty_stop_string_stops_nothing(tokenizer: PreTrainedTokenizerFast) -> None:
    assert stopper(tokenizer, [""]) is None
