"""A classifier over n-grams that was fitted on labelled texts, by `mplus-eval toxicity fit-scorer`: `ngram:DIRECTORY`.

It needs no download and no scikit-learn; only fitting does (`fit_ngrams`). What it says is the probability that a text
of the kind it was fitted on is labelled toxic. A text of nothing but whitespace scores 0; one that holds no n-gram it
knows, as in another script, has no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mplus_eval.harmlessness.scorers.base import TOXICITY, faults_of_loading
from mplus_eval.harmlessness.scorers.ngram_files import read_scorer
from mplus_eval.harmlessness.scorers.ngram_model import NgramModel
from mplus_eval.store.hashes import hash_components

NAME = "ngram"
_REVISION = "1"
"""Grows when the same arrays would give other scores."""


@dataclass(frozen=True)
class NgramScorer:
    """Scores texts by their n-grams."""

    name: str
    fingerprint: str
    model: NgramModel
    labels: tuple[str, ...] = (TOXICITY,)
    device: str = "cpu"

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Scores [n, 1], 0 to 1; NaN of a text in which nothing is known."""
        says_nothing = np.array([not text.strip() for text in texts], dtype=bool)
        return np.where(says_nothing, 0.0, self.model.probabilities(texts))[:, None]


def faults(source: str) -> list[str]:
    """Return what is wrong with a directory, in one line."""
    return faults_of_loading(load, source)


def load(source: str, device: str | None = None) -> NgramScorer:
    """The scorer of `ngram:DIRECTORY`.

    Args:
        source: as it was asked for.
        device: without effect; the processor looks n-grams up.

    Raises:
        UsageError: when the directory holds no scorer, or a damaged one.
    """
    directory = Path(source.removeprefix(f"{NAME}:")).expanduser()
    model, fitted = read_scorer(directory, f"scorer {source!r}")
    parts = {"kind": NAME, "revision": _REVISION, "options": fitted.options.model_dump_json(), **fitted.files}
    return NgramScorer(source, hash_components(parts), model)
