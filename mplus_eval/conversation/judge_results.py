"""What one judge says of all models of a run, from its stored judgements: figures, and the verdict of each model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from mplus_eval.audit.differences import withheld_for
from mplus_eval.conversation.deciding import Dependence
from mplus_eval.conversation.measures import ConversationMeasures, measure
from mplus_eval.conversation.pairwise import read_judgements
from mplus_eval.conversation.ratings import PreferencePairs, ratings
from mplus_eval.conversation.run import ConversationRun
from mplus_eval.judges.unjudged import MOST_UNJUDGED
from mplus_eval.judges.unjudged import unjudged as too_few_verdicts
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.base import Interval
from mplus_eval.records.conversation import Judging, ModelRating, RatingDifference
from mplus_eval.records.unjudged import Unjudged
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd

ORDER_DECIDES = "the order of the answers decides more than half of the judge's verdicts"


@dataclass(frozen=True, eq=False)
class JudgeResults:
    """What one judge says of all models.

    Attributes:
        table: its judgements, with the columns of `JUDGEMENT_COLUMNS`, `cause` and tokens.
        measures: by model.
        ratings: by model; of two models and the baseline at least.
        differences: of each two of these ratings.
    """

    name: str
    table: pd.DataFrame
    measures: Mapping[str, ConversationMeasures]
    ratings: Mapping[str, ModelRating]
    differences: tuple[RatingDifference, ...] = ()

    @classmethod
    def read(cls, directory: RunDirectory, run: ConversationRun, number: int) -> Self:
        """What the judge of that number, from 1, says of all models together."""
        import pandas as pd

        name, fingerprint = list(run.judges.items())[number - 1]
        names = (run.baseline, run.task.name)
        table = pd.DataFrame(
            [
                {**vars(turn), "model": model}
                for model in run.models
                for turn in read_judgements(directory, number, model, names, fingerprint)
            ]
        )
        if table.empty:
            return cls(name, table, {}, {})
        measures = measure(table, margin=run.task.settings.margin, level=run.level, seed=run.seed)
        if table["model"].nunique() < 2:
            return cls(name, table, measures, {})
        rated = ratings(PreferencePairs.of(table, run.baseline), run.baseline, level=run.level)
        of_models = {}
        for rating in rated.models:
            ci = _known_ends(rating.ci) if rating.ci else None
            of_models[rating.model] = ModelRating(
                value=rating.value, ci=ci, n_pairs=rating.n_pairs, unbounded=None in (ci or ())
            )
        differences = tuple(
            RatingDifference(model=each.model, against=each.against, value=each.value, ci=_known_ends(each.ci))
            for each in rated.differences
        )
        return cls(name, table, measures, of_models, differences)

    def rows(self, model: str) -> pd.DataFrame:
        """The judgements of one model."""
        return self.table[self.table["model"] == model]

    def judging(self, model: str, found: Sequence[AskedDifference], ties: Dependence) -> Judging:
        """What the judge says of one model; the verdict is withheld where it cannot be believed.

        Args:
            model: the model.
            found: what differs between it and the baseline as they were asked.
            ties: what ties the judge to either of them.
        """
        measures, rows = self.measures[model], self.rows(model)
        overall, test = measures.overall, measures.test
        reasons = [*ties.reasons, *([ORDER_DECIDES] if measures.bias.order_decides else [])]
        n_pairs = overall.n_judged + overall.n_unjudged
        if overall.n_unjudged > MOST_UNJUDGED * n_pairs:
            share = 100 * overall.n_unjudged / n_pairs
            reasons.append(f"{share:.0f} % of pairs have no verdict, more than {100 * MOST_UNJUDGED:.0f} %")
        reasons += withheld_for(found)
        return Judging(
            judge=self.name,
            trained_model=ties.trained_model,
            win_rate=overall,
            length_controlled_win_rate=measures.length_controlled,
            explained_by_length=measures.explained_by_length,
            p_value=test.p_value if test else None,
            p_non_inferiority=test.p_non_inferiority if test else None,
            smallest_detectable=test.smallest_detectable if test else None,
            smallest_provable=test.smallest_provable if test else None,
            verdict=(Verdict.NOT_COMPARABLE if reasons else test.verdict) if test else None,
            reasons=tuple(reasons),
            differences=tuple(found),
            by_category=dict(measures.by_category),
            by_turn={str(turn): record for turn, record in measures.by_turn.items()},
            bias=measures.bias,
            rating=self.ratings.get(model),
            unjudged=dict(Counter(str(cause) for cause in rows.loc[rows["preference"].isna(), "cause"])),
            tokens_in=int(rows["tokens_in"].fillna(0).sum()),
            tokens_out=int(rows["tokens_out"].fillna(0).sum()),
        )

    def unjudged(self) -> Unjudged | None:
        """What the judge left open of all models together, where that is too much."""
        if self.table.empty:
            return None
        causes = {
            str(model): [
                None if preference == preference else str(cause)  # NaN is no preference
                for preference, cause in zip(rows["preference"].astype(float), rows["cause"], strict=True)
            ]
            for model, rows in self.table.groupby("model", sort=False)
        }
        return too_few_verdicts(self.name, causes)


def _known_ends(ci: Interval) -> tuple[float | None, float | None]:
    """An end without bound is none."""
    low, high = (end if math.isfinite(end) else None for end in ci)
    return low, high
