"""What is stored of conversation turned into its part of the comparison: statistics, and no model or judge in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mplus_eval.audit.items import AskedItems
from mplus_eval.conversation.agreement import cohens_kappa
from mplus_eval.conversation.deciding import Decision, Dependence, decide
from mplus_eval.conversation.grading import aggregate_grades
from mplus_eval.conversation.judge_results import JudgeResults
from mplus_eval.conversation.run import ConversationRun
from mplus_eval.conversation.stock_answer import stock_answer
from mplus_eval.conversation.text_statistics import text_statistics
from mplus_eval.conversation.turns import GradedTurn
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.conversation import BaselineConversation, Conversation, JudgeAgreement, ModelConversation
from mplus_eval.spec.judges import judge_kind
from mplus_eval.store.parts import read_cell
from mplus_eval.store.run_directory import RunDirectory


def aggregate(directory: RunDirectory, run: ConversationRun, missing: Mapping[str, str]) -> Conversation:
    """Turn stored answers and judgements into figures.

    Args:
        directory: where they lie.
        run: who is compared, and how.
        missing: why a model has no answers.
    """
    settings, dialogues = run.task.settings, run.task.dialogues
    results = [JudgeResults.read(directory, run, number) for number in range(1, len(run.judges) + 1)]
    judged = [model for model in run.models if results and model in results[0].measures]
    models = {model: _model_conversation(directory, run, results, model) for model in judged}
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
        unjudged=tuple(left for judge in results if (left := judge.unjudged()) is not None),
        n_bad=dialogues.n_bad,
        bad=dialogues.bad,
    )


def _model_conversation(
    directory: RunDirectory, run: ConversationRun, results: Sequence[JudgeResults], model: str
) -> ModelConversation:
    """One model's figures and verdict, by the judge that decides for it and another one."""
    found, models = _asked(directory, run, model), run.auditor.models
    judged = []
    for judge, weights in zip(results, run.judge_weights, strict=True):
        if model in judge.measures:
            ties = Dependence.of(judge.name, weights, models[model], models[run.baseline])
            judged.append((judge.judging(model, found, ties), ties))
    decision = decide(judged)
    own, other = (list(directory.read_answers(name, run.task.name)) for name in (model, run.baseline))
    return ModelConversation(
        # Ratings stand on one scale for all models, so they are of one judge, whoever decides for a model.
        **{**dict(decision.judging), "rating": results[0].ratings.get(model)},
        **dict(_answers(directory, run, model)),
        verdict_alone=decision.verdict_alone,
        stock_answer=stock_answer(own, other, run.level),
        second_judge=decision.second,
        agreement=_agreement(results, decision, model, run.level),
    )


def _agreement(results: Sequence[JudgeResults], decision: Decision, model: str, level: float) -> JudgeAgreement | None:
    """How far the judge that decides and the other one agree on a model's pairs."""
    if decision.second is None:
        return None
    tables = {judge.name: judge.rows(model) for judge in results}
    first, second = tables[decision.judging.judge], tables[decision.second.judge]
    both = first.merge(second, on=["item_id", "turn"], suffixes=("", "_second"))
    return cohens_kappa(both["preference"], both["preference_second"], both["item_id"].tolist(), level)


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
