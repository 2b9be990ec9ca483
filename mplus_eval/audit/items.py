"""How the items of one cell were put to one model, and two models side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from mplus_eval.store.outcomes import Answer

ASKED_COLUMNS = (
    "prompt_hash", "token_hash", "n_truncated", "n_equal_choices", "n_spanned", "n_thinking", "unclosed", "ran_on",
)  # fmt: skip
_KEYS = ["item_id", "sample"]


@dataclass(frozen=True, eq=False)
class AskedItems:
    """The items of one model on one task as they were put: rows by item and sample.

    `rows` has the columns of `ASKED_COLUMNS` and `failed`, whether the item has no answer that could be used.
    """

    rows: pd.DataFrame

    @classmethod
    def of(cls, outcomes: pd.DataFrame) -> AskedItems:
        """Those of scored items.

        Args:
            outcomes: rows with the columns of `Outcome`; what came later than a stored part is unknown there.
        """
        rows = outcomes.reindex(columns=[*_KEYS, *ASKED_COLUMNS]).assign(failed=outcomes["score"].isna())
        return cls(rows.set_index(_KEYS))

    @classmethod
    def of_answers(cls, answers: Iterable[Answer]) -> AskedItems:
        """Those of answers that are judged, or scored by somebody whose failures are not the model's."""
        names = [*_KEYS, *ASKED_COLUMNS]
        rows = pd.DataFrame(
            [[*(getattr(answer, name) for name in names), answer.text is None] for answer in answers],
            columns=[*names, "failed"],
        )
        return cls(rows.set_index(_KEYS))

    def beside(self, other: AskedItems) -> pd.DataFrame:
        """The items of either, one row each: columns of this model as they are, of the other with `_other`.

        An item that one of them was never asked has failed there.
        """
        if self.rows.index.equals(other.rows.index) and self.rows.index.is_unique:
            return pd.concat([self.rows, other.rows.add_suffix("_other")], axis=1)
        both = self.rows.merge(other.rows, "outer", left_index=True, right_index=True, suffixes=("", "_other"))
        for column in ("failed", "failed_other"):
            both[column] = both[column].astype("boolean").fillna(value=True).astype(bool)
        return both
