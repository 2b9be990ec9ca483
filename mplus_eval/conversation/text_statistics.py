"""What can be said of a model's answers without a judge: how long, whether they end, whether they repeat themselves.

Direct RLHF is known to fail by answers that go on to the length limit and never end their turn. Means over answers hide
that; the two rates at which turns end and at which answers are cut off show it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median

from mplus_eval.conversation.stock_answer import most_frequent_answer
from mplus_eval.records.conversation import AnswerText
from mplus_eval.store.outcomes import Answer

REPEATED_WORDS = 4


def text_statistics(answers: Sequence[Answer]) -> AnswerText:
    """Describe a model's answers: each figure over those for which it is known, None where that is none.

    Repetition is the mean over answers of the share of 4-word sequences that stood in the answer before. What did not
    end by itself was cut off at the length limit.
    """
    given = [(answer, answer.text) for answer in answers if answer.text is not None]
    cut = [answer.n_truncated for answer, _ in given if answer.n_truncated is not None]
    words = [count_words(text) for _, text in given]
    return AnswerText(
        n_answers=len(given),
        n_failed=len(answers) - len(given),
        most_frequent=most_frequent_answer(answers),
        mean_words=_mean(words),
        median_words=float(median(words)) if words else None,
        mean_tokens=_mean([answer.n_tokens for answer, _ in given]),
        end_of_turn_rate=_mean([answer.ended for answer, _ in given]),
        truncation_rate=_mean([None if answer.ended is None else not answer.ended for answer, _ in given]),
        empty_rate=_mean([n == 0 for n in words]),
        repetition=_mean([repetition(text) for _, text in given]),
        ran_on_rate=_mean([answer.ran_on for answer, _ in given]),
        n_cut=sum(n > 0 for n in cut) if cut else None,
    )


def count_words(text: str) -> int:
    """Count what white space parts.

    >>> count_words("How are you?")
    3
    """
    return len(text.split())


def repetition(text: str, n: int = REPEATED_WORDS) -> float:
    """Share of n-word sequences that stood in the text before (Welleck et al., arXiv 1908.04319, seq-rep-n).

    >>> repetition("a b a b a", n=2)
    0.5
    """
    words = text.lower().split()
    sequences = Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))
    total = sequences.total()
    return 1.0 - len(sequences) / total if total else 0.0


def _mean(values: Sequence[float | None]) -> float | None:
    present = [float(value) for value in values if value is not None]
    return fmean(present) if present else None
