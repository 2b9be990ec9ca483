"""The trajectory: how a model changed along its training, from the baseline over the saved steps to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from mplus_eval.records.comparison import Comparison, ModelEntry, Summary, TrajectoryPoints
from mplus_eval.records.toxicity import Toxicity
from mplus_eval.records.training import Behaviour, Training
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.charts import FEWEST_VALUES, Bar, Figure, Panel, Trajectory
from mplus_eval.reports.harmlessness_phrasing import MEASURES, measured, primary_of
from mplus_eval.reports.tables import NO_SUMMARY, Cell, Column, Row, Table, number
from mplus_eval.reports.text import enumerated, one_line

REFEREE = "referee"
MACRO_AVERAGE = "Macro-average, percent"
DISTANCE = "KL to the base, nats an answer"
REWARD = "Reward, "
V = TypeVar("V")


class StepToxicity(NamedTuple):
    """The primary measure of toxicity by its name and set; `bar` is None where the step is not comparable."""

    name: str
    bar: Bar | None


class Step(NamedTuple):
    """The baseline, a saved step or the final model, with what was found of it; `summary` is over the shared items."""

    step: int
    entry: ModelEntry
    summary: Summary
    behaviour: Behaviour | None
    is_base: bool = False
    toxicity: StepToxicity | None = None


Value = Callable[[Step], Bar | None]
"""What a step has of one measure."""


def without_steps(comparison: Comparison) -> Comparison:
    """The comparison without the saved steps of a training, which stand in its trajectory only."""
    steps = {name for name, entry in comparison.models.items() if entry.trajectory is not None}
    steps -= {comparison.baseline}
    if not steps:
        return comparison
    tasks = {
        name: task.model_copy(
            update={
                "scores": _kept(task.scores, steps),
                "contrasts": _kept(task.contrasts, steps),
                "subjects": {
                    place: subject.model_copy(
                        update={"scores": _kept(subject.scores, steps), "contrasts": _kept(subject.contrasts, steps)}
                    )
                    for place, subject in task.subjects.items()
                },
            }
        )
        for name, task in comparison.tasks.items()
    }
    return comparison.model_copy(
        update={
            "models": _kept(comparison.models, steps),
            "tasks": tasks,
            "summary": _kept(comparison.summary, steps),
            "pairs": tuple(pair for pair in comparison.pairs if not {pair.model, pair.against} & steps),
            "missing": tuple(cell for cell in comparison.missing if cell.model not in steps),
            "toxicity": _toxicity_without(comparison.toxicity, steps),
        }
    )


def _toxicity_without(toxicity: Toxicity | None, steps: set[str]) -> Toxicity | None:
    return toxicity.model_copy(update={"models": _kept(toxicity.models, steps)}) if toxicity else None


def _kept(found: Mapping[str, V], steps: set[str]) -> dict[str, V]:
    return {name: value for name, value in found.items() if name not in steps}


def trajectory_figures(comparison: Comparison) -> tuple[Figure, ...]:
    """One figure a trajectory that has three points or more, the baseline and the final model among them."""
    figures = (
        _figure(place, one_line(name), steps, comparison.trajectories.get(name))
        for place, (name, steps) in enumerate(trajectories(comparison).items(), start=1)
    )
    return tuple(figure for figure in figures if figure)


def trajectories(comparison: Comparison) -> dict[str, list[Step]]:
    """Baseline, saved steps and final model of every training, in order, by the name of what is trained."""
    names = dict.fromkeys(entry.trajectory for entry in comparison.models.values() if entry.trajectory is not None)
    return {name: _steps(name, comparison) for name in names}


def _steps(name: str, comparison: Comparison) -> list[Step]:
    base, points = comparison.baseline, comparison.trajectories.get(name)
    averages = points.averages if points else comparison.summary
    along = {
        model: (entry, entry.training)
        for model, entry in comparison.models.items()
        if entry.training and model != base and (entry.trajectory == name or model == name)
    }
    of_base = base_behaviour(training for _, training in along.values())
    toxic = {model: _toxicity_of(model, comparison) for model in (base, *along)}
    found = {0: Step(0, comparison.models[base], averages.get(base, NO_SUMMARY), of_base, True, toxic[base])}
    for model, (entry, training) in along.items():
        average = averages.get(model, NO_SUMMARY)
        found[training.step] = Step(training.step, entry, average, training.behaviour, toxicity=toxic[model])
    return [found[step] for step in sorted(found)]


def _toxicity_of(model: str, comparison: Comparison) -> StepToxicity | None:
    toxicity = comparison.toxicity
    found = primary_of(toxicity, model) if toxicity else None
    if toxicity is None or found is None:
        return None
    name = f"{MEASURES[toxicity.primary.measure]}, {toxicity.primary.set}"
    value = measured(toxicity, found)
    if value.value is None or (found.contrast and found.contrast.verdict is Verdict.NOT_COMPARABLE):
        return StepToxicity(name, None)
    return StepToxicity(name, Bar(value.value, value.ci))


def base_behaviour(trainings: Iterable[Training]) -> Behaviour | None:
    """What the baseline's answers are like, as the first training knows that measured it."""
    return next((training.base_behaviour for training in trainings if training.base_behaviour), None)


def _figure(place: int, name: str, steps: list[Step], points: TrajectoryPoints | None) -> Figure | None:
    panels = tuple(panels_of(steps))
    if len(steps) < FEWEST_VALUES or not panels:
        return None
    description = f"Training of {name} by step: {', '.join(panel.name for panel in panels)}."
    caption = f"Step 0 is the baseline. {_averaged(points)}{_left_out(steps)} One run of one seed."
    chart = Trajectory(panels, steps[-1].step)
    return Figure(f"trajectory-{place}", f"{name}: {finding(panels)}", "", description, caption, chart, _table(panels))


