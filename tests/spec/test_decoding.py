"""Settings of generation_config: all that transformers has are known, and those that a model names are checked."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import GenerationConfig

from mplus_eval.spec.decoding import SETTINGS, TABLES, decoding_faults, is_neutral
from mplus_eval.spec.model import ModelSpec

HOW_AND_NOT_WHICH = {
    # How a text is computed, what is told beside it, and whose tokens are whose.
    "use_mtp", "use_cache", "cache_implementation", "cache_config", "max_cache_len", "num_return_sequences",
    "output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate",
    "pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id", "is_assistant", "num_assistant_tokens",
    "num_assistant_tokens_schedule", "assistant_confidence_threshold", "prompt_lookup_num_tokens",
    "max_matching_ngram_size", "assistant_early_exit", "assistant_lookbehind", "target_lookbehind",
    "assistant_ensemble_weight", "speculation_type", "compile_config", "disable_compile", "continuous_batching_config",
    "low_memory", "prefill_chunk_size", "_from_model_config", "transformers_version",
}  # fmt: skip


def test_every_setting_of_transformers_is_known() -> None:
    assert set(GenerationConfig().to_dict()) <= {*SETTINGS, *TABLES, *HOW_AND_NOT_WHICH}
    assert not {*SETTINGS, *TABLES} & HOW_AND_NOT_WHICH


def test_what_transformers_takes_where_nothing_is_said_is_neutral_but_for_its_top_k() -> None:
    defaults = GenerationConfig._get_default_generation_params()
    assert [name for name, value in defaults.items() if not is_neutral(name, value)] == ["top_k"]


@pytest.mark.parametrize(
    "generation", [None, "own", {"repetition_penalty": 1.3, "top_k": 40, "stop_strings": ["\n"], "do_sample": True}]
)
def test_settings_that_can_be_meant_have_no_fault(generation: Any) -> None:
    assert faults(generation) == []


def faults(generation: Any, *, serves_itself: bool = False) -> list[str]:
    model = ModelSpec(name="m", source="m", generation=generation)
    return decoding_faults(model, "model 'm'", serves_itself=serves_itself)


@pytest.mark.parametrize(
    ("generation", "says"),
    [
        ({"repetition_penality": 1.3}, "'repetition_penality' is no setting of decoding; did you mean repetition_pen"),
        ({"compile_config": "x"}, "'compile_config' is no setting of decoding; "),
        ({"repetition_penalty": "high"}, "repetition_penalty 'high': a number above 0"),
        ({"repetition_penalty": 0}, "repetition_penalty 0: a number above 0"),
        ({"top_p": 1.5}, "top_p 1.5: a number above 0, at most 1"),
        ({"top_k": 2.5}, "top_k 2.5: a whole number from 0"),
        ({"top_k": True}, "top_k True: a whole number from 0"),
        ({"do_sample": 1}, "do_sample 1: true or false"),
        ({"max_new_tokens": 0}, "max_new_tokens 0: a whole number from 1"),
        ({"stop_strings": 3}, "stop_strings 3: a text or a list of texts"),
    ],
)
def test_what_cannot_be_meant_is_one_line(generation: Any, says: str) -> None:
    (fault,) = faults(generation)
    assert fault.startswith(f"model 'm': generation: {says}")


def test_a_backend_that_samples_itself_knows_fewer() -> None:
    assert faults({"repetition_penalty": 1.3, "min_new_tokens": 3}, serves_itself=True) == []
    (fault,) = faults({"num_beams": 4}, serves_itself=True)
    assert fault.startswith("model 'm': generation: 'num_beams' is no setting of this backend; ")


def test_several_faults_are_told_at_once() -> None:
    assert len(faults({"top_p": 2, "top_k": -1})) == 2
