"""A recipe for a model of two layers, whose parameters, tokens and bytes can be counted by hand."""

from __future__ import annotations

from typing import Any

from transformers import MistralConfig

from mplus_eval.training.estimate import StageEstimate, estimate
from mplus_eval.training.memory import DecoderShape
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.speed import DeviceSpeed
from mplus_eval.training.workload import RowLength

# Of a layer: q and o 8x8, k and v 8x4, three of 8x16, two norms of 8: 64 + 64 + 32 + 32 + 384 + 16 = 592.
# Embeddings and head 32x8 each, a last norm of 8.
PARAMETERS = 2 * 592 + 2 * 256 + 8


BODY, HEAD = 2 * 592 + 8, 256
"""What every token is multiplied with, and what each place is whose logits are made; the embeddings are looked up."""


REWARD_PARAMETERS = 2 * 592 + 256 + 8 + 8


SHAPE = DecoderShape(hidden=8, intermediate=16, layers=2, queries=8, keys=4, vocabulary=32)


SPEED = DeviceSpeed("test", 1e6, 1e6, bytes_per_second=None, memory_gib=10.0, source="given")


def tiny() -> MistralConfig:
    return MistralConfig(
        vocab_size=32,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        tie_word_embeddings=False,
    )


def recipe(**changes: Any) -> Recipe:
    document: dict[str, Any] = {
        "base": "x",
        "output": "y",
        "max_length": 10,
        "pairs": [{"source": "p"}],
        "reward": {"learning_rate": 1, "batch_size": 2, "accumulate": 3, "epochs": 2, "referee": True},
        "sft": {"sft": {"data": "chosen", "learning_rate": 1, "batch_size": 4}},
        "rlhf": {
            "plus": {
                "learning_rate": 1,
                "steps": 7,
                "batch_size": 4,
                "accumulate": 2,
                "answers": 2,
                "max_new_tokens": 5,
            }
        },
    }
    return Recipe.model_validate(document | changes)


def estimates(
    rows: dict[str, int | None] | None = None,
    speed: DeviceSpeed = SPEED,
    lengths: dict[str, list[RowLength]] | None = None,
    **changes: Any,
) -> dict[str, StageEstimate]:
    return {stage.name: stage for stage in estimate(recipe(**changes), tiny(), rows or {}, speed, lengths)}


def rlhf(**changes: Any) -> dict[str, Any]:
    return {"rlhf": {"plus": recipe().rlhf["plus"].model_dump() | changes}}
