"""A small checkpoint in the format of Detoxify's releases, of random weights, with its base model beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS = ("you", "are", "a", "dunce", "and", "kind", "friend", "thank", "the", "lamp", "of", "mine", "very")
ORIGINAL = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
"""The classes of Detoxify's first model, in its order."""


def write_base(directory: Path) -> Path:
    """Write the config and the tokenizer of a tiny BERT, 64 positions long."""
    from transformers import BertTokenizer

    (directory / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    BertTokenizer.from_pretrained(directory).save_pretrained(directory)
    small_config().save_pretrained(directory)
    return directory


def write_checkpoint(directory: Path, classes: Sequence[str] = ORIGINAL, **arch: Any) -> Path:
    """Write a checkpoint and its base model into a directory; `arch` replaces what the checkpoint says of its model."""
    import torch

    write_base(directory)
    torch.save(small_checkpoint(str(directory), classes, **arch), directory / "small.ckpt")
    return directory / "small.ckpt"


def small_checkpoint(base: str, classes: Sequence[str] = ORIGINAL, **arch: Any) -> dict[str, Any]:
    """What a checkpoint file holds."""
    usual = {
        "model_type": base, "model_name": "BertForSequenceClassification", "tokenizer_name": "BertTokenizer",
        "num_classes": len(classes),
    }  # fmt: skip
    return {
        "config": {"arch": {"args": usual | arch}, "dataset": {"args": {"classes": list(classes)}}},
        "state_dict": small_model(num_labels=arch.get("num_classes", len(classes))).state_dict(),
    }


def small_model(**more: Any) -> Any:
    """A BERT classifier with random weights, always the same."""
    import torch
    from transformers import BertForSequenceClassification

    torch.manual_seed(0)
    return BertForSequenceClassification(small_config(**more))


def small_config(**more: Any) -> Any:
    """Its shape; weights are spread enough for texts to differ."""
    from transformers import BertConfig

    return BertConfig(
        vocab_size=5 + len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, initializer_range=0.8, **more,
    )  # fmt: skip
