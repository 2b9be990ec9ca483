"""When has a judge given too few verdicts for an axis to count as judged?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mplus_eval.records.unjudged import Unjudged

MOST_UNJUDGED = 0.1
"""Share of pairs or answers without a verdict above which those that there are decide nothing."""


def unjudged(judge: str, causes: Mapping[str, Sequence[str | None]]) -> Unjudged | None:
    """What a judge left open, where that is more than `MOST_UNJUDGED` or everything of one model; None otherwise.

    Args:
        judge: its name.
        causes: by model, of everything that the judge was asked: why there is no verdict, or None where there is one.
    """
    every = [cause for of_model in causes.values() for cause in of_model]
    missing = [cause for cause in every if cause is not None]
    silent = tuple(model for model, of_model in causes.items() if of_model and None not in of_model)
    if not silent and len(missing) <= MOST_UNJUDGED * len(every):
        return None
    # What the judge said instead stands in brackets behind the cause, and is another each time.
    counts = Counter(cause.partition(" (")[0] for cause in missing)
    return Unjudged(
        judge=judge, n_asked=len(every), n_unjudged=len(missing), causes=dict(counts.most_common()), models=silent
    )
