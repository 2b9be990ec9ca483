"""The section on conversation, and judges that heed the wrong thing, exposed by the report's own figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import write_report
from mplus_eval.reports.conversation import ConversationSection
from mplus_eval.reports.verdicts import MARKS
from mplus_eval.reports.view import build_report
from tests.reports import build
from tests.reports import build_conversation as talk
from tests.reports.columns import models_of, of_model


def section(comparison: Comparison, directory: Path) -> ConversationSection:
    found = build_report(comparison, {}, directory).conversation
    assert found is not None
    return found


def test_a_comparison_without_conversation_has_no_section(tmp_path: Path) -> None:
    assert build_report(build.full(), {}, tmp_path).conversation is None


def test_the_section_has_a_table_for_every_question(tmp_path: Path) -> None:
    report = build_report(talk.talking(), {}, tmp_path)
    assert [figure.name for figure in report.figures_in("conversation")] == [
        "win-rates", "ratings", "conversation-radar", "conversation-categories",
    ]  # fmt: skip
    found = section(talk.talking(), tmp_path)
    assert [judge.title for judge in found.judges] == ["Win rate", "Second judge: reward"]
    assert found.turns
    assert found.categories
    assert found.agreement
    # The figure of ratings has them as a table.
    assert found.ratings is None


def test_the_protocol_counts_pairs_over_models(tmp_path: Path) -> None:
    assert (
        "by judge-70b, every pair in both orders: 1,908 pairs judged, 12 unjudged."
        in section(talk.talking(), tmp_path).protocol
    )


def test_models_without_a_result_and_chat_formats_that_differ_are_noted(tmp_path: Path) -> None:
    found = talk.only(talk.talking(), "sft", "plus")
    part = found.conversation
    assert part is not None
    lost = part.model_copy(update={"missing": {"instruct": "out of memory"}})
    assert section(found.model_copy(update={"conversation": lost}), tmp_path).notes == (
        "instruct: no result: out of memory.",
        "chosen: no result: no result.",
        "Chat formats differ: plain format: base; own template, 0a1b2c3d4e5f: sft and plus.",
    )


def test_rows_left_out_and_dialogues_longer_than_the_model_are_noted(tmp_path: Path) -> None:
    found = talk.talking()
    part = found.conversation
    assert part is not None
    baseline = part.baseline.model_copy(update={"text": talk.text(n_cut=3)})
    changed = part.model_copy(update={"n_bad": 1, "bad": ("d.jsonl, line 7: no turns",), "baseline": baseline})
    first, second = section(found.model_copy(update={"conversation": changed}), tmp_path).notes[:2]
    assert first == "1 row of the dialogues cannot be used, and left out: d.jsonl, line 7: no turns."
    assert (
        second
        == "base: 3 of 480 answers to dialogues that are longer than the model can read; their beginning was cut."
    )


def test_a_model_that_speaks_for_the_user_is_noted(tmp_path: Path) -> None:
    found = talk.talking()
    assert found.conversation is not None
    baseline = found.conversation.baseline.model_copy(update={"text": talk.text(ran_on_rate=0.25)})
    changed = found.conversation.model_copy(update={"baseline": baseline})
    notes = section(found.model_copy(update={"conversation": changed}), tmp_path).notes
    assert notes[0] == "base: after 25.0 % of its answers it went on to speak for the user; that is cut off."


def test_unjudged_pairs_are_told_with_their_causes(tmp_path: Path) -> None:
    assert (
        "plus: unjudged 3: timed out 2 and a model has no answer 1."
        in section(talk.talking(), tmp_path).judges[0].leanings
    )


def test_a_run_in_which_nothing_was_judged_shows_the_answers_text(tmp_path: Path) -> None:
    comparison = talk.only(talk.talking())
    found = section(comparison, tmp_path)
    assert (found.judges, found.ratings, found.turns, found.agreement) == ((), None, None, None)
    assert build_report(comparison, {}, tmp_path).figures_in("conversation") == ()
    assert [column.model for column in found.text.columns[1:]] == ["base"]


def test_conversation_alone_has_decision_methods_and_no_matrix(tmp_path: Path) -> None:
    report = build_report(talk.talk_alone(), {}, tmp_path)
    assert [section.anchor for section in report.sections] == ["decision", "conversation", "methods", "manifest"]
    fields = {field.name: field.value for field in report.fields}
    assert (fields["Suite"], fields["Evaluations"]) == ("small, 240 dialogues", "5 of 5 complete")
    assert "2 points (win rate)" in report.margins
    assert any(paragraph.startswith("The first rule that holds") for paragraph in report.methods)


def markdown(comparison: Comparison, directory: Path) -> str:
    comparison.write(directory / "comparison.json")
    write_report(directory)
    return (directory / "report.md").read_text(encoding="utf-8")


def row(text: str, measure: str) -> str:
    """What plus, the only model, has of a measure in the first table that has it."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {measure} |"))
    return line.removeprefix(f"| {measure} | ").removesuffix(" |")


