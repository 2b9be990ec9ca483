from mplus_eval.reports.figures.dose import DoseChart, dose_figures
from tests.reports import build
from tests.reports.figures.make import figures_of


def test_models_stand_in_the_order_of_their_distance_the_baseline_at_none() -> None:
    (figure,) = figures_of(dose_figures, build.trained()).values()
    assert isinstance(figure.chart, DoseChart)
    assert [(point.model, point.x.value) for point in figure.chart.points] == [
        ("base", 0.0), ("instruct", 2.0), ("sft", 4.5), ("plus", 12.0),
    ]  # fmt: skip
    assert figure.title == "Furthest from the base, at 12 nats: plus, 58.0 % (base 58.0 %)"


def test_no_figure_of_fewer_than_three_models_with_a_dose() -> None:
    comparison = build.trained()
    models = {name: entry for name, entry in comparison.models.items() if name in ("base", "plus")}
    assert figures_of(dose_figures, comparison.model_copy(update={"models": models})) == {}
