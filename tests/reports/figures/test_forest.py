from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.figures.forest import ForestChart, count_verdicts, forest_figures
from tests.reports import build
from tests.reports.figures.make import figures_of


def forests(comparison: Comparison) -> dict[str, ForestChart]:
    """The charts by model."""
    charts = {figure.model: figure.chart for figure in figures_of(forest_figures, comparison).values()}
    return {model: chart for model, chart in charts.items() if isinstance(chart, ForestChart)}


def test_a_forest_has_a_row_for_every_task_and_the_macro_average() -> None:
    rows = forests(build.full())["sft"].rows
    assert [row.name for row in rows] == [*build.BASE_SCORES, "macro-average"]
    assert rows[-1].bar is not None
    assert rows[-1].bar.value == -0.032
    assert rows[-1].margin == -0.01


def test_a_missing_cell_keeps_its_row_in_the_forest() -> None:
    rows = forests(build.full())["chosen"].rows
    assert [row.name for row in rows if row.bar is None] == ["drop"]
    assert rows[-1].name == "gsm8k"


def test_all_forests_share_one_scale() -> None:
    assert len({chart.scale for chart in forests(build.full()).values()}) == 1


def test_no_forest_of_fewer_than_three_tasks() -> None:
    assert forests(build.of_size(3, 2)) == {}


def test_lower_is_better_turns_the_margin_round() -> None:
    comparison = build.of_size(2, 3)
    tasks = {name: task.model_copy(update={"higher_is_better": False}) for name, task in comparison.tasks.items()}
    (chart,) = forests(comparison.model_copy(update={"tasks": tasks})).values()
    assert chart.rows[0].margin == 0.02


def test_the_title_counts_verdicts_from_the_most_common() -> None:
    verdicts = [Verdict.PRESERVED, Verdict.IMPROVED, Verdict.PRESERVED, Verdict.UNDECIDED]
    contrasts = [build.contrast(0, 0.1, verdict) for verdict in verdicts]
    assert count_verdicts(contrasts) == "2 of 4 tasks preserved, 1 improved, 1 undecided"
