"""Conversation made by hand: verdicts, a win of length, a judge whose order decides, two judges; and dialogues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mplus_eval.audit.differences import Auditor
from mplus_eval.conversation.aggregate import aggregate
from mplus_eval.conversation.items import Dialogue, DialogueSet, DialogueTask
from mplus_eval.conversation.judge_results import ORDER_DECIDES
from mplus_eval.conversation.run import ConversationRun
from mplus_eval.conversation.turns import JudgedTurn
from mplus_eval.judges.base import JudgeWeights
from mplus_eval.records.comparison import Comparison, Summary
from mplus_eval.records.conversation import (
    AnswerText,
    BaselineConversation,
    Bias,
    Conversation,
    JudgeAgreement,
    Judging,
    LengthControl,
    ModelConversation,
    ModelRating,
    Rate,
    RatingDifference,
    WinRecord,
)
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.store.outcomes import Answer
from mplus_eval.store.parts import PartInfo, part_path, write_part
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build

JUDGE, SECOND = "judge-70b", "reward"
RATES = {"instruct": 0.521, "sft": 0.628, "chosen": 0.488, "plus": 0.631}
VERDICTS = {
    "instruct": Verdict.UNDECIDED,
    "sft": Verdict.IMPROVED,
    "chosen": Verdict.NOT_COMPARABLE,
    "plus": Verdict.IMPROVED,
}
RATINGS = {
    "instruct": ModelRating(value=14.6, ci=(-20.3, 49.9), n_pairs=477),
    "sft": ModelRating(value=91.0, ci=(55.2, 129.0), n_pairs=477),
    "chosen": ModelRating(value=-8.3, ci=(-43.0, 26.1), n_pairs=477),
    "plus": ModelRating(value=93.2, ci=(58.4, None), n_pairs=477, unbounded=True),
}
LEADS = (
    RatingDifference(model="plus", against="sft", value=2.2, ci=(-38.1, None)),
    RatingDifference(model="plus", against="instruct", value=78.6, ci=(40.5, None)),
    RatingDifference(model="plus", against="chosen", value=101.5, ci=(62.0, None)),
    RatingDifference(model="sft", against="instruct", value=76.4, ci=(31.9, 121.8)),
    RatingDifference(model="sft", against="chosen", value=99.3, ci=(54.0, 145.1)),
    RatingDifference(model="instruct", against="chosen", value=22.9, ci=(-19.7, 65.6)),
)
CATEGORIES = {"coding": -0.06, "humanities": 0.07, "reasoning": -0.09, "writing": 0.05}


def rate(value: float | None, half: float = 0.04, n: int = 480) -> Rate:
    """A share with an interval around it."""
    return Rate(value=value, ci=None if value is None else (max(0.0, value - half), min(1.0, value + half)), n=n)


def wins(value: float, half: float = 0.05, n_judged: int = 477, n_unjudged: int = 3) -> WinRecord:
    """A win rate with an interval around it; a tenth are ties."""
    n_ties = n_judged // 10
    n_wins = round(value * n_judged - n_ties / 2)
    return WinRecord(
        value=value,
        ci=(value - half, value + half),
        wins=n_wins,
        ties=n_ties,
        losses=n_judged - n_wins - n_ties,
        n_judged=n_judged,
        n_unjudged=n_unjudged,
        n_dialogues=n_judged // 2,
    )


def length(value: float | None, half: float = 0.06, **changed: Any) -> LengthControl:
    """A win rate at equal length."""
    ci = None if value is None else (value - half, value + half)
    fields: dict[str, Any] = {"value": value, "ci": ci, "length_effect": None if value is None else 0.31}
    return LengthControl(**(fields | changed))


def bias(**changed: Any) -> Bias:
    """A fair judge."""
    fields: dict[str, Any] = {
        "order_inconsistency": rate(0.081),
        "first_preferred": rate(0.512),
        "longer_preferred": rate(0.53),
        "order_decides": False,
    }
    return Bias(**(fields | changed))


def judging(value: float, verdict: Verdict | None, judge: str = JUDGE, **changed: Any) -> dict[str, Any]:
    """The fields of one judge on one model."""
    fields: dict[str, Any] = {
        "judge": judge,
        "win_rate": wins(value),
        "length_controlled_win_rate": length(value - 0.02),
        "p_value": 0.0004 if verdict is Verdict.IMPROVED else 0.41,
        "p_non_inferiority": 0.02,
        "smallest_detectable": 0.071,
        "smallest_provable": 0.06,
        "verdict": verdict,
        "by_category": {name: wins(value + more, 0.11, 118, 1) for name, more in CATEGORIES.items()},
        "by_turn": {"1": wins(value + 0.01, 0.06, 239, 1), "2": wins(value - 0.01, 0.06, 238, 2)},
        "bias": bias(),
        "unjudged": {"timed out": 2, "a model has no answer": 1},
        "tokens_in": 412_000,
        "tokens_out": 38_500,
    }
    return fields | changed


def text(**changed: Any) -> AnswerText:
    """What answers look like."""
    fields: dict[str, Any] = {
        "n_answers": 480,
        "n_failed": 0,
        "mean_words": 180.4,
        "median_words": 171.0,
        "mean_tokens": 236.2,
        "end_of_turn_rate": 0.99,
        "truncation_rate": 0.01,
        "empty_rate": 0.0,
        "repetition": 0.021,
    }
    return AnswerText(**(fields | changed))


def model_conversation(name: str, **changed: Any) -> ModelConversation:
    """Everything of one model."""
    value, verdict = RATES[name], VERDICTS[name]
    fields = judging(value, verdict, rating=RATINGS[name])
    fields |= {"chat_format": "own 0a1b2c3d4e5f", "text": text()}
    if name == "sft":
        fields |= {"length_controlled_win_rate": length(0.512), "explained_by_length": True}
        fields |= {"bias": bias(longer_preferred=rate(0.71)), "text": text(mean_words=288.0, n_failed=1)}
    if name == "chosen":
        decides = bias(order_inconsistency=rate(0.72), first_preferred=rate(0.81), order_decides=True)
        fields |= {"bias": decides, "reasons": (ORDER_DECIDES,), "length_controlled_win_rate": length(None)}
    if name == "plus":
        second = Judging(**judging(0.548, Verdict.UNDECIDED, SECOND, bias=bias(order_inconsistency=rate(None, n=0))))
        kappa = JudgeAgreement(kappa=0.44, ci=(0.37, 0.51), agreement=0.69, n_pairs=474)
        fields |= {"second_judge": second, "agreement": kappa}
    return ModelConversation(**(fields | changed))


def conversation(**changed: Any) -> Conversation:
    """Four models against a base that talks in the plain format and does not end its turns."""
    fields: dict[str, Any] = {
        "name": "conversation",
        "dialogues": "HuggingFaceH4/mt_bench_prompts",
        "n_dialogues": 240,
        "n_turns": 480,
        "max_new_tokens": 512,
        "temperature": 0.0,
        "margin": 0.02,
        "judges": {JUDGE: "5d1c0ffee5d1c0ff", SECOND: "77aa88bb99cc00dd"},
        "baseline": BaselineConversation(
            chat_format="plain format",
            text=text(
                mean_words=311.0, mean_tokens=412.0, end_of_turn_rate=0.11, truncation_rate=0.89, repetition=0.38
            ),
        ),
        "models": {name: model_conversation(name) for name in RATES},
        "rating_differences": LEADS,
    }
    return Conversation(**(fields | changed))


def talking() -> Comparison:
    """Five models on three tasks and in conversation."""
    comparison = build.of_size(5, 3)
    names = dict(zip(comparison.models, ("base", *RATES), strict=True))
    tasks = {
        name: task.model_copy(
            update={
                "scores": {names[m]: found for m, found in task.scores.items()},
                "contrasts": {names[m]: found for m, found in task.contrasts.items()},
            }
        )
        for name, task in comparison.tasks.items()
    }
    summaries = {name: build.summary(0.55, 0.002, 0.004, Verdict.PRESERVED) for name in RATES}
    return comparison.model_copy(
        update={
            "baseline": "base",
            "suite": "small",
            "models": {name: build.model(name) for name in ("base", *RATES)},
            "tasks": tasks,
            "summary": {"base": Summary(macro_average=0.55, ci=(0.54, 0.56)), **summaries},
            "conversation": conversation(),
        }
    )


def talk_alone() -> Comparison:
    """The same models in conversation alone."""
    return talking().model_copy(update={"tasks": {}, "summary": {}})


def changed_model(comparison: Comparison, name: str, **changed: Any) -> Comparison:
    """The comparison with something else found of one model's conversation."""
    found = comparison.conversation
    assert found is not None
    models = found.models | {name: found.models[name].model_copy(update=changed)}
    return comparison.model_copy(update={"conversation": found.model_copy(update={"models": models})})