def _left_out(steps: Iterable[Step]) -> str:
    """The steps whose toxicity is not shown because it is not comparable."""
    left = [formats.count(step.step) for step in steps if step.toxicity and step.toxicity.bar is None]
    return f" Toxicity is not comparable at step {enumerated(left)}, and not drawn there." if left else ""


def _averaged(points: TrajectoryPoints | None) -> str:
    """What the macro-averages are over; a comparison of an older version does not know it."""
    if points is None:
        return "Bars are intervals of the macro-average, and points may be over different items."
    if points.withheld:
        return f"There is no macro-average: {one_line(points.withheld)}."
    n_items = formats.count(points.n_items)
    return f"Bars are intervals of the macro-average, here over the {n_items} items that all points scored."


def panels_of(steps: list[Step]) -> Iterable[Panel]:
    """What is drawn of a trajectory, by step: whatever three points or more have a value of."""
    rewards = reward_names(steps)
    measures = _names(steps, "measures")
    toxicities = dict.fromkeys(step.toxicity.name for step in steps if step.toxicity)
    values: dict[str, Value] = {
        MACRO_AVERAGE: _average,
        **dict.fromkeys(toxicities, _toxic),
        DISTANCE: _distance,
        **{f"{REWARD}{name}": _of("rewards", name) for name in rewards},
        **{f"Measure {name}": _of("measures", name) for name in measures},
        "End-of-turn rate, percent": _percent("end_of_turn_rate"),
        "Distinct answers, percent": _percent("distinct_answers"),
    }
    for name, value in values.items():
        points = tuple((step.step, bar) for step in steps if (bar := value(step)))
        if len(points) >= FEWEST_VALUES:
            yield Panel(one_line(name), points)


def reward_names(steps: Iterable[Step]) -> list[str]:
    """The parts of the reward that any step has a value of, the referee among them."""
    return _names(steps, "rewards")


def part_of(step: Step, part: str) -> dict[str, float]:
    """The `rewards` or `measures` of a step's answers, by name; empty where they were not measured."""
    return getattr(step.behaviour, part) if step.behaviour else {}


def _names(steps: Iterable[Step], part: str) -> list[str]:
    return list(dict.fromkeys(name for step in steps for name in part_of(step, part)))


def _average(step: Step) -> Bar | None:
    average, ci = step.summary.macro_average, step.summary.ci
    return None if average is None else Bar(average * 100, (ci[0] * 100, ci[1] * 100) if ci else None)


def distance(step: Step) -> float | None:
    """The KL to the base, nats an answer; of the baseline 0."""
    if step.is_base:
        return 0.0
    dose = step.entry.training.dose if step.entry.training else None
    return dose.kl_answers if dose else None


def _toxic(step: Step) -> Bar | None:
    return step.toxicity.bar if step.toxicity else None


def _distance(step: Step) -> Bar | None:
    kl = distance(step)
    return None if kl is None else Bar(kl, None)


def _of(part: str, name: str) -> Callable[[Step], Bar | None]:
    def value(step: Step) -> Bar | None:
        found = part_of(step, part).get(name)
        return None if found is None else Bar(found, None)

    return value


def _percent(field: str) -> Callable[[Step], Bar | None]:
    def value(step: Step) -> Bar | None:
        return Bar(getattr(step.behaviour, field) * 100, None) if step.behaviour else None

    return value


def finding(panels: Iterable[Panel]) -> str:
    """Name the over-optimisation, where there is one; else the best average."""
    panels = tuple(panels)
    if found := over_optimisation(panels):
        return found
    if averages := _by_step(panels).get(MACRO_AVERAGE):
        best = max(averages, key=lambda step: averages[step])
        return f"the macro-average is highest at step {best}, {averages[best]:.1f} %"
    return "what changed by step"


def over_optimisation(panels: Iterable[Panel]) -> str | None:
    """Say which part of the reward ends higher, and the referee lower, than at the referee's best step."""
    known = _by_step(panels)
    referee = known.get(REWARD + REFEREE, {})
    if referee:
        best, last = max(referee, key=lambda step: referee[step]), max(referee)
        for name, values in known.items():
            is_part = name.startswith(REWARD) and name != REWARD + REFEREE
            if is_part and referee[last] < referee[best] and values.get(last, 0) > values.get(best, float("inf")):
                return (
                    f"over-optimisation after step {best}: reward part {name.removeprefix(REWARD)} rises from "
                    f"{formats.plain(values[best])} to {formats.plain(values[last])} while the referee falls from "
                    f"{formats.plain(referee[best])} to {formats.plain(referee[last])}"
                )
    return None


def _by_step(panels: Iterable[Panel]) -> dict[str, dict[int, float]]:
    return {panel.name: {step: bar.value for step, bar in panel.points} for panel in panels}


def _table(panels: tuple[Panel, ...]) -> Table:
    steps = sorted({step for panel in panels for step, _ in panel.points})
    values = [dict(panel.points) for panel in panels]
    rows = tuple(Row(Cell(formats.count(step)), tuple(_cell(found.get(step)) for found in values)) for step in steps)
    return Table("By step of training.", (Column("Step", False), *(Column(p.name) for p in panels)), rows)


def _cell(bar: Bar | None) -> Cell:
    if bar is None:
        return Cell("–", css="n")
    interval = f" [{formats.plain(bar.ci[0])}, {formats.plain(bar.ci[1])}]" if bar.ci else ""
    return number(formats.plain(bar.value) + interval, bar.value)
