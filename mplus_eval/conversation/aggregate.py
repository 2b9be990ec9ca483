"""What is stored of conversation turned into its part of the comparison: statistics, and no model or judge in sight."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mplus_eval.audit.differences import Auditor, withheld_for
from mplus_eval.audit.items import AskedItems
from mplus_eval.conversation.agreement import cohens_kappa
from mplus_eval.conversation.grading import aggregate_grades
from mplus_eval.conversation.items import DialogueTask
from mplus_eval.conversation.measures import ConversationMeasures, measure
from mplus_eval.conversation.pairwise import read_judgements
from mplus_eval.conversation.ratings import PreferencePairs, ratings
from mplus_eval.conversation.text_statistics import text_statistics
from mplus_eval.conversation.turns import GradedTurn
from mplus_eval.judges.unjudged import MOST_UNJUDGED, unjudged
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.base import Interval
from mplus_eval.records.conversation import (
    BaselineConversation,
    Conversation,
    Judging,
    ModelConversation,
    ModelRating,
    RatingDifference,
)
from mplus_eval.records.unjudged import Unjudged
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.judges import judge_kind
from mplus_eval.store.parts import read_cell
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd

ORDER_DECIDES = "the order of the answers decides more than half of the judge's verdicts"


@dataclass(frozen=True)
class ConversationRun:
    """Who is compared, by whom it was judged, and how.

    Attributes:
        task: the dialogues, and how they were put.
        judges: fingerprints by name, in the order of their numbers.
        judge_sources: how they were named.
        baseline: one of the models.
        auditor: of the models, in the order of the report.
        level: of tests and intervals.
        seed: of permutations.
    """

    task: DialogueTask
    judges: Mapping[str, str]
    judge_sources: Sequence[str]
    baseline: str
    auditor: Auditor
    level: float
    seed: int

    @property
    def models(self) -> list[str]:
        """Their names, in the order of the report."""
        return list(self.auditor.models)


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

    def rows(self, model: str) -> pd.DataFrame:
        """The judgements of one model."""
        return self.table[self.table["model"] == model]


def aggregate(directory: RunDirectory, run: ConversationRun, missing: Mapping[str, str]) -> Conversation:
    """Turn stored answers and judgements into figures.

    Args:
        directory: where they lie.
        run: who is compared, and how.
        missing: why a model has no answers.
    """
    settings, dialogues = run.task.settings, run.task.dialogues
    results = [_judge_results(directory, run, number) for number in range(1, len(run.judges) + 1)]
    models = {}
    for model in run.models:
        if model == run.baseline or not results or model not in results[0].measures:
            continue
        found, second, agreement = _asked(directory, run, model), None, None
        if len(results) > 1 and model in results[1].measures:
            second = _judging(results[1], model, found)
            first, other = (judge.rows(model) for judge in results)
            both = first.merge(other, on=["item_id", "turn"], suffixes=("", "_second"))
            preferences = both["preference"], both["preference_second"]
            agreement = cohens_kappa(*preferences, both["item_id"].tolist(), run.level)
        models[model] = ModelConversation(
            **dict(_judging(results[0], model, found)),
            **dict(_answers(directory, run, model)),
            second_judge=second,
            agreement=agreement,
        )
    return Conversation(
        name=run.task.name,
        dialogues=dialogues.source,
        n_dialogues=len(dialogues.dialogues),
        n_turns=dialogues.n_turns,
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        margin=settings.margin,
        grades=settings.grades,
        split=settings.split,
        judge_sources=tuple(run.judge_sources),
        judges=dict(run.judges),
        baseline=_answers(directory, run, run.baseline),
        models=models,
        rating_differences=results[0].differences if results else (),
        missing=dict(missing),
        unjudged=tuple(left for judge in results if (left := _unjudged(judge)) is not None),
        n_bad=dialogues.n_bad,
        bad=dialogues.bad,
    )


def _judge_results(directory: RunDirectory, run: ConversationRun, number: int) -> JudgeResults:
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
        return JudgeResults(name, table, {}, {})
    measures = measure(table, margin=run.task.settings.margin, level=run.level, seed=run.seed)
    if table["model"].nunique() < 2:
        return JudgeResults(name, table, measures, {})
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
    return JudgeResults(name, table, measures, of_models, differences)


def _known_ends(ci: Interval) -> tuple[float | None, float | None]:
    """An end without bound is none."""
    low, high = (end if math.isfinite(end) else None for end in ci)
    return low, high


def _unjudged(results: JudgeResults) -> Unjudged | None:
    """What a judge left open of all models together, where that is too much."""
    if results.table.empty:
        return None
    causes = {
        str(model): [
            None if preference == preference else str(cause)  # NaN is no preference
            for preference, cause in zip(rows["preference"].astype(float), rows["cause"], strict=True)
        ]
        for model, rows in results.table.groupby("model", sort=False)
    }
    return unjudged(results.name, causes)


def _answers(directory: RunDirectory, run: ConversationRun, model: str) -> BaselineConversation:
    """What can be said of one model's answers by themselves."""
    task = run.task.name
    part = directory.answered(model, task, 0)
    judges = zip(run.judges, run.judge_sources, strict=False)
    grader = next((judge for judge, source in judges if judge_kind(source).grades), None)
    grades = None
    # Those of the judge that graded; kept from another judge they would not be this run's.
    if grader is not None and run.task.settings.grades:
        turns = list(read_cell(directory.grades(model), GradedTurn, directory.made_of(model, task)))
        grades = aggregate_grades(turns, grader, run.level)
    return BaselineConversation(
        chat_format=part.components.get("chat format", "") if part else "",
        text=text_statistics(list(directory.read_answers(model, task))),
        grades=grades,
    )


def _asked(directory: RunDirectory, run: ConversationRun, model: str) -> tuple[AskedDifference, ...]:
    """What differs between a model and the baseline as the dialogues were put to them."""
    own, other = (AskedItems.of_answers(directory.read_answers(name, run.task.name)) for name in (model, run.baseline))
    return run.auditor.find((model, run.baseline), (own, other), generates=True, chats=True)


def _judging(results: JudgeResults, model: str, found: Sequence[AskedDifference]) -> Judging:
    """What one judge says of one model; the verdict is withheld where it cannot be believed.

    Args:
        results: of the judge.
        model: the model.
        found: what differs between it and the baseline as they were asked.
    """
    measures, rows = results.measures[model], results.rows(model)
    overall, test = measures.overall, measures.test
    reasons = [ORDER_DECIDES] if measures.bias.order_decides else []
    n_pairs = overall.n_judged + overall.n_unjudged
    if overall.n_unjudged > MOST_UNJUDGED * n_pairs:
        share = 100 * overall.n_unjudged / n_pairs
        reasons.append(f"{share:.0f} % of pairs have no verdict, more than {100 * MOST_UNJUDGED:.0f} %")
    reasons += withheld_for(found)
    return Judging(
        judge=results.name,
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
        rating=results.ratings.get(model),
        unjudged=dict(Counter(str(cause) for cause in rows.loc[rows["preference"].isna(), "cause"])),
        tokens_in=int(rows["tokens_in"].fillna(0).sum()),
        tokens_out=int(rows["tokens_out"].fillna(0).sum()),
    )
