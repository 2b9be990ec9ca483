"""What is stored of conversation turned into its part of the comparison: statistics, and no model or judge in sight."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mplus_eval.conversation.agreement import cohens_kappa
from mplus_eval.conversation.bradley_terry import pairs_of, ratings
from mplus_eval.conversation.grading import conclude_grades, read_grades
from mplus_eval.conversation.items import DialogueSet
from mplus_eval.conversation.measures import ConversationMeasures, measure
from mplus_eval.conversation.pairwise import read_judgements
from mplus_eval.conversation.text_statistics import AnswerText as Answer
from mplus_eval.conversation.text_statistics import text_statistics
from mplus_eval.conversation.win_rate import Proportion, WinRate
from mplus_eval.records.conversation import (
    AnswerText,
    BaselineConversation,
    Bias,
    Conversation,
    Grades,
    JudgeAgreement,
    Judging,
    LengthControl,
    ModelConversation,
    ModelRating,
    Rate,
    WinRecord,
)
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.spec.judges import judge_kind
from mplus_eval.statistics.contrast import rng_for
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd

ORDER_DECIDES = "the order of the answers decides more than half of the judge's verdicts"
MOST_UNJUDGED = 0.1
"""Share of pairs without a verdict above which a verdict on the model is withheld."""


def conclude_conversation(
    directory: RunDirectory,
    *,
    name: str,
    settings: ConversationSettings,
    dialogues: DialogueSet,
    judges: Mapping[str, str],
    judge_sources: Sequence[str],
    baseline: str,
    models: Sequence[str],
    level: float,
    seed: int,
    missing: Mapping[str, str],
) -> Conversation:
    """Turn stored judgements into figures.

    Args:
        directory: where answers and judgements lie.
        name: of the dialogues, on disk.
        settings: how they were asked.
        dialogues: the set.
        judges: fingerprints by name, in the order of their numbers.
        judge_sources: how they were named.
        baseline: one of the models.
        models: in the order of the report.
        level: of tests and intervals.
        seed: of permutations and resampling.
        missing: why a model has no answers.
    """
    graders = [judge for judge, source in zip(judges, judge_sources, strict=False) if judge_kind(source).grades]
    grader = graders[0] if graders and settings.grades else None
    run = _Conclusion(directory, name, judges, baseline, models, settings.margin, level, seed, grader)
    return Conversation(
        name=name,
        dialogues=dialogues.source,
        n_dialogues=len(dialogues.dialogues),
        n_turns=dialogues.n_turns,
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        margin=settings.margin,
        grades=settings.grades,
        split=settings.split,
        judge_sources=tuple(judge_sources),
        judges=dict(judges),
        baseline=BaselineConversation(
            chat_format=run.chat_format(baseline), text=run.text(baseline), grades=run.grades(baseline)
        ),
        models={model: run.model(model) for model in models if model != baseline and run.has(model)},
        missing=dict(missing),
    )


@dataclass(frozen=True, eq=False)
class _Conclusion:
    directory: RunDirectory
    name: str
    judges: Mapping[str, str]
    baseline: str
    models: Sequence[str]
    margin: float
    level: float
    seed: int
    grader: str | None = None
    """Who graded single answers; None where nobody did."""

    @cached_property
    def tables(self) -> list[pd.DataFrame]:
        """The judgements of each judge, of all models together."""
        import pandas as pd

        found = []
        for number, judge in enumerate(self.judges, start=1):
            rows = [
                {**vars(turn), "model": model}
                for model in self.models
                for turn in read_judgements(
                    self.directory, number, model, (self.baseline, self.name), self.judges[judge]
                )
            ]
            # On disk the two orders are told from the models' places in the pair.
            found.append(pd.DataFrame(rows).rename(columns={"in_order": "model_first", "swapped": "baseline_first"}))
        return found

    @cached_property
    def measures(self) -> list[dict[str, ConversationMeasures]]:
        """Of each judge, by model."""
        return [
            measure(table, margin=self.margin, level=self.level, seed=self.seed) if len(table) else {}
            for table in self.tables
        ]

    @cached_property
    def ratings(self) -> list[dict[str, ModelRating]]:
        """Of each judge, by model; with two models and the baseline at least."""
        found = []
        for table in self.tables:
            rated = {}
            if len(table) and table["model"].nunique() > 1:
                pairs = pairs_of(table, self.baseline)
                generator = rng_for(self.seed, "ratings", self.baseline)
                rated = {one.model: _rating(one) for one in ratings(pairs, self.baseline, generator, level=self.level)}
            found.append(rated)
        return found

    def has(self, model: str) -> bool:
        return bool(self.measures) and model in self.measures[0]

    def model(self, model: str) -> ModelConversation:
        second = self._judging(model, 1) if len(self.judges) > 1 and model in self.measures[1] else None
        return ModelConversation(
            **dict(self._judging(model, 0)),
            chat_format=self.chat_format(model),
            text=self.text(model),
            grades=self.grades(model),
            second_judge=second,
            agreement=self._agreement(model) if second else None,
        )

    def _judging(self, model: str, judge: int) -> Judging:
        found, rows = self.measures[judge][model], self._rows(model, judge)
        test, reasons = found.test, _reasons(found)
        unjudged = rows[rows["preference"].isna()]
        return Judging(
            judge=list(self.judges)[judge],
            win_rate=_wins(found.overall),
            length_controlled_win_rate=_length_control(found.length_controlled),
            explained_by_length=found.explained_by_length,
            p_value=test.p_value if test else None,
            p_non_inferiority=test.p_non_inferiority if test else None,
            smallest_detectable=test.smallest_detectable if test else None,
            smallest_provable=test.smallest_provable if test else None,
            verdict=(Verdict.NOT_COMPARABLE if reasons else test.verdict) if test else None,
            reasons=reasons,
            by_category={name: _wins(one) for name, one in found.by_category.items()},
            by_turn={str(turn): _wins(one) for turn, one in found.by_turn.items()},
            bias=_bias(found),
            rating=self.ratings[judge].get(model),
            unjudged=dict(Counter(str(cause) for cause in unjudged["cause"])),
            tokens_in=int(rows["tokens_in"].fillna(0).sum()),
            tokens_out=int(rows["tokens_out"].fillna(0).sum()),
        )

    def _rows(self, model: str, judge: int) -> pd.DataFrame:
        table = self.tables[judge]
        return table[table["model"] == model]

    def _agreement(self, model: str) -> JudgeAgreement:
        both = self._rows(model, 0).merge(self._rows(model, 1), on=["item_id", "turn"], suffixes=("", "_second"))
        found = cohens_kappa(both["preference"], both["preference_second"], both["item_id"].tolist(), self.level)
        return JudgeAgreement.model_validate(asdict(found))

    def grades(self, model: str) -> Grades | None:
        """Those of the judge that graded; kept from another judge they would not be this run's."""
        return (
            conclude_grades(list(read_grades(self.directory, model, self.name)), self.grader, self.level)
            if self.grader
            else None
        )

    def chat_format(self, model: str) -> str:
        stored = self.directory.answered(model, self.name, 0)
        return stored.components.get("chat format", "") if stored else ""

    def text(self, model: str) -> AnswerText:
        answers = [
            Answer(each.text, each.n_tokens, each.ended, None if each.ended is None else not each.ended)
            for each in self.directory.read_answers(model, self.name)
        ]
        return AnswerText.model_validate(asdict(text_statistics(answers)))


