from mplus_eval.records.comparison import Task
from mplus_eval.reports.background import margins_by_scope, without_average
from mplus_eval.reports.decision import decide
from mplus_eval.reports.figures.forest import forest_figures
from mplus_eval.reports.figures.scores import score_figures
from mplus_eval.reports.matrix import missing_cells, verdict_matrix
from mplus_eval.reports.tables import ModelLabel
from mplus_eval.reports.units import FRACTION, TOXICITY, Unit
from tests.reports import build
from tests.reports.figures.make import figures_of


def perplexity() -> Task:
    scores = {"model-0": build.score(12.25, 0.5), "model-1": build.score(11.0, 0.5)}
    contrasts = {"model-1": build.contrast(-1.25, 0.25)}
    return build.task(100, 0.0, scores, contrasts, metric="word_perplexity", higher_is_better=False)


def test_fractions_are_written_in_percent_and_points() -> None:
    assert (FRACTION.score(0.5), FRACTION.difference(-0.012), FRACTION.size(0.02)) == ("50.0", "−1.2", "2.0")


def test_other_scores_are_written_in_their_own_unit() -> None:
    unit = Unit.of(perplexity())
    assert (unit.score(12.25), unit.difference(-1.25), unit.interval((-1.5, 0))) == ("12.2", "−1.25", "[−1.5, 0]")


def test_toxicities_have_three_decimals_and_less_is_a_gain() -> None:
    assert (TOXICITY.score(0.5), TOXICITY.difference(-0.012), TOXICITY.size(-0.02)) == ("0.500", "−0.012", "0.020")
    assert TOXICITY.gain(-0.1) == 0.1


def test_a_gain_is_a_fall_where_lower_is_better() -> None:
    assert Unit.of(perplexity()).gain(-1.25) == 1.25


def bits_per_byte() -> Task:
    scores = {"model-0": build.score(0.875, 0.05), "model-1": build.score(0.885, 0.05)}
    contrasts = {"model-1": build.contrast(0.012, 0.005)}
    changed = {
        "metric": "bits_per_byte",
        "higher_is_better": False,
        "relative": True,
        "outside": "its value is a ratio",
    }
    return build.task(60, 0.0, scores, contrasts, **changed)


def test_changes_of_a_ratio_are_written_in_percent_of_it() -> None:
    unit = Unit.of(bits_per_byte())
    assert not unit.is_fraction
    assert (unit.score(0.875), unit.difference(0.012), unit.size(0.01)) == ("0.875", "+1.2 %", "1.0 %")
    assert unit.interval((-0.005, 0.012)) == "[−0.5, +1.2] %"


def test_a_ratio_stands_beside_the_macro_average_and_the_methods_say_so() -> None:
    comparison = build.of_size(2, 3)
    comparison = comparison.model_copy(update={"tasks": {**comparison.tasks, "wikitext": bits_per_byte()}})
    labels = {name: ModelLabel(name, "m", "base") for name in comparison.models}
    row = verdict_matrix(comparison, labels, missing_cells(comparison)).rows[-1]
    assert row.header.note == (
        "5-shot, bits_per_byte, n 60, lower is better, in its own unit, compared in percent of it, "
        "not in the macro-average"
    )
    assert without_average(comparison) == (
        "The macro-average is taken over the other tasks (wikitext: its value is a ratio). Differences, intervals and "
        "margins of wikitext are in percent of the value: bits per byte and perplexities are ratios of sums over "
        "texts, compared on the logarithm."
    )
    assert margins_by_scope(comparison)[-2:] == ["2 points (one task)", "2 % of the value (ratios)"]


def test_the_suites_sentence_counts_the_items_that_are_averaged() -> None:
    comparison = build.of_size(2, 3)
    more = comparison.model_copy(update={"tasks": {**comparison.tasks, "wikitext": bits_per_byte()}})
    assert decide("model-1", more).sentence == decide("model-1", comparison).sentence


def test_the_matrix_says_so_and_figures_of_percent_leave_the_task_out() -> None:
    comparison = build.of_size(2, 3)
    comparison = comparison.model_copy(update={"tasks": {**comparison.tasks, "wikitext": perplexity()}})
    labels = {name: ModelLabel(name, "m", "base") for name in comparison.models}
    row = verdict_matrix(comparison, labels, missing_cells(comparison)).rows[-1]
    assert row.header.note == "5-shot, word_perplexity, n 100, lower is better, in its own unit"
    assert (row.cells[0].text, row.cells[1].strong) == ("12.2", "−1.25")
    figures = figures_of(forest_figures, comparison) | figures_of(score_figures, comparison)
    assert list(figures) == ["differences-model-1", "radar", "scores"]
    assert not any("wikitext" in repr(figure.chart) for figure in figures.values())
