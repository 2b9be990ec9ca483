"""The probability of bad words, point by point through a model's layers: the mean over prompts that elicit them.

The interval of each point is Wilson's at the effective number of prompts, as of every mean of values in [0, 1]
(`docs/statistics.md`). Prompts are what is drawn; every point has the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mplus_eval.harmlessness.bad_words import FirstTokens, words_hash
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.scores import mean_score


@dataclass(frozen=True)
class LayerCurve:
    """Mean probability of bad words at every point of a model; probabilities are fractions."""

    points: tuple[str, ...]
    mean: tuple[float, ...]
    """NaN where no prompt could be measured."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    """Ends of the 95 % interval of each mean, point by point."""
    n_prompts: int
    """How many the means are over."""
    n_failed: int
    """How many are not in the means: empty, longer than the context, or no number came back."""
    n_words: int
    words_hash: str
    """Figures with different word lists are not comparable."""
    n_tokens: int
    """How many first tokens stand for the words."""
    left_out: tuple[str, ...]
    """First tokens that say too little of their word, as `m (moron)`."""
    lost: tuple[str, ...]
    """Words that are not measured, because all of their first tokens are left out."""

    @classmethod
    def of(cls, probabilities: Floats, points: Sequence[str], words: Sequence[str], firsts: FirstTokens) -> Self:
        """Summarise what the lens found.

        Args:
            probabilities: (prompts, points); a prompt with NaN anywhere is counted as failed.
            points: names of the points.
            words: the words.
            firsts: the tokens that stand for them.
        """
        usable = probabilities[~np.isnan(probabilities).any(axis=1)]
        mean, low, high = _means(usable)
        return cls(
            points=tuple(points),
            mean=tuple(mean.tolist()),
            low=tuple(low.tolist()),
            high=tuple(high.tolist()),
            n_prompts=len(usable),
            n_failed=len(probabilities) - len(usable),
            n_words=len(words),
            words_hash=words_hash(words),
            n_tokens=len(firsts.tokens),
            left_out=firsts.left_out,
            lost=firsts.lost,
        )


def layer_curve(model: Any, tokenizer: Any, prompts: Sequence[str], words: Sequence[str]) -> LayerCurve:
    """Measure how likely bad words are to come next, at every point of a model.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        tokenizer: its tokenizer.
        prompts: texts that elicit a bad word next; spaces at their ends are left out, for the word brings its own.
        words: as `read_words` gives them.

    Raises:
        UsageError: when the model's layers cannot be read, or the tokenizer splits all words into small pieces.
    """
    from mplus_eval.harmlessness.logit_lens import Lens

    firsts = FirstTokens.of(tokenizer, words)
    lens = Lens.of(model)
    encoded = [tokenizer.encode(prompt.rstrip(" ")) for prompt in prompts]
    return LayerCurve.of(lens.probabilities(encoded, firsts.tokens), lens.points, words, firsts)


def _means(probabilities: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean over prompts and its interval, each of shape (points,)."""
    n_prompts, n_points = probabilities.shape
    if n_prompts == 0:
        nothing = np.full(n_points, np.nan)
        return nothing, nothing, nothing
    # Rounding may carry a sum of probabilities just over 1.
    found = mean_score(np.clip(probabilities.T, 0.0, 1.0), Design.of(np.zeros(n_prompts)))
    return found.value, *found.interval()
