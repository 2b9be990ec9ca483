"""The trajectory: how a model changed along its training, from the baseline over the saved steps to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from mplus_eval.comparison import Comparison, ModelEntry, Summary
from mplus_eval.reports import formats
from mplus_eval.reports.charts import FEWEST_VALUES, Bar, Figure, Panel, Trajectory
from mplus_eval.reports.tables import NO_SUMMARY, Cell, Column, Row, Table, number
from mplus_eval.reports.text import one_line

REFEREE = "referee"
MACRO_AVERAGE = "Macro-average, percent"
V = TypeVar("V")


class Step(NamedTuple):
    """One saved step with what was found of it."""

    step: int
    entry: ModelEntry
    summary: Summary
    is_base: bool = False


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
        }
    )


def _kept(found: Mapping[str, V], steps: set[str]) -> dict[str, V]:
    return {name: value for name, value in found.items() if name not in steps}


def trajectory_figures(comparison: Comparison) -> tuple[Figure, ...]:
    """One figure a trajectory that has three points or more, the baseline and the final model among them."""
    names = dict.fromkeys(entry.trajectory for entry in comparison.models.values() if entry.trajectory is not None)
    figures = (_figure(place, one_line(name), _steps(name, comparison)) for place, name in enumerate(names, start=1))
    return tuple(figure for figure in figures if figure)


def _steps(name: str, comparison: Comparison) -> list[Step]:
    base = comparison.baseline
    found = {0: Step(0, comparison.models[base], comparison.summary.get(base, NO_SUMMARY), True)}
    for model, entry in comparison.models.items():
        if entry.training and model != base and (entry.trajectory == name or model == name):
            step = entry.training.step
            found[step] = Step(step, entry, comparison.summary.get(model, NO_SUMMARY))
    return [found[step] for step in sorted(found)]


def _figure(place: int, name: str, steps: list[Step]) -> Figure | None:
    panels = tuple(_panels(steps))
    if len(steps) < FEWEST_VALUES or not panels:
        return None
    description = f"Training of {name} by step: {', '.join(panel.name for panel in panels)}."
    caption = "Step 0 is the baseline. Bars are intervals of the macro-average. One run of one seed."
    chart = Trajectory(panels, steps[-1].step)
    return Figure(f"trajectory-{place}", f"{name}: {finding(panels)}", "", description, caption, chart, _table(panels))


def _panels(steps: list[Step]) -> Iterable[Panel]:
    rewards = _names(steps, lambda entry: _behaviour(entry, "rewards"))
    measures = _names(steps, lambda entry: _behaviour(entry, "measures"))
    values: dict[str, Callable[[Step], Bar | None]] = {
        MACRO_AVERAGE: _average,
        "KL to the base, nats an answer": _distance,
        **{f"Reward, {name}": _of("rewards", name) for name in rewards},
        **{f"Measure {name}": _of("measures", name) for name in measures},
        "End-of-turn rate, percent": _percent("end_of_turn_rate"),
        "Distinct answers, percent": _percent("distinct_answers"),
    }
    for name, value in values.items():
        points = tuple((step.step, bar) for step in steps if (bar := value(step)))
        if len(points) >= FEWEST_VALUES:
            yield Panel(one_line(name), points)


def _behaviour(entry: ModelEntry, part: str) -> dict[str, float]:
    behaviour = entry.training.behaviour if entry.training else None
    return getattr(behaviour, part) if behaviour else {}


def _names(steps: list[Step], part: Callable[[ModelEntry], dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for step in steps for name in part(step.entry)))


def _average(step: Step) -> Bar | None:
    average, ci = step.summary.macro_average, step.summary.ci
    return None if average is None else Bar(average * 100, (ci[0] * 100, ci[1] * 100) if ci else None)


def _distance(step: Step) -> Bar | None:
    if step.is_base:
        return Bar(0.0, None)
    dose = step.entry.training.dose if step.entry.training else None
    return Bar(dose.kl_answers, None) if dose else None


def _of(part: str, name: str) -> Callable[[Step], Bar | None]:
    def value(step: Step) -> Bar | None:
        found = _behaviour(step.entry, part).get(name)
        return None if found is None else Bar(found, None)

    return value


def _percent(field: str) -> Callable[[Step], Bar | None]:
    def value(step: Step) -> Bar | None:
        behaviour = step.entry.training.behaviour if step.entry.training else None
        return Bar(getattr(behaviour, field) * 100, None) if behaviour else None

    return value


def finding(panels: Iterable[Panel]) -> str:
    """Name the over-optimisation, where a reward rises after the referee's best step; else the best average."""
    known = {panel.name: {step: bar.value for step, bar in panel.points} for panel in panels}
    referee = known.get(f"Reward, {REFEREE}", {})
    if referee:
        best, last = max(referee, key=lambda step: referee[step]), max(referee)
        for name, values in known.items():
            is_part = name.startswith("Reward, ") and name != f"Reward, {REFEREE}"
            if is_part and referee[last] < referee[best] and values.get(last, 0) > values.get(best, float("inf")):
                return (
                    f"over-optimisation after step {best}: reward part {name.removeprefix('Reward, ')} rises from "
                    f"{formats.plain(values[best])} to {formats.plain(values[last])} while the referee falls from "
                    f"{formats.plain(referee[best])} to {formats.plain(referee[last])}"
                )
    if averages := known.get(MACRO_AVERAGE):
        best = max(averages, key=lambda step: averages[step])
        return f"the macro-average is highest at step {best}, {averages[best]:.1f} %"
    return "what changed by step"


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
