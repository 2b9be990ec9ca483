"""The trajectory: how a model changed along its training, from the baseline over the saved steps to the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, TypeVar

from mplus_eval.records.comparison import Comparison, ModelEntry, Summary, TrajectoryPoints
from mplus_eval.records.training import Behaviour, Training
from mplus_eval.reports import formats
from mplus_eval.reports.figures.figure import FEWEST_VALUES, Bar
from mplus_eval.reports.harmlessness_phrasing import primary_measure, primary_named, primary_of
from mplus_eval.reports.tables import NO_SUMMARY
from mplus_eval.reports.text import one_line
from mplus_eval.reports.verdicts import is_comparable

HELD_OUT = "referee"
"""The part of the rewards by a held-out reward model, which training never saw."""
MACRO_AVERAGE = "Macro-average, percent"
DISTANCE = "KL to the base, nats per answer"
REWARD, HELD_OUT_REWARD = "Training reward, ", "Held-out reward, "
V = TypeVar("V")
Part = Literal["rewards", "measures"]


class StepToxicity(NamedTuple):
    """The primary measure of toxicity by its name and set; `bar` is None where the step is not comparable."""

    name: str
    bar: Bar | None


class TrajectoryStep(NamedTuple):
    """The baseline, a saved step or the final model, with what was found of it; `summary` is over the shared items."""

    step: int
    entry: ModelEntry
    summary: Summary
    behaviour: Behaviour | None
    is_base: bool = False
    toxicity: StepToxicity | None = None

    @property
    def kl(self) -> float | None:
        """The KL to the base, nats per answer; of the baseline 0."""
        if self.is_base:
            return 0.0
        dose = self.entry.training.dose if self.entry.training else None
        return dose.kl_answers if dose else None

    def part(self, part: Part) -> dict[str, float]:
        """The `rewards` or `measures` of its answers, by name; empty where they were not measured."""
        if self.behaviour is None:
            return {}
        return self.behaviour.rewards if part == "rewards" else self.behaviour.measures


class Panel(NamedTuple):
    """One quantity along a training: its name with its unit, and a value per step."""

    name: str
    points: dict[int, Bar]


def without_steps(comparison: Comparison) -> Comparison:
    """The comparison without the saved steps of a training, which stand in its trajectory only."""
    steps = {name for name, entry in comparison.models.items() if entry.trajectory is not None}
    steps -= {comparison.baseline}
    if not steps:
        return comparison

    def others(by_model: Mapping[str, V]) -> dict[str, V]:
        return {name: value for name, value in by_model.items() if name not in steps}

    tasks = {}
    for name, task in comparison.tasks.items():
        subjects = {
            place: subject.model_copy(update={"scores": others(subject.scores), "contrasts": others(subject.contrasts)})
            for place, subject in task.subjects.items()
        }
        update = {"scores": others(task.scores), "contrasts": others(task.contrasts), "subjects": subjects}
        tasks[name] = task.model_copy(update=update)
    toxicity = comparison.toxicity
    return comparison.model_copy(
        update={
            "models": others(comparison.models),
            "tasks": tasks,
            "summary": others(comparison.summary),
            "pairs": tuple(pair for pair in comparison.pairs if not {pair.model, pair.against} & steps),
            "missing": tuple(cell for cell in comparison.missing if cell.model not in steps),
            "toxicity": toxicity.model_copy(update={"models": others(toxicity.models)}) if toxicity else None,
        }
    )


def trajectories(comparison: Comparison) -> dict[str, list[TrajectoryStep]]:
    """Baseline, saved steps and final model of every training, in order, by the name of what is trained."""
    names = dict.fromkeys(entry.trajectory for entry in comparison.models.values() if entry.trajectory is not None)
    base, by_name = comparison.baseline, {}
    for name in names:
        points = comparison.trajectories.get(name)
        averages = points.averages if points else comparison.summary
        along = {
            model: (entry, step)
            for model, entry in comparison.models.items()
            if model != base
            and (entry.trajectory == name or model == name)
            and (step := entry.trained_steps) is not None
        }
        # Other trainers than this project's leave no record of a training.
        of_base = base_behaviour(entry.training for entry, _ in along.values() if entry.training)
        average, toxicity = averages.get(base, NO_SUMMARY), step_toxicity(base, comparison)
        steps = {0: TrajectoryStep(0, comparison.models[base], average, of_base, True, toxicity)}
        for model, (entry, step) in along.items():
            average, toxicity = averages.get(model, NO_SUMMARY), step_toxicity(model, comparison)
            behaviour = entry.training.behaviour if entry.training else None
            steps[step] = TrajectoryStep(step, entry, average, behaviour, toxicity=toxicity)
        by_name[name] = [steps[step] for step in sorted(steps)]
    return by_name


def step_toxicity(model: str, comparison: Comparison) -> StepToxicity | None:
    """The primary measure of one model; None where it was not measured."""
    toxicity = comparison.toxicity
    on_primary = primary_of(toxicity, model) if toxicity else None
    if toxicity is None or on_primary is None:
        return None
    measure = primary_named(toxicity)
    name = f"{measure[:1].upper()}{measure[1:]}, {toxicity.primary.set}"
    measured = primary_measure(toxicity, on_primary)
    return StepToxicity(name, Bar.known(measured.value, measured.ci) if is_comparable(on_primary.contrast) else None)


def base_behaviour(trainings: Iterable[Training]) -> Behaviour | None:
    """What the baseline's answers are like, as the first training knows that measured it."""
    return next((training.base_behaviour for training in trainings if training.base_behaviour), None)


