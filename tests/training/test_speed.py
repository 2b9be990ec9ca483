"""How fast a device is taken to be."""

from __future__ import annotations

import pytest
from transformers import Gemma3TextConfig, PreTrainedConfig

from mplus_eval.training.speed import speed_of
from tests.training.tiny_recipe import recipe, tiny


def gemma() -> PreTrainedConfig:
    """Says of each of its layers how far it sees, and has a token beyond the few words that are measured with."""
    return Gemma3TextConfig(
        vocab_size=4096,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        pad_token_id=4000,
        layer_types=["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"],
    )


@pytest.mark.parametrize("config", [tiny(), gemma()], ids=["mistral", "gemma"])
@pytest.mark.parametrize("changes", [{}, {"dtype": "bfloat16", "lora": {"rank": 2}}], ids=["full", "lora"])
def test_the_speed_of_the_processor_is_measured_on_layers_of_the_base(
    config: PreTrainedConfig, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mplus_eval.training.speed._SECONDS", 0.05)
    before = config.to_dict()
    speed = speed_of(recipe(device="cpu", threads=1, **changes), config)
    assert speed.device == "CPU"
    assert 1e5 < speed.operations_per_second < 1e14
    assert 1e5 < speed.forward_per_second < 1e14
    assert config.to_dict() == before
