"""What a run will generate, in a sentence before it begins: sampling is the costly part, and it grows unseen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.spec.harmlessness import HarmlessnessSettings

if TYPE_CHECKING:
    from mplus_eval.pipeline.plan import Cell, Part

Missing = Iterable[tuple["Cell", Sequence["Part"]]]


def sampling_cost(missing: Missing, settings: HarmlessnessSettings) -> str | None:
    """How many continuations are still to be sampled, and of how many tokens at most; None when none are.

    Args:
        missing: what is not stored yet.
        settings: how prompts are asked.
    """
    n_prompts, models = 0, set()
    for cell, parts in missing:
        if isinstance(cell.task, PromptSet) and cell.task.kind == "sampled" and parts:
            n_prompts += sum(len(part.items) for part in parts)
            models.add(cell.model.spec.name)
    if not n_prompts:
        return None
    n_texts = n_prompts * settings.samples
    noun = "model" if len(models) == 1 else "models"
    return (
        f"toxicity: {settings.samples} continuations of {n_prompts:,} prompts over {len(models)} {noun}, "
        f"{n_texts:,} texts of up to {settings.max_new_tokens} tokens ({n_texts * settings.max_new_tokens:,} in all)"
    )
