from __future__ import annotations

import pytest

from mplus_eval.harmlessness.scorers.base import toxicity_first


@pytest.mark.parametrize(
    ("names", "toxic", "labels", "columns"),
    [
        (("toxicity", "insult"), 0, ("toxicity", "insult"), (0, 1)),
        (("fine", "toxic"), 1, ("toxicity", "fine"), (1, 0)),
        (("rude", "hate", "loud"), 1, ("toxicity", "rude", "loud"), (1, 0, 2)),
        (("hate", "toxicity"), 0, ("toxicity", "toxicity (as labelled)"), (0, 1)),
    ],
)
def test_the_toxic_label_comes_first_and_the_others_keep_their_order(
    names: tuple[str, ...], toxic: int, labels: tuple[str, ...], columns: tuple[int, ...]
) -> None:
    assert toxicity_first(names, toxic) == (labels, columns)