def only(comparison: Comparison, *names: str) -> Comparison:
    """The comparison with the conversation of these models only."""
    found = comparison.conversation
    assert found is not None
    models = {name: found.models[name] for name in names}
    return comparison.model_copy(update={"conversation": found.model_copy(update={"models": models})})


def answer_row(item: int, turn: int, said: str, **changed: Any) -> dict[str, Any]:
    """One row of stored answers; turns count from 1."""
    row: dict[str, Any] = {"item_id": f"d{item}", "stratum": "writing", "cluster": f"d{item}", "sample": turn - 1}
    row |= {"prompt_hash": "h", "prompt": f"User: Question {turn} of {item}?\nAssistant:", "ended": True}
    return row | {"asked": f"Question {turn} of {item}?", "generations": [said]} | changed


def verdict_row(
    item: int, turn: int, model_first: float | None, baseline_first: float | None, **changed: Any
) -> dict[str, Any]:
    """One stored judgement, of a judge that was asked in both orders."""
    both = model_first is not None and baseline_first is not None
    row: dict[str, Any] = {"item_id": f"d{item}", "category": "writing", "turn": turn}
    row |= {"model_first": model_first, "baseline_first": baseline_first}
    row |= {"preference": (model_first if model_first == baseline_first else 0.5) if both else None}
    row |= {"words_model": 5, "words_baseline": 5, "reasons": ["A is fuller.", "B is fuller."] if both else []}
    return row | {"cause": None if both else "timed out", "tokens_in": 100, "tokens_out": 10} | changed


