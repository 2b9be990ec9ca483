"""Tables of judgements for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mplus_eval.conversation.judgements import JUDGEMENT_COLUMNS, combine

NAN = float("nan")


def table(
    in_order: Sequence[float],
    swapped: Sequence[float] | None = None,
    *,
    dialogues: Sequence[Any] | None = None,
    words_model: Sequence[int] | None = None,
    words_baseline: Sequence[int] | None = None,
    turns: Sequence[int] | None = None,
    categories: Sequence[str] | None = None,
    model: str = "plus",
) -> pd.DataFrame:
    """One row a verdict; a judge that is not given swapped verdicts says the same in both orders."""
    n = len(in_order)
    second = in_order if swapped is None else swapped
    columns = {
        "item_id": [str(one) for one in (dialogues or range(n))],
        "category": categories or ["all"] * n,
        "turn": turns or [1] * n,
        "model": [model] * n,
        "preference": combine(in_order, second),
        "in_order": list(in_order),
        "swapped": list(second),
        "words_model": words_model or [100] * n,
        "words_baseline": words_baseline or [100] * n,
    }
    return pd.DataFrame(columns)[list(JUDGEMENT_COLUMNS)]
