"""A stock answer: one and the same text that a model gives to whatever it is asked, far more often than the baseline.

A policy that found one answer its reward likes gives it everywhere; rewards and win rates then speak of that sentence.

    share of the model's most frequent answer      − share of the baseline's most frequent answer

is a paired difference over the turns that both answered, with dialogues as clusters and categories as strata, so its
interval is the one of `statistics.paired`. Both are the largest of many shares, which are larger than they would be in
other dialogues; the difference takes that out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mplus_eval.records.conversation import FrequentAnswer, StockAnswer
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.store.outcomes import Answer

LEAST_SHARE = 0.05
"""Below this share no answer is called a stock answer."""


def most_frequent_answer(answers: Sequence[Answer]) -> FrequentAnswer | None:
    """The answer that is given most often, as it stands first; None where nothing was said.

    Silence is no answer, but counts among those of which the share is.
    """
    return _most_frequent([answer.text for answer in answers if answer.text is not None])


def stock_answer(answers: Sequence[Answer], baseline: Sequence[Answer], level: float = 0.05) -> StockAnswer | None:
    """A model's most frequent answer, where it clearly is more frequent than the baseline's; None where it is not.

    That is where its share is at least `LEAST_SHARE` and the interval of the difference lies above 0.

    Args:
        answers: the model's to every turn.
        baseline: the baseline's to the same.
        level: the interval has confidence 1 − `level`.
    """
    said = {(answer.item_id, answer.sample): answer.text for answer in baseline if answer.text is not None}
    both = [
        (answer, answer.text, said[key])
        for answer in answers
        if (key := (answer.item_id, answer.sample)) in said and answer.text is not None
    ]
    own, other = (_most_frequent(texts) for texts in ([text for _, text, _ in both], [text for _, _, text in both]))
    if own is None or own.share < LEAST_SHARE:
        return None
    is_own = np.array([normalised(text) == normalised(own.text) for _, text, _ in both], dtype=float)
    is_other = np.array([other is not None and normalised(text) == normalised(other.text) for _, _, text in both])
    design = Design.of([answer.stratum for answer, _, _ in both], [answer.item_id for answer, _, _ in both])
    low, high = (float(end) for end in paired_difference(is_own - is_other, design).interval(level))
    baseline_share = other.share if other else 0.0
    return (
        StockAnswer(text=own.text, share=own.share, baseline_share=baseline_share, ci=(low, high)) if low > 0 else None
    )


def _most_frequent(texts: Sequence[str]) -> FrequentAnswer | None:
    counts = Counter(text for text in map(normalised, texts) if text)
    if not counts:
        return None
    frequent, n = counts.most_common(1)[0]
    text = next(text for text in texts if normalised(text) == frequent)
    return FrequentAnswer(text=text, n=n, share=n / len(texts))


def normalised(text: str) -> str:
    """A text without its differences of case and white space.

    >>> normalised(" You are  Welcome.\\n")
    'you are welcome.'
    """
    return " ".join(text.casefold().split())
