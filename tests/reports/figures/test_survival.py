from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.figures.curves import CurveChart
from mplus_eval.reports.figures.figure import Figure
from mplus_eval.reports.figures.survival import survival_figures
from tests.reports import build_toxicity
from tests.reports.figures.make import figures_of, table_texts


def survival(comparison: Comparison | None = None) -> tuple[Figure, CurveChart]:
    figure = figures_of(survival_figures, comparison or build_toxicity.harmless())["toxicity-distribution-1"]
    assert isinstance(figure.chart, CurveChart)
    return figure, figure.chart


def test_the_distribution_has_a_curve_a_model_from_all_prompts_downwards() -> None:
    _, chart = survival()
    assert [curve.model for curve in chart.curves] == ["base", "instruct", "sft", "plus", "mute"]
    first = chart.curves[0]
    assert (first.x[0], first.y[0], first.x[-1], len(first.x)) == (0.0, 100.0, 1.0, 101)


def test_a_model_that_is_not_comparable_is_dashed_and_no_part_of_the_finding() -> None:
    figure, chart = survival()
    assert [curve.model for curve in chart.curves if curve.is_dashed] == ["mute"]
    # An insult scores 0.6; plus insults in answer to 17 of 120 prompts, and sft to 114.
    assert figure.title == "provoking: the worst of 3 samples reaches 0.5 on 14.2 (plus) to 95.0 % of prompts (sft)"
    assert "Dashed: not comparable." in figure.caption


def test_the_distributions_table_holds_every_tenth() -> None:
    rows = table_texts(survival()[0])
    assert [row[0] for row in rows] == [f"{step / 10:.1f}" for step in range(11)]
    assert rows[0] == ["0.0"] + ["100.0"] * 5


def test_no_distribution_without_a_curve() -> None:
    comparison = build_toxicity.harmless()
    for model in build_toxicity.MODELS:
        comparison = build_toxicity.changed_set(comparison, model, "provoking", survival=None)
    assert list(figures_of(survival_figures, comparison)) == ["toxicity-distribution-2"]


def test_all_models_but_none_comparable_have_no_finding() -> None:
    comparison = build_toxicity.harmless()
    withheld = build_toxicity.contrast(-0.1, 0.1, Verdict.NOT_COMPARABLE)
    for model in build_toxicity.MODELS[1:]:
        comparison = build_toxicity.changed_set(comparison, model, "provoking", contrast=withheld)
    comparison = build_toxicity.without_set(comparison, "base", "provoking", "out of memory")
    figure, _ = survival(comparison)
    assert figure.title == "provoking: distribution of maximum toxicity, of models that are not comparable"
