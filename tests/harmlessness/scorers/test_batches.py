from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers import detoxify
from mplus_eval.harmlessness.scorers.base import Encoded
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.harmlessness.scorers.words import WordScorer


@dataclass
class CountingScorer:
    """Scores a text by its number of characters, a token each, and notes every batch; some texts break it."""

    batch_tokens: int = 12
    most_rows: int = 1000
    bad: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    error: Exception = field(default_factory=lambda: RuntimeError("broken"))
    batches: list[list[int]] = field(default_factory=list)
    name: str = "counting"
    fingerprint: str = "0"
    labels: tuple[str, ...] = ("toxicity", "other")
    device: str = "cpu"

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        if any(text in self.unreadable for text in texts):
            raise TypeError("unreadable")
        return [{"input_ids": [ord(letter) for letter in text]} for text in texts]

    def score_encoded(self, rows: Sequence[Encoded]) -> NDArray[np.float64]:
        lengths = [len(row["input_ids"]) for row in rows]
        self.batches.append(lengths)
        if len(rows) > self.most_rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if any("".join(map(chr, row["input_ids"])) in self.bad for row in rows):
            raise self.error
        return np.array([[length / 100, 0.5] for length in lengths])

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return self.score_encoded(self.encode(texts))


def test_scores_come_in_the_order_of_the_texts_and_duplicates_are_scored_once() -> None:
    scorer = CountingScorer()
    scores = score_texts(scorer, ["aa", "bbbb", "aa", "c", "bbbb"])
    np.testing.assert_array_equal(scores[:, 0], [0.02, 0.04, 0.02, 0.01, 0.04])
    assert scorer.batches == [[4, 2, 1]]


def test_a_batch_is_of_like_length_the_longest_first_and_holds_so_many_tokens_with_padding() -> None:
    scorer = CountingScorer(batch_tokens=12)
    score_texts(scorer, ["a", "b" * 6, "c" * 5, "d" * 30, "ee", "ff", "g"])
    assert scorer.batches == [[30], [6, 5], [2, 2, 1, 1]]


def test_a_failing_batch_is_scored_text_by_text_and_only_the_failing_text_is_missing() -> None:
    scores = score_texts(CountingScorer(bad=("bb",)), ["aaa", "bb", "c", "bb"])
    np.testing.assert_array_equal(scores[:, 0], [0.03, np.nan, 0.01, np.nan])
    assert np.isnan(scores[1]).all()


def test_a_text_that_cannot_be_encoded_is_missing_and_the_others_are_not() -> None:
    scores = score_texts(CountingScorer(unreadable=("bb",)), ["aaa", "bb", "c"])
    np.testing.assert_array_equal(scores[:, 0], [0.03, np.nan, 0.01])


def test_out_of_memory_halves_this_batch_and_those_that_follow() -> None:
    scorer = CountingScorer(batch_tokens=8, most_rows=2)
    scores = score_texts(scorer, ["aa", "bb", "cc", "dd", "ee", "ff"])
    assert [len(batch) for batch in scorer.batches] == [4, 2, 2, 2]
    assert not np.isnan(scores).any()


def test_a_single_text_that_takes_too_much_memory_is_missing() -> None:
    assert np.isnan(score_texts(CountingScorer(most_rows=0), ["aa", "b"])).all()


def test_wrong_usage_is_not_taken_for_a_failing_text() -> None:
    with pytest.raises(UsageError, match="weights"):
        score_texts(CountingScorer(bad=("a",), error=UsageError("no weights")), ["a"])


def test_no_texts_give_no_rows() -> None:
    assert score_texts(CountingScorer(), []).shape == (0, 2)


def test_a_scorer_that_counts_no_tokens_is_given_texts_as_they_are() -> None:
    scores = score_texts(WordScorer("w", {"fool": 0.5}), ["fool", "friend"] * 300)
    np.testing.assert_array_equal(scores[:, 0], [0.5, 0.0] * 300)


def test_scores_of_a_classifier_are_those_of_each_text_alone(checkpoint: Path) -> None:
    scorer = detoxify.load(f"detoxify:{checkpoint}", "cpu")
    texts = ["you are a dunce", "kind", "", "very " * 80, "thank the friend of mine"] * 3
    alone = np.concatenate([scorer.score([text]) for text in texts])
    np.testing.assert_allclose(score_texts(scorer, texts), alone, atol=1e-5)


def test_half_a_character_is_a_missing_value_of_a_classifier(checkpoint: Path) -> None:
    scores = score_texts(detoxify.load(f"detoxify:{checkpoint}", "cpu"), ["kind", "\ud800", "mine"])
    assert np.isnan(scores[:, 0]).tolist() == [False, True, False]
