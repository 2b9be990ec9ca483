"""Which of transformers' classes a checkpoint's text model is, told by transformers itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def auto_class(config: PretrainedConfig, *, whole: bool = False) -> Any:
    """The auto class that makes a causal language model of a configuration.

    A class that also sees is taken as its text model alone where transformers has one (Llama 4, Qwen 3.5), else whole
    (Mistral 3, Qwen-VL): asked with text, both answer the same.

    Args:
        config: of the checkpoint.
        whole: whether the whole class is wanted where there are both.
    """
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForMultimodalLM

    sees = next((each for each in (AutoModelForImageTextToText, AutoModelForMultimodalLM) if _has(each, config)), None)
    if sees is None or (_has(AutoModelForCausalLM, config) and not whole):
        return AutoModelForCausalLM
    return sees


def is_language_model(kind: str, architectures: Sequence[str]) -> bool:
    """Tell whether a class that a configuration names speaks, and goes on from its own words.

    Args:
        kind: the `model_type` of a configuration, which transformers knows.
        architectures: the classes that it names.
    """
    from transformers import CONFIG_MAPPING
    from transformers.models.auto import modeling_auto as auto

    if not architectures:
        return True
    seeing = {**auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES, **auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES}
    if not getattr(CONFIG_MAPPING[kind], "is_encoder_decoder", False) and seeing.get(kind) in architectures:
        return True
    return not set(auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()).isdisjoint(architectures)


def _has(auto: Any, config: PretrainedConfig) -> bool:
    return type(config) in auto._model_mapping
