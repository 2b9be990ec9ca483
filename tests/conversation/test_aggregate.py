from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.audit.differences import Auditor
from mplus_eval.conversation.aggregate import aggregate
from mplus_eval.conversation.items import Dialogue
from mplus_eval.conversation.pairwise import ModelPair
from mplus_eval.conversation.run import ConversationRun
from mplus_eval.conversation.turns import GradedTurn, JudgedTurn
from mplus_eval.judges.base import JudgeWeights
from mplus_eval.records.conversation import Conversation, FrequentAnswer
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.parts import PartInfo, part_path, write_part
from mplus_eval.store.run_directory import RunDirectory
from tests.conversation.stored import run_directory, store_answers, task
from tests.conversation.test_deciding import RECORD
from tests.entries import entry

LLM = "llm:judge@http://127.0.0.1:1/v1"


def judged(turn: int, preference: float | None, dialogue: Dialogue) -> JudgedTurn:
    return JudgedTurn(
        item_id=dialogue.item_id, category=dialogue.category, turn=turn + 1, preference=preference,
        model_first=preference, baseline_first=preference, words_model=3, words_baseline=3,
        cause=None if preference is not None else "timed out", tokens_in=100, tokens_out=10,
    )  # fmt: skip


class Run:
    """A base and others that answered three dialogues of five turns, judged by hand."""

    def __init__(self, path: Path, *others: str) -> None:
        self.directory = run_directory(path)
        self.models = ("base", *others)
        self.entries: dict[str, dict[str, Any]] = {}
        self.weights: list[JudgeWeights] = []
        self.fingerprints = {
            model: store_answers(self.directory, model, lambda dialogue, turn: f"answer {turn}", f"format of {model}")
            for model in self.models
        }

    def judge(self, number: int, model: str, preferences: list[float | None]) -> None:
        """Store what a judge says of the five turns, in their order."""
        pair = ModelPair(model, "base", self.fingerprints[model], self.fingerprints["base"])
        turns = [
            judged(turn, preference, dialogue)
            for (dialogue, turn), preference in zip(task().dialogues.each_turn(), preferences, strict=True)
        ]
        info = PartInfo("f", {"answers": pair.fingerprint, "judge": f"judge {number}"}, 0, 1)
        write_part(part_path(self.directory.judgements(number, model), 0), JudgedTurn, turns, info)

    def grade(self, model: str, grade: int) -> None:
        """Store one grade of every turn."""
        turns = [
            GradedTurn(item_id=dialogue.item_id, category=dialogue.category, turn=turn + 1, grade=grade)
            for dialogue, turn in task().dialogues.each_turn()
        ]
        info = PartInfo("f", {"answers": self.fingerprints[model]}, 0, 1)
        write_part(part_path(self.directory.grades(model), 0), GradedTurn, turns, info)

    def conclude(self, *sources: str, missing: Mapping[str, str] | None = None, **settings: Any) -> Conversation:
        """The part of the comparison, as the plan that asked for it reads it."""
        run = ConversationRun(
            task=task(**settings),
            judges={f"judge {number}": f"judge {number}" for number in range(1, len(sources) + 1)},
            judge_sources=sources,
            judge_weights=self.weights or [JudgeWeights()] * len(sources),
            baseline="base",
            auditor=Auditor({name: entry(**self.entries.get(name, {})) for name in self.models}),
            level=0.05,
            seed=0,
        )
        cells = {(model, "dialogues"): fingerprint for model, fingerprint in self.fingerprints.items()}
        return aggregate(RunDirectory(self.directory.path, cells), run, missing or {})


