"""Many texts through one scorer: each distinct text once, texts of like length together, a failure kept to its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mplus_eval.harmlessness.scorers.base import Encoded, PairScorer, Scorer, TokenScorer

_PLAIN_BATCH = 256
"""Texts of a batch of a scorer that does not count tokens."""
_ENCODED_AT_ONCE = 2048
_FAILURES = (RuntimeError, ValueError, IndexError, TypeError, MemoryError)
"""What models and tokenizers raise over a text or a batch of them; wrong usage is none of these and stops the work."""


def score_texts(scorer: Scorer, texts: Sequence[str], prompts: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Score texts, each distinct one once.

    Texts are sorted by length, longest first, and cut into batches that hold so many tokens with their padding. A batch
    that fails is scored again in halves when memory ran out, else text by text.

    Args:
        scorer: any scorer; one that counts tokens is given batches of like length.
        texts: as they come, with duplicates.
        prompts: what each answers, for a scorer that reads it; nothing when not given.

    Returns:
        Scores [texts, labels], 0 to 1; a row of NaN where a text could not be scored.

    Raises:
        UsageError: when the scorer's weights cannot be had.
    """
    if isinstance(scorer, PairScorer):
        asked = [""] * len(texts) if prompts is None else prompts
        texts = [scorer.put(prompt, text) for prompt, text in zip(asked, texts, strict=True)]
    distinct = list(dict.fromkeys(texts))
    work = _Work(scorer, distinct, np.full((len(distinct), len(scorer.labels)), np.nan))
    for batch in work.batches():
        work.score(batch)
    place = {text: number for number, text in enumerate(distinct)}
    return work.scores[[place[text] for text in texts]]


@dataclass
class _Work:
    """Distinct texts, and the scores of those that are done."""

    scorer: Scorer
    texts: Sequence[str]
    scores: NDArray[np.float64]
    rows: dict[int, Encoded] = field(default_factory=dict)
    """Encoded texts by their numbers."""
    largest: int = _PLAIN_BATCH
    """How much one batch holds, in tokens where they are counted, else in texts; halved when memory runs out."""

    def batches(self) -> Iterator[list[int]]:
        """Numbers of texts, batch by batch; those that cannot be encoded come last, each alone."""
        if not isinstance(self.scorer, TokenScorer):
            yield from self._cut(range(len(self.texts)))
            return
        self.scorer.encode([])  # loads the weights, whose failure is not that of a text
        self.largest = self.scorer.batch_tokens
        for start in range(0, len(self.texts), _ENCODED_AT_ONCE):
            rows = _encode_each(self.scorer, self.texts[start : start + _ENCODED_AT_ONCE])
            self.rows.update((number, row) for number, row in enumerate(rows, start) if row is not None)
        yield from self._cut(sorted(self.rows, key=self._length, reverse=True))
        yield from ([number] for number in range(len(self.texts)) if number not in self.rows)

    def _cut(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """Batches of texts in this order, each as large as it may be when its turn comes."""
        start = 0
        while start < len(numbers):
            size = max(1, self.largest // self._length(numbers[start]))
            yield list(numbers[start : start + size])
            start += size

    def _length(self, number: int) -> int:
        """Of a text, in what batches are measured by."""
        return max(1, len(self.rows[number]["input_ids"])) if number in self.rows else 1

    def score(self, batch: list[int]) -> None:
        """Score a batch, and what of it fails in smaller parts."""
        try:
            if isinstance(self.scorer, TokenScorer) and batch[0] in self.rows:
                self.scores[batch] = self.scorer.score_encoded([self.rows[number] for number in batch])
            else:
                self.scores[batch] = self.scorer.score([self.texts[number] for number in batch])
            return
        except _FAILURES as error:
            if len(batch) == 1:
                return
            from accelerate.utils.memory import should_reduce_batch_size

            size = 1
            ran_out = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
            if ran_out or should_reduce_batch_size(error):
                size = len(batch) // 2
                self.largest = max(1, self.largest // 2)
        # Outside the handler, whose traceback would keep the failed batch's memory.
        for start in range(0, len(batch), size):
            self.score(batch[start : start + size])


def _encode_each(scorer: TokenScorer, texts: Sequence[str]) -> list[Encoded | None]:
    try:
        return list(scorer.encode(texts))
    except _FAILURES:
        return [None] if len(texts) == 1 else [row for text in texts for row in _encode_each(scorer, [text])]
