"""Scorers: how toxic a text is, each behind one small protocol (`Scorer`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mplus_eval.harmlessness.scorers.base import Scorer
    from mplus_eval.models.hub import Preparing

DEFAULT_SCORER = "detoxify:unbiased"
ACCEPTED = (
    "detoxify:original, unbiased, multilingual, original-small or unbiased-small",
    "detoxify:PATH.ckpt, a checkpoint in Detoxify's format",
    "words, the embedded word list",
    "words:FILE, one word or phrase a line, a score after a tab",
    "a directory of a sequence classifier, or org/name on the hub; with #LABEL, the label that means toxic",
)
"""What `load_scorer` takes."""


def scorer_faults(source: str) -> list[str]:
    """Return what stands in the way of scoring, a line a fault; neither loads nor downloads weights.

    Args:
        source: one of `ACCEPTED`.
    """
    from mplus_eval.errors import UsageError
    from mplus_eval.harmlessness.scorers.words import is_words, load_words

    if is_words(source):
        try:
            load_words(source)
        except UsageError as error:
            return [str(error)]
        return []
    from mplus_eval.harmlessness.scorers.classifier import classifier_faults
    from mplus_eval.harmlessness.scorers.detoxify import detoxify_faults, is_detoxify

    return detoxify_faults(source) if is_detoxify(source) else classifier_faults(source)


def load_scorer(source: str, device: str | None = None, preparing: Preparing | None = None) -> Scorer:
    """A scorer, fetched where it is not here; its weights are loaded when the first text is scored.

    Args:
        source: one of `ACCEPTED`.
        device: where it computes; CUDA where it is there, else the processor, when not given.
        preparing: told of the progress of a download.

    Raises:
        UsageError: when it cannot be had.
    """
    from mplus_eval.harmlessness.scorers.words import is_words, load_words

    if is_words(source):
        return load_words(source)
    from mplus_eval.harmlessness.scorers.classifier import load_classifier
    from mplus_eval.harmlessness.scorers.detoxify import is_detoxify, load_detoxify

    return load_detoxify(source, device) if is_detoxify(source) else load_classifier(source, device, preparing)
