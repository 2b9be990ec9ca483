"""What requests to generate ask for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from transformers import PreTrainedTokenizerFast

from mplus_eval.backends.generation_settings import others_of, sampling_of, seeded, seeds_of, stopper
from mplus_eval.inference.sampling import Sampling
from tests.conftest import TinyModel

SAMPLED: Any = {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 5, "until": ["\n"], "max_gen_toks": 4}


def request(text: str, **settings: Any) -> Instance:
    return Instance("generate_until", {}, (text, settings), 0)


@pytest.mark.parametrize(
    ("settings", "others"),
    [
        (SAMPLED, {}),
        ({"until": ["\n"], "seed": 3, "ends": ["</s>"], "turns": []}, {}),
        ({"num_beams": 4, "top_k": 3}, {"num_beams": 4}),
    ],
)
def test_what_is_left_to_transformers(settings: Any, others: dict[str, Any]) -> None:
    assert others_of(settings) == others


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