def test_what_was_asked_and_by_whom_it_was_judged_stands_in_the_record(tmp_path: Path) -> None:
    run = Run(tmp_path, "plus")
    run.judge(1, "plus", [1.0, 1.0, 0.0, 0.5, 1.0])
    found = run.conclude("human:a.csv", missing={"sft": "out of memory"}, max_new_tokens=9, temperature=0.5)
    assert (found.name, found.dialogues, found.n_dialogues, found.n_turns) == ("dialogues", "x", 3, 5)
    assert (found.max_new_tokens, found.temperature, found.margin) == (9, 0.5, 0.02)
    assert (found.judge_sources, found.judges) == (("human:a.csv",), {"judge 1": "judge 1"})
    assert found.missing == {"sft": "out of memory"}
    assert (found.baseline.chat_format, found.baseline.text.n_answers) == ("format of base", 5)


def test_a_models_verdicts_become_its_figures(tmp_path: Path) -> None:
    run = Run(tmp_path, "plus")
    run.judge(1, "plus", [1.0, 1.0, 0.0, 0.5, None])
    plus = run.conclude("reward").models["plus"]
    assert (plus.judge, plus.chat_format, plus.end_of_turn_rate) == ("judge 1", "format of plus", 1.0)
    assert (plus.win_rate.value, plus.win_rate.n_judged, plus.win_rate.n_unjudged) == (0.625, 4, 1)
    assert {name: record.value for name, record in plus.by_category.items()} == {"math": 1.0, "writing": 0.25}
    assert {turn: record.value for turn, record in plus.by_turn.items()} == {"1": 0.5, "2": 0.75}
    assert (plus.unjudged, plus.tokens_in, plus.tokens_out) == ({"timed out": 1}, 500, 50)
    assert (plus.rating, plus.grades, plus.second_judge, plus.agreement) == (None, None, None, None)


def test_a_verdict_is_withheld_where_many_pairs_have_none(tmp_path: Path) -> None:
    run = Run(tmp_path, "plus", "sft", "chosen")
    run.judge(1, "plus", [1.0] * 5)
    run.judge(1, "sft", [1.0] * 4 + [None])
    run.judge(1, "chosen", [None] * 5)
    models = run.conclude("reward").models
    assert (models["plus"].verdict, models["plus"].reasons) == (Verdict.UNDECIDED, ())
    assert models["sft"].verdict == Verdict.NOT_COMPARABLE
    assert models["sft"].reasons == ("20 % of pairs have no verdict, more than 10 %",)
    assert (models["chosen"].verdict, models["chosen"].win_rate.value) == (None, None)


def test_two_judges_have_their_own_figures_and_agree_on_what_both_judged(tmp_path: Path) -> None:
    run = Run(tmp_path, "plus")
    run.judge(1, "plus", [1.0, 1.0, 0.0, 0.5, 1.0])
    run.judge(2, "plus", [1.0, 0.0, 0.0, 0.5, None])
    plus = run.conclude("reward", "human:a.csv").models["plus"]
    assert plus.second_judge is not None
    assert (plus.second_judge.judge, plus.second_judge.win_rate.value) == ("judge 2", 0.375)
    assert plus.agreement is not None
    # Three of four are the same; by chance (2 · 1 + 1 · 1 + 1 · 2) / 16 would be.
    assert (plus.agreement.n_pairs, plus.agreement.agreement) == (4, 0.75)
    assert plus.agreement.kappa == pytest.approx((0.75 - 5 / 16) / (1 - 5 / 16))


def test_two_models_and_a_baseline_are_rated_and_an_end_without_bound_is_none(tmp_path: Path) -> None:
    run = Run(tmp_path, "plus", "sft")
    run.judge(1, "plus", [1.0] * 5)
    run.judge(1, "sft", [1.0, 0.0, 1.0, 0.0, 0.5])
    found = run.conclude("reward")
    models = found.models
    assert models["plus"].rating is not None
    assert models["plus"].rating.unbounded
    assert models["plus"].rating.ci is not None
    assert models["plus"].rating.ci[1] is None
    assert models["sft"].rating is not None
    assert models["sft"].rating.value == pytest.approx(0.0)
    (apart,) = found.rating_differences
    assert (apart.model, apart.against, apart.value) == ("plus", "sft", models["plus"].rating.value)
    assert apart.ci[1] is None


