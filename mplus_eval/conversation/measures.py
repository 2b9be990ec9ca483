"""All that the judgements of one judge say of one model against the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mplus_eval.conversation.judge_bias import judge_bias
from mplus_eval.conversation.judgements import check_judgements
from mplus_eval.conversation.length_control import explained_by_length, length_controlled
from mplus_eval.conversation.win_rate import WinTest, win_rate, win_test
from mplus_eval.records.conversation import Bias, LengthControl, WinRecord
from mplus_eval.spec.conversation import MARGIN
from mplus_eval.statistics.difference import rng_for

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ConversationMeasures:
    """One model against the baseline.

    Attributes:
        overall: over all judged turns.
        by_category: the same by category, in order of the name.
        by_turn: the same by turn, the first turn first.
        test: the win rate against one half; None where nothing was judged.
        explained_by_length: whether a win is gone when both answers are equally long.
        bias: of the judge, on this model's pairs; see `order_decides` before the verdict is believed.
    """

    overall: WinRecord
    by_category: Mapping[str, WinRecord]
    by_turn: Mapping[int, WinRecord]
    test: WinTest | None
    length_controlled: LengthControl
    explained_by_length: bool
    bias: Bias


def measure(
    judgements: pd.DataFrame, *, margin: float = MARGIN, level: float = 0.05, seed: int = 0
) -> dict[str, ConversationMeasures]:
    """Measure every model of a table of judgements against the baseline.

    Args:
        judgements: as `JUDGEMENT_COLUMNS` says.
        margin: how far below one half a win rate may lie and count as preserved.
        level: intervals have confidence 1 − `level`.
        seed: of the permutations that are drawn, not counted.

    Raises:
        ValueError: the table is not one of judgements.
    """
    check_judgements(judgements)
    measures = {}
    for name, rows in judgements.groupby("model", sort=False):
        model = str(name)
        overall, controlled = win_rate(rows, level), length_controlled(rows, level)
        measures[model] = ConversationMeasures(
            overall=overall,
            by_category={str(category): win_rate(part, level) for category, part in rows.groupby("category")},
            by_turn={int(str(turn)): win_rate(part, level) for turn, part in rows.groupby("turn")},
            test=win_test(rows, rng_for(seed, "conversation", model), margin, level),
            length_controlled=controlled,
            explained_by_length=explained_by_length(overall, controlled),
            bias=judge_bias(rows, level),
        )
    return measures
