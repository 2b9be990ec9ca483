"""Answers of a training by the package's own generator.

A prompt is computed once for all its answers, and whoever is done leaves, where transformers' `generate` computes every
answer's prompt and goes on to the batch's longest answer.

The distribution is the same, by a draw of its own (`inference/sampling.py`): another training with the same recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import torch

from mplus_eval.inference.budget import find_budget
from mplus_eval.inference.generation import Prompt, TreeGenerator
from mplus_eval.inference.logits import without_adapter
from mplus_eval.inference.sampling import Sampling
from mplus_eval.inference.self_check import choose_tier
from mplus_eval.training.recipe import RlhfStage
from mplus_eval.training.sampling import evaluating, has_stop

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

T = TypeVar("T", bound="Trainer")


def tree_fault(model: PreTrainedModel, max_length: int) -> str | None:
    """Why the generator does not repeat what a model itself computes; None where it does.

    Args:
        model: the base, loaded.
        max_length: tokens of the longest prompt with its answer.
    """
    with evaluating(model):
        tier = choose_tier(model, max_length, find_budget(model))
    return None if tier.name == "tree" else f"tree cannot sample from this base ({tier.why}); take transformers"


def sampling_by_tree(kind: type[T], settings: RlhfStage, tokenizer: PreTrainedTokenizerBase) -> type[T]:
    """A trainer of TRL whose answers the package's own generator makes, in one process or in several with whole models.

    Seeds come from torch's random state, which checkpoints hold, so that a resumed training draws the same answers.
    """
    sampling = Sampling(temperature=settings.temperature)
    stops = settings.termination.stop_strings
    stopped = partial(has_stop, tokenizer, stop_strings=stops) if stops else None

    class SamplingByTree(kind):  # type: ignore[valid-type, misc]
        def _generate_single_turn(self, prompt_ids: Sequence[Sequence[int]], *_: object) -> list[list[int]]:
            model = self.accelerator.unwrap_model(self.model_wrapped)
            inner = without_adapter(model)
            seeds = torch.randint(2**62, (len(prompt_ids),)).tolist()
            prompts = [
                Prompt(
                    tuple(ids), settings.max_new_tokens, sampling, seed, frozenset(self.eos_token_ids), stopped=stopped
                )
                for ids, seed in zip(prompt_ids, seeds, strict=True)
            ]
            budget = find_budget(inner)
            generator = TreeGenerator(inner, budget, slots=budget.slots, cached_tokens=budget.cached)
            with evaluating(model), self.accelerator.autocast():
                return [list(tokens) for tokens in generator.generate(prompts)]

    return SamplingByTree