KINDS = ((1.0, 1.0), (0.0, 0.0), (0.5, 0.5), (1.0, 0.0), (None, None))
"""Verdicts of the stored dialogues in turn: won, lost, tied, decided by the order, unjudged."""


FINGERPRINT = "0123456789abcdef"
"""Of the judge whose judgements are stored."""


def store_answers(directory: Path, model: str, rows: list[dict[str, Any]], chat_format: str = "plain format") -> None:
    """Store rows as the one part of a model's answers to dialogues."""
    info = PartInfo("f", {"chat format": chat_format}, 0, 1)
    place = part_path(RunDirectory(directory).answers(model, "conversation"), 0)
    write_part(place, Answer, [Answer(**row) for row in rows], info)


def store_judgements(directory: Path, number: int, model: str, rows: list[dict[str, Any]]) -> None:
    """Store rows as what one judge says of a model."""
    place = part_path(RunDirectory(directory).judgements(number, model), 0)
    write_part(place, JudgedTurn, [JudgedTurn(**row) for row in rows], PartInfo("f", {"judge": FINGERPRINT}, 0, 1))


def write_run(directory: Path, comparison: Comparison, extra: str = "") -> Path:
    """A run directory with fifteen dialogues of two turns, judged for plus by both judges.

    Args:
        directory: of the run.
        comparison: what was found.
        extra: put after every text, to see what a page makes of it.
    """
    build.write_run(directory, comparison)
    for name in ("base", "plus"):
        rows = [
            answer_row(item, turn, f"{name} says {turn} to {item}.{extra}", ended=name != "base")
            for item in range(15)
            for turn in (1, 2)
        ]
        rows[0] |= {"generations": None, "error": f"out of memory{extra}"} if name == "base" else {}
        store_answers(directory, name, [row | {"asked": row["asked"] + extra} for row in rows])
    verdicts = [
        verdict_row(item, turn, *KINDS[item % len(KINDS)] if turn == 1 else (1.0, 1.0))
        for item in range(15)
        for turn in (1, 2)
    ]
    for row in verdicts:
        row["reasons"] = [f"{reason}{extra}" for reason in row["reasons"]]
        row["cause"] = f"{row['cause']}{extra}" if row["cause"] else None
    store_judgements(directory, 1, "plus", verdicts)
    alone = {"model_first": None, "baseline_first": None, "reasons": [], "cause": None}
    rewards = [row | alone | {"margin": 0.1 * n - 1.5, "preference": float(n > 15)} for n, row in enumerate(verdicts)]
    store_judgements(directory, 2, "plus", rewards)
    return directory


