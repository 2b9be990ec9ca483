from __future__ import annotations

from collections.abc import Iterable

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import FrequentAnswer
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.conversation_phrasing import judged_models
from mplus_eval.reports.conversation_tables import ConversationTables, ratings_table
from mplus_eval.reports.tables import ModelLabel, Table, TableCell
from tests.reports import build_conversation as talk
from tests.reports.columns import models_of, of_model


def tables(comparison: Comparison | None = None) -> ConversationTables:
    found = comparison or talk.talking()
    assert found.conversation is not None
    return ConversationTables(found, found.conversation, {name: ModelLabel(name, "", "") for name in found.models})


def cells(table: Table | None, header: str) -> list[str]:
    """A row's cells as text with their notes."""
    assert table is not None
    (row,) = [row for row in table.rows if row.header.text == header]
    return written(row.cells)


def column(table: Table | None, model: str) -> list[str]:
    """A model's column as text with notes."""
    return written(of_model(table, model).values())


def written(cells: Iterable[TableCell]) -> list[str]:
    return [" ".join(filter(None, (cell.mark.word if cell.mark else "", cell.text, cell.note))) for cell in cells]


def test_results_hold_verdict_rates_counts_and_p() -> None:
    found = tables()
    table = found.results(judged_models(talk.talking()), "judge-70b")
    # 0.628 of 477 with 47 ties: 276 wins and half of 47 are 299.5.
    assert column(table, "sft") == [
        "improved explained by length", "62.8 [57.8, 67.8]", "51.2 [45.2, 57.2]",
        "276", "47", "154", "477", "3", "< 0.001",
    ]  # fmt: skip
    assert column(table, "chosen")[:3] == ["not comparable", "48.8 [43.8, 53.8]", "withheld"]


def test_an_extrapolated_rate_carries_a_mark() -> None:
    changed = talk.changed_model(talk.talking(), "plus", length_controlled_win_rate=talk.length(0.6, extrapolated=True))
    table = tables(changed).results(judged_models(changed), "j")
    assert column(table, "plus")[2] == "60.0 ‡ [54.0, 66.0]"
    assert table.caption.endswith("‡ extrapolated: one side’s answers are always the longer ones.")


def test_the_table_on_the_judge_holds_order_and_length() -> None:
    found = tables()
    assert column(found.judge(judged_models(talk.talking()), "judge-70b"), "chosen") == [
        "72.0 [68.0, 76.0]", "81.0 [77.0, 85.0]", "53.0 [49.0, 57.0]", "–",
    ]  # fmt: skip
    assert column(found.judge(judged_models(talk.talking()), "judge-70b"), "sft")[-1] == "+0.31"


def test_turns_stand_in_their_order_and_categories_with_their_size() -> None:
    found = tables()
    turns, categories = found.win_rates_by("turn"), found.win_rates_by("category")
    assert turns is not None
    assert categories is not None
    assert [row.header.text for row in turns.rows] == ["1", "2"]
    assert (categories.rows[0].header.text, categories.rows[0].header.note) == ("coding", "n 59")
    assert cells(categories, "writing")[3] == "68.1 [57.1, 79.1]"


def test_one_turn_or_one_category_has_no_table() -> None:
    only = {"all": talk.wins(0.6)}
    found = tables(
        talk.only(talk.changed_model(talk.talking(), "plus", by_category=only, by_turn={"1": talk.wins(0.6)}), "plus")
    )
    assert (found.win_rates_by("turn"), found.win_rates_by("category")) == (None, None)


def test_ratings_go_from_best_to_worst_with_the_baseline_among_them() -> None:
    table = ratings_table(talk.talking())
    assert table is not None
    assert [row.header.text for row in table.rows] == ["plus", "sft", "instruct", "base", "chosen"]
    assert cells(table, "plus") == ["+93", "above +58, no upper bound", "477", "+2, above −38, no upper bound"]
    assert cells(table, "sft") == ["+91", "[+55, +129]", "477", "+76, [+32, +122]"]
    # What lies above the baseline by its rating alone, and the baseline above what is rated below it.
    assert cells(table, "instruct")[3] == "+15, [−20, +50]"
    assert cells(table, "base") == ["0", "fixed", "–", "+8, [−26, +43]"]
    assert cells(table, "chosen")[3] == "–"


def test_a_comparison_without_differences_of_ratings_shows_none() -> None:
    comparison = talk.talking()
    assert comparison.conversation is not None
    talked = comparison.conversation.model_copy(update={"rating_differences": ()})
    table = ratings_table(comparison.model_copy(update={"conversation": talked}))
    assert table is not None
    assert [cells(table, model)[3] for model in ("plus", "instruct")] == ["–", "+15, [−20, +50]"]


def test_two_judges_stand_side_by_side() -> None:
    table = tables().agreement()
    assert table is not None
    assert models_of(table) == ["plus"]
    assert column(table, "plus") == [
        "63.1 [58.1, 68.1]", "54.8 [49.8, 59.8]", "improved", "undecided", "69.0", "0.44 [0.37, 0.51]", "474",
    ]  # fmt: skip


def test_a_judge_that_trained_the_model_says_so_beside_its_verdict_and_says_it_alone() -> None:
    comparison = talk.talking()
    assert comparison.conversation is not None
    plus = comparison.conversation.models["plus"]
    assert plus.second_judge is not None
    changed = talk.changed_model(
        comparison, "plus", verdict=Verdict.JUDGES_DISAGREE, verdict_alone=Verdict.DEGRADED,
        second_judge=plus.second_judge.model_copy(update={"trained_model": True}),
    )  # fmt: skip
    assert column(tables(changed).agreement(), "plus")[2:4] == ["degraded", "undecided trained this model"]


def test_the_first_judge_stands_first_where_the_second_decides() -> None:
    comparison = talk.talking()
    assert comparison.conversation is not None
    plus = comparison.conversation.models["plus"]
    assert plus.second_judge is not None
    trained = plus.second_judge.model_copy(update=talk.judging(0.68, Verdict.IMPROVED, trained_model=True))
    turned = talk.changed_model(comparison, "plus", **dict(plus.second_judge), second_judge=trained)
    assert column(tables(turned).agreement(), "plus")[:4] == [
        "68.0 [63.0, 73.0]", "54.8 [49.8, 59.8]", "improved trained this model", "undecided",
    ]  # fmt: skip


def test_one_judge_has_no_table_of_two() -> None:
    assert tables(talk.only(talk.talking(), "sft")).agreement() is None


def test_the_text_of_the_baseline_is_there_too_and_what_failed_is_counted() -> None:
    table = tables().text()
    assert models_of(table) == ["base", "instruct", "sft", "chosen", "plus"]
    assert column(table, "base") == [
        "plain format", "480", "311.0", "171.0", "412.0", "11.0", "89.0", "0.0", "38.0", "–",
    ]  # fmt: skip
    assert column(table, "sft")[1] == "480, 1 failed"


def test_what_is_not_known_of_a_text_is_a_dash() -> None:
    unknown = talk.text(mean_tokens=None, end_of_turn_rate=None, truncation_rate=None)
    assert column(tables(talk.changed_model(talk.talking(), "plus", text=unknown)).text(), "plus")[4:7] == ["–"] * 3


def test_the_most_frequent_answer_stands_there_with_its_share() -> None:
    often = talk.text(most_frequent=FrequentAnswer(text="I am  glad\nto help.", n=134, share=0.28))
    changed = talk.changed_model(talk.talking(), "plus", text=often)
    assert column(tables(changed).text(), "plus")[-1] == "28.0 “I am glad to help.”"
