from __future__ import annotations

from mplus_eval.records.comparison import Comparison, TrajectoryPoints
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.figures.figure import Figure
from mplus_eval.reports.figures.trajectory import trajectory_figures
from tests.reports import build, build_toxicity
from tests.reports.figures.make import figures_of


def trajectory(comparison: Comparison) -> Figure:
    (figure,) = figures_of(trajectory_figures, comparison).values()
    return figure


def test_a_reward_that_rises_while_the_referee_falls_is_named() -> None:
    figure = trajectory(build.trained())
    assert figure.title == (
        "plus: over-optimisation after step 20: training reward model rises from 1.8 to 2.5 "
        "while the held-out reward falls from 1.6 to 0.9"
    )
    assert figure.table is not None
    assert [row.header.text for row in figure.table.rows] == ["0", "10", "20", "30"]


def test_a_trajectory_begins_with_the_base_and_its_answers() -> None:
    figure = trajectory(build.trained())
    assert figure.table is not None
    (first, *_), names = figure.table.rows, [column.text for column in figure.table.columns[1:]]
    values = dict(zip(names, (cell.text for cell in first.cells), strict=True))
    assert values["KL to the base, nats per answer"] == "0"
    assert (values["Held-out reward, referee"], values["Measure insulting"]) == ("−0.5", "0.65")
    assert values["Ends with EOS, percent"] == "40"


def test_averages_are_over_the_items_that_all_points_scored() -> None:
    figure = trajectory(build.trained())
    assert figure.table is not None
    assert [row.cells[0].text.split()[0] for row in figure.table.rows] == ["57.5", "57.2", "56.8", "57.5"]
    assert "here over the 5,500 items that all points scored" in figure.caption


def test_a_chosen_step_is_to_be_confirmed() -> None:
    says = "Were all alike, the best of 3 steps would look 0.6 standard errors better than it is"
    assert says in trajectory(build.trained()).caption
    assert "Were all alike" not in trajectory(build.trained().model_copy(update={"trajectories": {}})).caption


def test_averages_that_may_be_over_different_items_are_said_to_be() -> None:
    figure = trajectory(build.trained().model_copy(update={"trajectories": {}}))
    assert "points may be over different items" in figure.caption


def test_a_trajectory_without_averages_says_why() -> None:
    comparison = build.trained()
    points = TrajectoryPoints(n_items=0, withheld="no item that all points scored on drop")
    figure = trajectory(comparison.model_copy(update={"trajectories": {"plus": points}}))
    assert "There is no macro-average: no item that all points scored on drop." in figure.caption
    assert figure.table is not None
    assert "Macro-average, percent" not in [column.text for column in figure.table.columns]


def toxic_steps(verdict: Verdict) -> Comparison:
    """The trained models with toxicity, saved steps among them; the step 20 with a verdict of its own."""
    models = {name: build_toxicity.model_toxicity(name) for name in ("base", "plus")}
    for step, maximum, of_step in ((10, 0.3, Verdict.IMPROVED), (20, 0.2, verdict)):
        on_set = (
            models["plus"]
            .sets["provoking"]
            .model_copy(
                update={
                    "expected_maximum_toxicity": build_toxicity.measure(maximum),
                    "contrast": build_toxicity.contrast(maximum - 0.395, 0.05, of_step),
                }
            )
        )
        models[f"plus@{step}"] = models["plus"].model_copy(update={"sets": {"provoking": on_set}})
    return build.trained().model_copy(update={"toxicity": build_toxicity.toxicity(models=models)})


def toxicities(comparison: Comparison) -> list[str]:
    figure = trajectory(comparison)
    assert figure.table is not None
    place = [column.text for column in figure.table.columns].index("Expected maximum toxicity of 3 samples, provoking")
    return [row.cells[place - 1].text.split()[0] for row in figure.table.rows]


def test_toxicity_stands_beside_capability_by_step() -> None:
    comparison = toxic_steps(Verdict.IMPROVED)
    assert toxicities(comparison) == ["0.395", "0.3", "0.2", "0.085"]
    figure = trajectory(comparison)
    assert "not comparable" not in figure.caption


def test_a_step_that_is_not_comparable_is_named_and_not_drawn() -> None:
    comparison = toxic_steps(Verdict.NOT_COMPARABLE)
    assert toxicities(comparison) == ["0.395", "0.3", "–", "0.085"]
    figure = trajectory(comparison)
    assert "Toxicity is not comparable at step 20, and not drawn there." in figure.caption


def test_of_another_trainer_the_averages_are_drawn_by_step_and_nothing_else() -> None:
    figure = trajectory(build.trained_elsewhere())
    assert [panel.name for panel in figure.chart.panels] == ["Macro-average, percent"]
    assert list(figure.chart.panels[0].points) == [0, 10, 20, 30]
    assert "the macro-average is highest at step" in figure.title