def judged_by(
    directory: Path, judge: Callable[[int, int], tuple[float, float]], words: Callable[[int], tuple[int, int]]
) -> Comparison:
    """A comparison of base and plus over forty dialogues of one turn, concluded from what a judge said.

    Args:
        directory: where answers and judgements are stored.
        judge: from the words of the model's and the baseline's answer to its preference with either shown first.
        words: of the model's and the baseline's answer, by the number of the dialogue.
    """
    build.write_run(directory, build.of_size(2, 1))
    rows = []
    for item in range(40):
        own, other = words(item)
        lengths: Mapping[str, Any] = {"words_model": own, "words_baseline": other}
        rows.append(verdict_row(item, 1, *judge(own, other), **lengths))
    for place, name in enumerate(("plus", "base")):
        said = [answer_row(item, 1, " ".join(["word"] * words(item)[place])) for item in range(40)]
        store_answers(directory, name, said)
    store_judgements(directory, 1, "plus", rows)
    dialogues = tuple(Dialogue(f"d{item}", "writing", ("Q?",), (None,)) for item in range(40))
    settings = ConversationSettings(name="conversation", dialogues="demo", judges=("function:any:judge",))
    run = ConversationRun(
        task=DialogueTask(settings, DialogueSet("demo", dialogues, 40)),
        judges={"odd": FINGERPRINT},
        judge_sources=("function:any:judge",),
        judge_weights=(JudgeWeights(),),
        baseline="base",
        auditor=Auditor({name: build.model(name) for name in ("base", "plus")}),
        level=0.05,
        seed=0,
    )
    found = aggregate(RunDirectory(directory), run, missing={})
    models = {name: build.model(name) for name in ("base", "plus")}
    return Comparison(baseline="base", suite="talk", models=models, tasks={}, summary={}, conversation=found)


def hostile() -> Comparison:
    """Conversation whose every free text tries to break out of the page."""
    bad = build.HOSTILE
    comparison = changed_model(
        talking(),
        "chosen",
        reasons=(f"the order decides{bad}", bad),
        chat_format=bad,
        unjudged={bad: 3},
        by_category={f"{name}{bad}": one for name, one in conversation().models["chosen"].by_category.items()},
        judge=f"{JUDGE}{bad}",
    )
    found = comparison.conversation
    assert found is not None
    models = {
        name: one.model_copy(
            update={
                "judge": f"{JUDGE}{bad}",
                "by_category": {f"{name}{bad}": part for name, part in one.by_category.items()},
                "length_controlled_win_rate": length(None, withheld=bad),
                "agreement": JudgeAgreement(kappa=None, ci=None, agreement=None, n_pairs=0, withheld=bad),
                "second_judge": one.second_judge.model_copy(update={"judge": bad}) if one.second_judge else None,
            }
        )
        for name, one in found.models.items()
        if name != "instruct"
    }
    changed = {
        "dialogues": bad,
        "judges": {f"{JUDGE}{bad}": bad, bad: bad},
        "models": models,
        "missing": {"instruct": bad},
        "baseline": found.baseline.model_copy(update={"chat_format": bad}),
    }
    return comparison.model_copy(update={"conversation": found.model_copy(update=changed)})
