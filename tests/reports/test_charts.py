from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.charts import Forest, Tax, forest_figures, tally, tax_figure
from mplus_eval.reports.palette import looks
from tests.reports import build


def test_a_forest_has_a_row_for_every_task_and_the_macro_average() -> None:
    figure = {figure.model: figure for figure in forest_figures(build.full())}["sft"]
    assert isinstance(figure.chart, Forest)
    assert [row.name for row in figure.chart.rows] == [*build.BASE_SCORES, "macro-average"]
    assert figure.chart.rows[-1].bar is not None
    assert figure.chart.rows[-1].bar.value == -0.032
    assert figure.chart.rows[-1].margin == -0.01


def test_a_missing_cell_keeps_its_row_in_the_forest() -> None:
    figure = {figure.model: figure for figure in forest_figures(build.full())}["chosen"]
    assert isinstance(figure.chart, Forest)
    assert [row.name for row in figure.chart.rows if row.bar is None] == ["drop"]
    assert figure.chart.rows[-1].name == "gsm8k"


def test_all_forests_share_one_scale() -> None:
    scales = {figure.chart.scale for figure in forest_figures(build.full()) if isinstance(figure.chart, Forest)}
    assert len(scales) == 1


def test_no_forest_of_fewer_than_three_tasks() -> None:
    assert forest_figures(build.of_size(3, 2)) == ()


def test_lower_is_better_turns_the_margin_round() -> None:
    comparison = build.of_size(2, 3)
    tasks = {name: task.model_copy(update={"higher_is_better": False}) for name, task in comparison.tasks.items()}
    (figure,) = forest_figures(comparison.model_copy(update={"tasks": tasks}))
    assert isinstance(figure.chart, Forest)
    assert figure.chart.rows[0].margin == 0.02


def test_the_title_counts_verdicts_from_the_most_common() -> None:
    verdicts = [Verdict.PRESERVED, Verdict.IMPROVED, Verdict.PRESERVED, Verdict.UNDECIDED]
    contrasts = [build.contrast(0, 0.1, verdict) for verdict in verdicts]
    assert tally(contrasts) == "2 of 4 tasks preserved, 1 improved, 1 undecided"


def test_tax_goes_from_least_to_most() -> None:
    comparison = build.full()
    figure = tax_figure(comparison, looks(comparison))
    assert figure is not None
    assert isinstance(figure.chart, Tax)
    assert [row.model for row in figure.chart.rows] == ["plus", "instruct", "sft"]
    assert figure.title == "Alignment tax from ±0.0 points (plus) to +3.2 (sft)"


def test_no_tax_figure_of_fewer_than_three_models() -> None:
    comparison = build.of_size(3, 3)
    assert tax_figure(comparison, looks(comparison)) is None
