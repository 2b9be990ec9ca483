"""A checkpoint's generation_config decides nothing, unless the model's key says so."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import GenerationConfig

from mplus_eval.backends.decoding import Decoding, end_ids

CHAT = GenerationConfig(
    do_sample=True, temperature=0.6, top_p=0.9, top_k=40, repetition_penalty=1.3, max_new_tokens=200,
    stop_strings=["\n"], bad_words_ids=[[5]], eos_token_id=[1, 7], use_cache=False, num_beams=1,
)  # fmt: skip
GREEDY = {"until": ["."], "max_gen_toks": 20, "do_sample": False}
SAMPLED = {"until": [], "max_gen_toks": 20, "do_sample": True, "temperature": 1.0, "top_p": 0.8, "seed": 3}


def over(wanted: Any, options: dict[str, Any], configured: GenerationConfig | None = CHAT, **more: Any) -> Any:
    return Decoding.of(wanted, configured).over(options, **more)


def test_what_a_checkpoint_brings_is_ignored_and_told() -> None:
    decoding = Decoding.of(None, CHAT)
    assert decoding.applied_words == {}
    assert decoding.ignored_words == {
        "do_sample": "True", "temperature": "0.6", "top_k": "40", "top_p": "0.9", "repetition_penalty": "1.3",
        "max_new_tokens": "200", "stop_strings": "['\\n']", "bad_words_ids": "[[5]]",
    }  # fmt: skip
    assert decoding.over(GREEDY) == {**GREEDY, "temperature": 0.0}
    assert decoding.over(SAMPLED) == SAMPLED


def test_a_checkpoint_without_a_configuration_or_with_a_neutral_one_is_told_of_nothing() -> None:
    for configured in (None, GenerationConfig(), GenerationConfig(temperature=1.0, top_p=1.0, max_length=20)):
        assert Decoding.of(None, configured) == Decoding.of("own", configured) == Decoding()


def test_its_own_apply_together_where_they_are_wanted() -> None:
    decoding = Decoding.of("own", CHAT)
    assert decoding.ignored_words == {}
    assert decoding.applied_words["repetition_penalty"] == "1.3"
    assert decoding.over(GREEDY) == {
        "until": [".", "\n"], "max_gen_toks": 200, "do_sample": True, "temperature": 0.6, "top_p": 0.9, "top_k": 40,
        "repetition_penalty": 1.3, "bad_words_ids": [[5]],
    }  # fmt: skip


def test_named_settings_apply_alone() -> None:
    decoding = Decoding.of({"repetition_penalty": 1.1}, CHAT)
    assert decoding.over(GREEDY) == {**GREEDY, "temperature": 0.0, "repetition_penalty": 1.1}
    assert "repetition_penalty" not in decoding.ignored
    assert decoding.ignored["top_k"] == 40


@pytest.mark.parametrize(
    ("wanted", "options", "sampling"),
    [
        # A temperature alone switches no sampling on, nor off.
        ({"temperature": 0.7}, GREEDY, (False, 0.0)),
        ({"temperature": 0.7}, SAMPLED, (True, 0.7)),
        ({"do_sample": True}, GREEDY, (True, 1.0)),
        ({"do_sample": False}, SAMPLED, (False, 0.0)),
        ({"temperature": 0}, SAMPLED, (False, 0.0)),
        ({"temperature": 0.5}, {"until": [], "temperature": 0.9}, (True, 0.5)),
    ],
)
def test_sampling_is_switched_by_who_says_so(wanted: Any, options: Any, sampling: tuple[bool, float]) -> None:
    settings = over(wanted, options)
    assert (settings["do_sample"], settings["temperature"]) == sampling


def test_a_longest_text_counts_the_prompt_and_only_lowers_the_limit() -> None:
    assert over({"max_length": 30}, GREEDY, n_prompt=15)["max_gen_toks"] == 15
    assert over({"max_length": 30}, GREEDY, n_prompt=40)["max_gen_toks"] == 1
    assert over({"max_length": 4096}, GREEDY, n_prompt=15)["max_gen_toks"] == 20
    assert over({"max_length": 30, "max_new_tokens": 50}, GREEDY, n_prompt=15)["max_gen_toks"] == 50


def test_the_limit_of_a_request_that_names_none_is_the_default() -> None:
    assert over(None, {"until": "x"}, default_limit=64) == {
        "until": ["x"], "max_gen_toks": 64, "do_sample": False, "temperature": 0.0,
    }  # fmt: skip


def test_what_an_engine_does_not_know_stays_ignored() -> None:
    decoding = Decoding.of("own", CHAT, serves_itself=True)
    assert "bad_words_ids" in decoding.ignored
    assert decoding.applied["repetition_penalty"] == 1.3


def test_long_tables_are_told_in_short() -> None:
    words = Decoding.of(None, GenerationConfig(suppress_tokens=list(range(1000)))).ignored_words
    assert len(words["suppress_tokens"]) == 100


@pytest.mark.parametrize(("eos", "ids"), [(None, []), (3, [3]), ([3, 4], [3, 4])])
def test_end_tokens_are_a_checkpoints_own(eos: Any, ids: list[int]) -> None:
    assert end_ids(GenerationConfig(eos_token_id=eos)) == ids
    assert end_ids(GenerationConfig(eos_token_id=eos), None, GenerationConfig(eos_token_id=[9, 3])) == [
        *ids, *(token for token in (9, 3) if token not in ids),
    ]  # fmt: skip