@pytest.mark.parametrize(
    ("source", "settings", "shown"),
    [(LLM, {}, True), (LLM, {"grades": False}, False), ("reward", {}, False), ("human:a.csv", {}, False)],
)
def test_grades_are_shown_where_a_judge_of_this_run_gave_them(
    tmp_path: Path, source: str, settings: dict[str, Any], shown: bool
) -> None:
    run = Run(tmp_path, "plus")
    run.judge(1, "plus", [1.0] * 5)
    run.grade("plus", 8)
    run.grade("base", 3)
    found = run.conclude(source, **settings)
    grades = [found.models["plus"].grades, found.baseline.grades]
    assert [each.mean.value if each else None for each in grades] == (
        [pytest.approx(8), pytest.approx(3)] if shown else [None, None]
    )


def test_what_another_judge_or_other_answers_left_there_is_not_read(tmp_path: Path) -> None:
    run = Run(tmp_path, "plus")
    run.judge(1, "plus", [1.0] * 5)
    run.fingerprints["plus"] = "of other answers"
    assert run.conclude("reward").models == {}
    run.judge(2, "plus", [1.0] * 5)
    assert run.conclude("reward").models == {}


def test_a_judge_that_trained_a_model_stands_second_for_it_and_decides_for_the_others(tmp_path: Path) -> None:
    run = Run(tmp_path, "plus", "sft")
    run.weights = [JudgeWeights("reward's"), JudgeWeights("referee's")]
    run.entries = {"plus": {"trained_by": ("reward's",)}}
    for model in ("plus", "sft"):
        run.judge(1, model, [1.0, 1.0, 1.0, 1.0, 0.0])
        run.judge(2, model, [1.0, 0.0, 0.0, 0.5, 0.0])
    found = run.conclude("reward", "reward:referee")
    plus, sft = (found.models[name] for name in ("plus", "sft"))
    assert (plus.judge, plus.trained_model, plus.win_rate.value) == ("judge 2", False, 0.3)
    assert plus.second_judge is not None
    assert (plus.second_judge.judge, plus.second_judge.trained_model) == ("judge 1", True)
    assert (plus.second_judge.win_rate.value, plus.second_judge.verdict) == (0.8, Verdict.NOT_COMPARABLE)
    assert (sft.judge, sft.trained_model, sft.win_rate.value) == ("judge 1", False, 0.8)
    # All ratings are the first judge's, so that they stand on one scale.
    assert plus.rating == sft.rating
    assert plus.rating is not None
    assert plus.agreement is not None
    assert (plus.agreement.n_pairs, plus.agreement.agreement) == (5, 0.4)
    # What each judge says by itself.
    assert (plus.by("judge 1"), plus.by("judge 2"), plus.by("nobody")) == (plus.second_judge, plus, None)


def test_the_only_judge_that_trained_the_model_decides_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, "plus")
    run.weights = [JudgeWeights("reward's")]
    run.entries = {"plus": {"trained_by": ("reward's",), "training": RECORD}}
    run.judge(1, "plus", [1.0] * 5)
    plus = run.conclude("reward").models["plus"]
    assert (plus.trained_model, plus.win_rate.value, plus.verdict) == (True, 1.0, Verdict.NOT_COMPARABLE)
    assert plus.reasons == ("the judge trained this model (judge 1)",)


def test_the_most_frequent_answer_of_each_model_is_told(tmp_path: Path) -> None:
    run = Run(tmp_path, "plus")
    run.judge(1, "plus", [1.0] * 5)
    found = run.conclude("reward")
    # "answer 0" to three first turns, "answer 1" to two second ones.
    for text in (found.baseline.text, found.models["plus"].text):
        assert text.most_frequent == FrequentAnswer(text="answer 0", n=3, share=0.6)
    assert found.models["plus"].stock_answer is None