def _reasons(found: ConversationMeasures) -> tuple[str, ...]:
    """Why a verdict cannot be believed."""
    reasons = [ORDER_DECIDES] if found.bias.order_decides else []
    n_pairs = found.overall.n_judged + found.overall.n_unjudged
    if found.overall.n_unjudged > MOST_UNJUDGED * n_pairs:
        share = 100 * found.overall.n_unjudged / n_pairs
        reasons.append(f"{share:.0f} % of pairs have no verdict, more than {100 * MOST_UNJUDGED:.0f} %")
    return tuple(reasons)


def _wins(found: WinRate) -> WinRecord:
    return WinRecord(
        value=found.value,
        ci=found.ci,
        wins=found.n_wins,
        ties=found.n_ties,
        losses=found.n_losses,
        n_judged=found.n_judged,
        n_unjudged=found.n_unjudged,
        n_dialogues=found.n_dialogues,
    )


def _length_control(found: Any) -> LengthControl:
    return LengthControl(
        value=found.value,
        ci=found.ci,
        length_effect=found.length_effect,
        separated=found.separated,
        extrapolated=found.extrapolated,
        withheld=found.withheld,
    )


def _bias(found: ConversationMeasures) -> Bias:
    return Bias(
        order_inconsistency=_rate(found.bias.order_inconsistency),
        first_preferred=_rate(found.bias.first_preferred),
        longer_preferred=_rate(found.bias.longer_preferred),
        order_decides=found.bias.order_decides,
    )


def _rate(found: Proportion) -> Rate:
    return Rate(value=found.value, ci=found.ci, n=found.n)


def _rating(found: Any) -> ModelRating:
    low, high = found.ci or (math.nan, math.nan)
    ends = tuple(end if math.isfinite(end) else None for end in (low, high))
    return ModelRating(
        value=found.value, ci=(ends[0], ends[1]) if found.ci else None, n_pairs=found.n_pairs, unbounded=found.unbounded
    )