@pytest.fixture(scope="module")
def first_judge_report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a judge that prefers whatever is shown first, on answers whose lengths say nothing."""
    directory = tmp_path_factory.mktemp("first")
    return markdown(
        talk.judged_by(directory, lambda own, other: (1.0, 0.0), lambda n: (30 + n % 7, 30 + n % 5)), directory
    )


@pytest.fixture(scope="module")
def longer_judge_report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a judge that prefers the longer answer, which is the model's in three of four dialogues."""
    directory = tmp_path_factory.mktemp("longer")
    return markdown(
        talk.judged_by(
            directory, lambda own, other: (float(own > other),) * 2, lambda n: (40, 20) if n % 4 else (20, 32)
        ),
        directory,
    )


def test_a_judge_that_always_prefers_the_first_answer_is_exposed(first_judge_report: str) -> None:
    # Wilson's interval of 40 of 40, with Student's quantile at 39: 40 / (40 + 2.0227²) = 90.7 %.
    assert row(first_judge_report, "Flips with order, %") == "100.0 [90.7, 100.0]"
    assert row(first_judge_report, "First position wins, %") == "100.0 [93.8, 100.0]"
    assert row(first_judge_report, "Longer answer wins, %") == "–"
    assert "100 % of the judge’s verdicts flip with the order of the answers." in first_judge_report
    assert "First position wins 100 % of its decided verdicts" in first_judge_report


def test_no_verdict_is_drawn_from_such_a_judge(first_judge_report: str) -> None:
    assert row(first_judge_report, "Verdict") == "**not comparable**"
    assert row(first_judge_report, "Win rate, %").startswith("50.0 [")
    assert "The conversation of plus is not compared: the order of the answers decides more than half" in (
        first_judge_report
    )


def test_a_judge_that_always_prefers_the_longer_answer_is_exposed(longer_judge_report: str) -> None:
    assert row(longer_judge_report, "Flips with order, %") == "0.0 [0.0, 9.3]"
    assert row(longer_judge_report, "Longer answer wins, %") == "100.0 [90.7, 100.0]"
    assert row(longer_judge_report, "Effect of length") == "without bound"
    assert "Length alone decides. The judge chose the longer answer in 100 % of decided pairs." in longer_judge_report


def test_a_win_that_such_a_judge_gives_is_called_one_of_length(longer_judge_report: str) -> None:
    assert row(longer_judge_report, "Verdict") == "**improved** explained by length"
    assert row(longer_judge_report, "Win rate, %") == "75.0 [58.9, 86.2]"
    assert row(longer_judge_report, "Length-controlled win rate, %").startswith("50.0 [")
    assert (
        "Preferred to base in 75 % of answers (95 % CI 59–86); length-controlled 50 %, so length explains the "
        "preference."
    ) in longer_judge_report
    assert "plus: length explains its win, which is not shown at equal length." in longer_judge_report


def test_each_judge_has_its_own_table_whichever_decides_for_a_model(tmp_path: Path) -> None:
    comparison = talk.talking()
    part = comparison.conversation
    assert part is not None
    plus = part.models["plus"]
    assert plus.second_judge is not None
    second = plus.second_judge.model_copy(
        update=talk.judging(0.68, Verdict.NOT_COMPARABLE, trained_model=True, reasons=("it trained it",))
    )
    turned = talk.changed_model(comparison, "plus", **dict(plus.second_judge), second_judge=second)
    first, other = section(turned, tmp_path).judges
    assert models_of(first.results) == ["instruct", "sft", "chosen", "plus"]
    assert of_model(first.results, "plus")["Verdict"].mark == MARKS[Verdict.NOT_COMPARABLE]
    assert models_of(other.results) == ["plus"]
    assert of_model(other.results, "plus")["Verdict"].mark == MARKS[Verdict.UNDECIDED]


def test_the_tables_of_judges_that_disagree_have_each_ones_own_verdict(tmp_path: Path) -> None:
    disagree = {"verdict": Verdict.JUDGES_DISAGREE, "verdict_alone": Verdict.IMPROVED}
    first, _ = section(talk.changed_model(talk.talking(), "plus", **disagree), tmp_path).judges
    assert of_model(first.results, "plus")["Verdict"].mark == MARKS[Verdict.IMPROVED]
