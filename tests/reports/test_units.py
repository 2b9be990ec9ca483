from mplus_eval.records.comparison import Task
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
    assert (unit.score(12.25), unit.difference(-1.25), unit.interval((-1.5, 0))) == ("12.2", "−1.25", "[−1.5, ±0]")


def test_toxicities_have_three_decimals_and_less_is_a_gain() -> None:
    assert (TOXICITY.score(0.5), TOXICITY.difference(-0.012), TOXICITY.size(-0.02)) == ("0.500", "−0.012", "0.020")
    assert TOXICITY.gain(-0.1) == 0.1


def test_a_gain_is_a_fall_where_lower_is_better() -> None:
    assert Unit.of(perplexity()).gain(-1.25) == 1.25


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