def panels_of(steps: list[TrajectoryStep]) -> Iterable[Panel]:
    """What is drawn of a trajectory, by step: whatever three points or more have a value of."""
    toxicities = dict.fromkeys(step.toxicity.name for step in steps if step.toxicity)
    behaviours = [step.behaviour for step in steps]
    values: dict[str, list[Bar | None]] = {
        MACRO_AVERAGE: [Bar.known(step.summary.macro_average, step.summary.ci, 100) for step in steps],
        **{name: [step.toxicity.bar if step.toxicity else None for step in steps] for name in toxicities},
        DISTANCE: [Bar.known(step.kl, None) for step in steps],
        **{reward_named(name): bars for name, bars in part_values(steps, "rewards").items()},
        **{f"Measure {name}": bars for name, bars in part_values(steps, "measures").items()},
        "Ends with EOS, percent": [Bar(100 * of.end_of_turn_rate, None) if of else None for of in behaviours],
        "Distinct answers, percent": [Bar(100 * of.distinct_answers, None) if of else None for of in behaviours],
    }
    for name, bars in values.items():
        points = {step.step: bar for step, bar in zip(steps, bars, strict=True) if bar}
        if len(points) >= FEWEST_VALUES:
            yield Panel(one_line(name), points)


def reward_named(name: str) -> str:
    """A part of the rewards, by what it is to the training: `Training reward, model`, `Held-out reward, referee`."""
    return f"{HELD_OUT_REWARD if name == HELD_OUT else REWARD}{one_line(name)}"


def part_values(steps: Iterable[TrajectoryStep], part: Part) -> dict[str, list[Bar | None]]:
    """Of every reward or measure that any step has a value of, the value at each step."""
    parts = [step.part(part) for step in steps]
    names = dict.fromkeys(name for values in parts for name in values)
    return {name: [Bar.known(values.get(name), None) for values in parts] for name in names}


def choice_of_step(points: TrajectoryPoints | None) -> str:
    """What choosing the best step does to its figure; empty where there is no choice."""
    if points is None or not points.selection_bias:
        return ""
    n_steps, bias = formats.count(len(points.averages) - 1), f"{points.selection_bias:.1f}"
    return (
        f"Were all alike, the best of {n_steps} steps would look {bias} standard errors better than it is: confirm a "
        "chosen step on fresh items."
    )


def over_optimisation(panels: Iterable[Panel]) -> str | None:
    """Say which part of the reward ends higher, and the held-out one lower, than at the latter's best step."""
    known = {panel.name: {step: bar.value for step, bar in panel.points.items()} for panel in panels}
    held_out = known.pop(reward_named(HELD_OUT), {})
    if not held_out:
        return None
    best, last = max(held_out, key=lambda step: held_out[step]), max(held_out)
    for name, values in known.items():
        rises = name.startswith(REWARD) and values.get(last, 0) > values.get(best, float("inf"))
        if rises and held_out[last] < held_out[best]:
            return (
                f"over-optimisation after step {best}: training reward {name.removeprefix(REWARD)} rises from "
                f"{formats.plain(values[best])} to {formats.plain(values[last])} while the held-out reward falls from "
                f"{formats.plain(held_out[best])} to {formats.plain(held_out[last])}"
            )
    return None
