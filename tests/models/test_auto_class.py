from __future__ import annotations

import pytest
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForImageTextToText

from mplus_eval.models.auto_class import auto_class, is_language_model


@pytest.mark.parametrize(
    ("kind", "of_text", "of_the_whole"),
    [
        ("mistral", AutoModelForCausalLM, AutoModelForCausalLM),
        ("mistral3", AutoModelForImageTextToText, AutoModelForImageTextToText),
        ("llama4", AutoModelForCausalLM, AutoModelForImageTextToText),
        ("qwen3_5", AutoModelForCausalLM, AutoModelForImageTextToText),
        ("qwen3_5_text", AutoModelForCausalLM, AutoModelForCausalLM),
        ("qwen3_vl", AutoModelForImageTextToText, AutoModelForImageTextToText),
    ],
)
def test_the_text_alone_is_taken_where_there_is_a_class_for_it(
    kind: str, of_text: object, of_the_whole: object
) -> None:
    config = CONFIG_MAPPING[kind]()
    assert auto_class(config) is of_text
    assert auto_class(config, whole=True) is of_the_whole


@pytest.mark.parametrize(
    ("kind", "architecture", "speaks"),
    [
        ("mistral", "MistralForCausalLM", True),
        ("mistral", "MistralForSequenceClassification", False),
        ("mistral3", "Mistral3ForConditionalGeneration", True),
        ("gemma3", "Gemma3ForConditionalGeneration", True),
        ("gemma3", "Gemma3Model", False),
        ("voxtral", "VoxtralForConditionalGeneration", True),
        ("florence2", "Florence2ForConditionalGeneration", False),
        ("t5", "T5ForConditionalGeneration", False),
    ],
)
def test_transformers_tells_which_classes_speak(kind: str, architecture: str, speaks: bool) -> None:
    assert is_language_model(kind, [architecture]) is speaks
    assert is_language_model(kind, [])
