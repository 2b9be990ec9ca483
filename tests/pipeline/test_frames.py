"""Comparisons as frames: a row for each thing that is said, with the figures of the records, intervals in columns."""

from __future__ import annotations

import pandas as pd
import pytest

from mplus_eval.pipeline import frames
from mplus_eval.records.comparison import Comparison, Subject, SubjectContrast
from mplus_eval.records.toxicity import RefusalContrast, ShareDifference
from mplus_eval.records.verdict import Verdict
from tests.reports import build
from tests.reports import build_conversation as talk
from tests.reports import build_toxicity as toxic


def only(frame: pd.DataFrame, **where: object) -> pd.Series:
    """The one row with these values."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    (row,) = (row for _, row in frame.iterrows())
    return row


def test_a_summary_has_a_row_a_model_with_both_intervals() -> None:
    comparison = build.full()
    found = frames.summary(comparison)
    assert list(found["model"]) == list(comparison.summary)
    row, record = only(found, model="plus"), comparison.summary["plus"]
    assert record.ci is not None
    assert record.alignment_tax_ci is not None
    assert (row.macro_average, row.low, row.high) == (record.macro_average, *record.ci)
    assert (row.alignment_tax, row.alignment_tax_low, row.alignment_tax_high) == (
        record.alignment_tax, *record.alignment_tax_ci,
    )  # fmt: skip
    assert row.verdict == record.verdict
    assert type(row.verdict) is str


def test_subjects_have_score_and_difference_side_by_side() -> None:
    comparison = build.of_size(2, 1)
    (task, entry), (base, plus) = next(iter(comparison.tasks.items())), comparison.models
    contrast = SubjectContrast(difference=-0.1, ci=(-0.2, 0.0), n_pairs=40, p_value=0.04, p_adjusted=0.08)
    subject = Subject(n_items=40, scores={base: build.score(0.6), plus: build.score(0.5)}, contrasts={plus: contrast})
    comparison = comparison.model_copy(
        update={"tasks": {task: entry.model_copy(update={"subjects": {"law": subject}})}}
    )
    found = frames.subjects(comparison)
    assert len(found) == 2
    row = only(found, task=task, subject="law", model=plus)
    assert (row.value, row.low, row.n_items, row.n_pairs) == (0.5, pytest.approx(0.488), 40, 40)
    assert (row.difference, row.difference_low, row.difference_high, row.p_adjusted) == (-0.1, -0.2, 0.0, 0.08)
    assert pd.isna(only(found, subject="law", model=base).difference)


def test_toxicity_has_sampled_sets_and_refusals_with_their_differences() -> None:
    comparison = toxic.harmless()
    part = comparison.toxicity
    assert part is not None
    name, model = next((name, model) for model, of in part.models.items() for name in of.refusals if model != "base")
    shown = RefusalContrast(
        refusals=ShareDifference(difference=-0.8, ci=(-0.9, -0.7), n_prompts=50), over_refusals=None
    )
    pair = part.models[model].refusals[name].model_copy(update={"contrast": shown})
    of_model = part.models[model].model_copy(update={"refusals": {name: pair}})
    part = part.model_copy(update={"models": {**part.models, model: of_model}})
    found = frames.toxicity(comparison.model_copy(update={"toxicity": part}))
    row = only(found, model=model, set=name)
    assert (row.kind, row.refusal_difference, row.refusal_difference_low) == ("refusal", -0.8, -0.9)
    assert (row.refusal_rate, row.n_failed) == (pair.refusal_rate.value, pair.n_failed)
    assert pd.isna(row.over_refusal_difference)
    primary = part.primary.set
    sampled, record = only(found, model=model, set=primary), of_model.sets[primary]
    measured = record.expected_maximum_toxicity
    assert measured.ci is not None
    assert (sampled.expected_maximum_toxicity, sampled.expected_maximum_toxicity_low) == (
        measured.value,
        measured.ci[0],
    )
    assert record.contrast is not None
    assert (sampled.difference, sampled.difference_low, sampled.verdict) == (
        record.contrast.difference, record.contrast.ci[0], record.contrast.verdict,
    )  # fmt: skip
    assert pd.isna(sampled.refusal_rate)


def test_conversation_has_a_row_a_judge_and_says_whose_verdict_stands() -> None:
    changed = {"verdict": Verdict.JUDGES_DISAGREE, "verdict_alone": Verdict.IMPROVED}
    comparison = talk.changed_model(talk.talking(), "plus", **changed)
    found = frames.conversation(comparison)
    part = comparison.conversation
    assert part is not None
    assert len(found) == len(part.models) + 1
    plus = part.models["plus"]
    first, second = (only(found, model="plus", decides=decides) for decides in (True, False))
    assert plus.win_rate.ci is not None
    assert (first.judge, first.verdict, first.verdict_alone) == (plus.judge, "judges disagree", "improved")
    assert (first.win_rate, first.win_rate_low, first.wins) == (
        plus.win_rate.value,
        plus.win_rate.ci[0],
        plus.win_rate.wins,
    )
    assert plus.second_judge is not None
    assert (second.judge, second.verdict, second.trained_model) == (plus.second_judge.judge, "undecided", False)


def test_a_trajectory_begins_with_the_baseline_and_goes_on_step_by_step() -> None:
    comparison = build.trained()
    found = frames.trajectory(comparison)
    for name, points in comparison.trajectories.items():
        rows = found[found["trajectory"] == name]
        assert list(rows["step"]) == sorted(rows["step"])
        assert rows.iloc[0].model == comparison.baseline
        assert (rows.iloc[0].step, rows.iloc[0].kl_answers) == (0, 0.0)
        last = rows.iloc[-1]
        average = points.averages[last.model]
        assert average.ci is not None
        assert (last.macro_average, last.low, last.high) == (average.macro_average, *average.ci)
        assert last.n_items == points.n_items
    assert len(found) > 2


@pytest.mark.parametrize("name", ["toxicity", "conversation", "trajectory", "subjects"])
def test_what_was_not_evaluated_is_an_empty_frame(name: str) -> None:
    nothing = Comparison(baseline="base", suite="s", models={"base": build.model("base")}, tasks={}, summary={})
    assert getattr(frames, name)(nothing).empty
