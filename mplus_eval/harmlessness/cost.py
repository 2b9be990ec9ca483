"""What a run will generate, in a sentence before it begins: sampling is the costly part, and it grows unseen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mplus_eval.models.cells import Cell, Part
from mplus_eval.spec.harmlessness import HarmlessnessSettings


def sampling_cost(missing: Iterable[tuple[Cell, Sequence[Part]]], settings: HarmlessnessSettings) -> str | None:
    """How many continuations are still to be sampled, and of how many tokens at most; None when none are.

    Args:
        missing: what is not stored yet of the sampled sets.
        settings: how prompts are asked.
    """
    todo = [(cell.model.spec.name, sum(len(part.items) for part in parts)) for cell, parts in missing if parts]
    n_prompts, n_models = sum(n for _, n in todo), len({model for model, _ in todo})
    if not n_prompts:
        return None
    n_texts = n_prompts * settings.samples
    noun = "model" if n_models == 1 else "models"
    return (
        f"toxicity: {settings.samples} continuations of {n_prompts:,} prompts over {n_models} {noun}, "
        f"{n_texts:,} texts of up to {settings.max_new_tokens} tokens ({n_texts * settings.max_new_tokens:,} in all)"
    )
