"""Tables of judgements for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mplus_eval.conversation.judgements import JUDGEMENT_COLUMNS
from mplus_eval.judges.base import combined

NAN = float("nan")


def table(
    model_first: Sequence[float],
    baseline_first: Sequence[float] | None = None,
    *,
    dialogues: Sequence[Any] | None = None,
    words_model: Sequence[int] | None = None,
    words_baseline: Sequence[int] | None = None,
    turns: Sequence[int] | None = None,
    categories: Sequence[str] | None = None,
    model: str = "plus",
) -> pd.DataFrame:
    """One row a verdict; a judge that is not given verdicts in the other order says the same in both orders."""
    n = len(model_first)
    second = model_first if baseline_first is None else baseline_first
    columns = {
        "item_id": [str(dialogue) for dialogue in (dialogues or range(n))],
        "category": categories or ["all"] * n,
        "turn": turns or [1] * n,
        "model": [model] * n,
        "preference": [
            NAN if np.isnan(both).any() else combined(*both) for both in zip(second, model_first, strict=True)
        ],
        "model_first": list(model_first),
        "baseline_first": list(second),
        "words_model": words_model or [100] * n,
        "words_baseline": words_baseline or [100] * n,
    }
    return pd.DataFrame(columns)[list(JUDGEMENT_COLUMNS)]
