"""What every scorer is: texts in, a probability for each label out; some read the prompts too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mplus_eval.errors import UsageError

TOXICITY = "toxicity"
"""The first label of every scorer, the one that the figures use."""

REFUSAL = "refusal"
"""The label of a scorer that tells whether an answer refuses what was asked for."""

Encoded = dict[str, list[int]]
"""A text as a model reads it: `input_ids`, `attention_mask` and what else its tokenizer makes, each of one length."""


class Scorer(Protocol):
    """Tells how toxic texts are."""

    @property
    def name(self) -> str:
        """As it was asked for: `detoxify:unbiased`, `words`, a directory or a model on the hub."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that can change a score: weights or words, tokenizer, labels, and what the code does."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the columns of a score mean; the first is `toxicity`."""

    @property
    def device(self) -> str:
        """Where it computes."""

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Scores [n, labels], 0 to 1; NaN where a text could not be scored."""


@runtime_checkable
class TokenScorer(Protocol):
    """A scorer whose work is counted in tokens, so that texts of like length are best scored together."""

    @property
    def batch_tokens(self) -> int:
        """Tokens of one batch, padding included, beyond which a batch is no faster."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Cut texts into tokens, as many as the model reads; none make sure that it is loaded."""

    def score_encoded(self, rows: Sequence[Encoded]) -> NDArray[np.float64]:
        """Scores [n, labels] of encoded texts, in one batch."""


@runtime_checkable
class PairScorer(Protocol):
    """A scorer that reads an answer together with what it answers, and so tells compliance from quotation."""

    def put(self, prompt: str, text: str) -> str:
        """A prompt and the answer to it as the scorer reads them: the texts of its `score` and `encode`."""


class ScorerModule(Protocol):
    """What the file of a kind of scorer holds."""

    def faults(self, source: str) -> list[str]:
        """What stands in the way of scoring, a line a fault; neither loads nor downloads weights."""

    def load(self, source: str, device: str | None = None) -> Scorer:
        """A scorer, fetched where it is not here; raises `UsageError` when it cannot be had."""


def faults_of_loading(load: Callable[[str], object], source: str) -> list[str]:
    """The fault of a scorer whose loading is as quick as a look at it."""
    try:
        load(source)
    except UsageError as error:
        return [str(error)]
    return []


def toxicity_first(names: Sequence[str], toxic: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Labels with the toxic one, named `toxicity`, at the front, and the column of each in the model's output.

    Another label that already has that name is told apart by `(as labelled)`.
    """
    columns = (toxic, *(number for number in range(len(names)) if number != toxic))
    others = [names[number] for number in columns[1:]]
    return (TOXICITY, *(f"{name} (as labelled)" if name == TOXICITY else name for name in others)), columns
