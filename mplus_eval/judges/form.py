"""Rules of form: what can be said of an answer without knowing what a good one would be.

    Take the bus at nine.            1.0    says something, ends its turn and its sentence, is no echo and no loop
    Take the bus at nine             0.8    the sentence does not end
    Take the bus the bus the bus     0.4    neither sentence nor turn ends, and words come again and again
                                     0.0    nothing is said

A judge by these rules knows nothing of content, and no model was trained by it:
`--judge function:mplus_eval.judges.form:form_score`.
"""

from __future__ import annotations

from collections import Counter

_MARKS = (".", "!", "?", "…", '"', "”", "'", ")", ":", "`", "。", "！", "？")
_SPEAKERS = ("user:", "human:", "assistant:")
_RUN, _TIMES = 3, 3
"""Words that come again so many times are a loop."""


def form_score(prompt: str, answer: str, ended: bool) -> float:
    """Share of five rules that an answer keeps; 0 where it says nothing.

    Args:
        prompt: the user's words.
        answer: without the end-of-turn token.
        ended: whether the model ended its turn.
    """
    answer = answer.strip()
    words = answer.lower().split()
    if not any(letter.isalnum() for letter in answer):
        return 0.0
    runs = Counter(tuple(words[first : first + _RUN]) for first in range(len(words) - _RUN + 1))
    kept = (
        ended,
        answer.endswith(_MARKS),
        max(runs.values(), default=0) < _TIMES and len(set(words)) > len(words) / 4,
        not _echoes(prompt.lower().split(), words),
        not any(speaker in answer.lower() for speaker in _SPEAKERS),
    )
    return sum(kept) / len(kept)


def _echoes(prompt: list[str], words: list[str]) -> bool:
    """Whether more than half of an answer's runs of words, or all of a shorter one, stand in the prompt."""
    length = min(_RUN, len(words))
    asked = {tuple(prompt[first : first + length]) for first in range(len(prompt) - length + 1)}
    runs = [tuple(words[first : first + length]) for first in range(len(words) - length + 1)]
    # A word or two of the question are an answer to many.
    return len(words) >= _RUN and sum(run in asked for run in runs) > len(runs) / 2
