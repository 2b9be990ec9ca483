"""The table of judgements that every measure of conversation reads: one row a model, a dialogue and a turn.

item_id  category  turn  model  preference  model_first  baseline_first  words_model  words_baseline
81       writing   1     plus   1.0         1.0          1.0             212          180             a win
81       writing   2     plus   0.5         1.0          0.0             140          151             a tie by the order
82       writing   1     plus   NaN         NaN          1.0             98           101             half: unjudged
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mplus_eval.judges.base import LOSS, TIE, WIN
from mplus_eval.statistics.design import Design

if TYPE_CHECKING:
    import pandas as pd

JUDGEMENT_COLUMNS = {
    "item_id": "the dialogue; its turns are one cluster",
    "category": "the dialogue's category, a fixed stratum",
    "turn": "1 for the first turn",
    "model": "the model whose view is taken; the other side is always the baseline",
    "preference": "1 win, 0.5 tie, 0 loss; NaN unjudged",
    "model_first": "the same, of the verdict with the model's answer shown first; NaN unjudged or never asked",
    "baseline_first": "the same, of the verdict with the baseline's answer shown first; NaN unjudged or never asked",
    "words_model": "words of the model's answer",
    "words_baseline": "words of the baseline's answer",
}
"""Columns of a table of judgements and their meaning. All preferences are the model's view of its answer."""


def check_judgements(judgements: pd.DataFrame) -> None:
    """Refuse a table that measures cannot read.

    Raises:
        ValueError: a column is missing, a preference is none of 0, 0.5, 1 and NaN, or a pair stands there twice.
    """
    missing = [name for name in JUDGEMENT_COLUMNS if name not in judgements.columns]
    if missing:
        raise ValueError(f"judgements: no column {', '.join(missing)}")
    for name in ("preference", "model_first", "baseline_first"):
        values = judgements[name].to_numpy(dtype=float)
        if not np.all(np.isin(values, (LOSS, TIE, WIN)) | np.isnan(values)):
            raise ValueError(f"judgements: column {name} holds values other than 0, 0.5, 1 and NaN")
    if judgements.duplicated(["model", "item_id", "turn"]).any():
        raise ValueError("judgements: the same model, dialogue and turn stands there twice")


def design_of(judgements: pd.DataFrame) -> Design:
    """Categories as strata, dialogues as clusters."""
    return Design.of(judgements["category"].astype(str).to_numpy(), judgements["item_id"].astype(str).to_numpy())
