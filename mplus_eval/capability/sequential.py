"""Asking in rounds, and no further than verdicts need (`--sequential`).

After each round every task of a model is looked at, and is left when its verdict is settled; so is the suite. Where all
tasks are settled and the suite is not, all are asked on for its sake. Everything is found anew from stored outcomes and
the seed, so a run that was killed comes to the same verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from mplus_eval.capability.macro_average import SuiteDifference, macro_average
from mplus_eval.capability.rounds import Rounds
from mplus_eval.capability.versus import CapabilityRun, Items, TaskFacts
from mplus_eval.statistics.contrast import AnyDifference
from mplus_eval.statistics.difference import Difference, Scale
from mplus_eval.statistics.looks import counted_against, difference_look, ended, margin_of_look, silent_look
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from mplus_eval.statistics.sequential import Decision, Look, Progress, boundary_look, decide

Key = tuple[str, str]
"""Model and task."""
Outcomes = Mapping[Key, pd.DataFrame]


@dataclass
class Course:
    """How the asking of one model, or of several whose tests are adjusted together, has gone.

    Attributes:
        asked: by model and task, the last round that was asked.
        differences: at the look that decided, or the last.
        decisions: what it decided.
        at: its round.
        suites: by model, the change over the suite at the look that decided, or the last; none where there is no suite.
        suite_decisions: what it decided.
        suite_at: by model and task, the rounds that were asked then.
        suite_looks: by model, how often the suite was looked at.
        wanted: what is asked in the next round.
    """

    asked: dict[Key, int] = field(default_factory=dict)
    differences: dict[Key, AnyDifference] = field(default_factory=dict)
    decisions: dict[Key, Decision] = field(default_factory=dict)
    at: dict[Key, int] = field(default_factory=dict)
    suites: dict[str, SuiteDifference] = field(default_factory=dict)
    suite_decisions: dict[str, Decision] = field(default_factory=dict)
    suite_at: dict[str, dict[str, int]] = field(default_factory=dict)
    suite_looks: dict[str, int] = field(default_factory=dict)
    wanted: set[Key] = field(default_factory=set)

    def is_open(self, key: Key) -> bool:
        """Whether a task is not settled."""
        return key not in self.decisions or not self.decisions[key].is_settled

    def suite_is_open(self, model: str) -> bool:
        """Whether a model's suite is there and not settled."""
        return model in self.suite_decisions and not self.suite_decisions[model].is_settled


@dataclass(eq=False)
class Asking:
    """Follows the asking of a run, round by round."""

    run: CapabilityRun
    rounds: Rounds
    _known: dict[tuple[Key, int], AnyDifference | None] = field(default_factory=dict)
    """Differences by model, task and round, which later looks at a run need again."""
    _known_suites: dict[tuple[str, tuple[int, ...]], SuiteDifference | None] = field(default_factory=dict)
    """The same of suites, by the rounds of their tasks."""

    @cached_property
    def tasks(self) -> dict[str, TaskFacts]:
        """By name."""
        return {task.name: task for task in self.run.tasks}

    def families(self, models: Sequence[str]) -> list[list[str]]:
        """The models whose tests are adjusted together."""
        others = [model for model in models if model != self.run.baseline]
        return [others] if self.run.adjust == "models" else [[model] for model in others]

    def follow(self, outcomes: Outcomes, models: Sequence[str], last: int | None = None) -> Course:
        """Replay the asking of a family of models.

        Args:
            outcomes: of the models and the baseline; a cell that failed is absent.
            models: without the baseline.
            last: the last round that counts; all that are there when None.
        """
        keys = [
            (model, task)
            for model in models
            for task in self.tasks
            if (model, task) in outcomes and (self.run.baseline, task) in outcomes
        ]
        course = Course(wanted=set(keys))
        number = 0
        while course.wanted and (last is None or number <= last):
            there = [key for key in keys if key in course.wanted and self._reaches(outcomes, key, number)]
            if not there:
                break
            course.asked |= {key: min(number, self.rounds.last(key[1])) for key in there}
            self._look_at_tasks(course, outcomes, there, len(keys))
            self._look_at_suites(course, outcomes, models)
            course.wanted = self._wanted(course, keys)
            number += 1
        return course

    def wanted(self, outcomes: Outcomes, models: Sequence[str], number: int) -> set[Key]:
        """What is asked in a round, of the models and of the baseline that they are held against."""
        wanted = set[Key]()
        for family in self.families(models):
            wanted |= self.follow(outcomes, family, number - 1).wanted
        return wanted | {(self.run.baseline, task) for _, task in wanted}

    def items(self, outcomes: Outcomes, cells: Mapping[Key, int]) -> Items:
        """The scored items of cells, each up to a round."""
        return {key: self._scored(outcomes, key, number) for key, number in cells.items()}

    def _wanted(self, course: Course, keys: Sequence[Key]) -> set[Key]:
        """Of each model the tasks that are open; all, where none is and the suite still is."""
        more = [key for key in keys if course.asked.get(key, -1) < self.rounds.last(key[1])]
        wanted = {key for key in more if course.is_open(key)}
        busy = {model for model, _ in wanted}
        # One task alone does not wait for a suite that has a smaller margin than itself.
        return wanted | {
            key for key in more if key[0] not in busy and len(self.tasks) > 1 and course.suite_is_open(key[0])
        }

    def _reaches(self, outcomes: Outcomes, key: Key, number: int) -> bool:
        """Whether a round was asked of a model and of the baseline."""
        cells = (outcomes[key], outcomes[self.run.baseline, key[1]])
        reached = min(self.rounds.reached(key[1], rows) for rows in cells)
        return min(number, self.rounds.last(key[1])) <= reached

    def _look_at_tasks(self, course: Course, outcomes: Outcomes, there: Sequence[Key], n_tests: int) -> None:
        """Look at the tasks that were asked on, and judge all that are not settled."""
        for key in there:
            found = self._difference(outcomes, key, course.asked[key])
            if course.is_open(key) and found is not None:
                course.differences[key], course.at[key] = found, course.asked[key]
        looks, margins = {}, {}
        for key, found in course.differences.items():
            if course.is_open(key):
                share = self.rounds.share(key[1], course.at[key])
                at_once = self.rounds.last(key[1]) == 0
                looks[key] = difference_look(found, share, self.run.suite.level, n_tests, at_once=at_once)
                margins[key] = margin_of_look(found)
        settled = {key: decision for key, decision in course.decisions.items() if decision.is_settled}
        idle = {key for key in looks if course.differences[key].idle}
        course.decisions = decide(looks, settled, margins, self.run.suite.level, idle)

    def _look_at_suites(self, course: Course, outcomes: Outcomes, models: Sequence[str]) -> None:
        """Look at the suites that are not settled."""
        looks, margins, settled, idle = {}, {}, {}, set()
        for model in models:
            if model in course.suite_decisions and not course.suite_is_open(model):
                settled[model] = course.suite_decisions[model]
                continue
            at = {task.name: course.asked.get((model, task.name), -1) for task in self.run.averaged}
            found = self._suite(outcomes, model, at)
            if found is not None:
                course.suites[model], course.suite_at[model] = found, at
                course.suite_looks[model] = course.suite_looks.get(model, 0) + 1
                looks[model] = self._suite_look(found, outcomes, model, at)
                margins[model] = found.margin
                if found.idle:
                    idle.add(model)
        course.suite_decisions = decide(looks, settled, margins, self.run.suite.level, idle)

    def _scored(self, outcomes: Outcomes, key: Key, number: int) -> ScoredItems:
        task = self.tasks[key[1]]
        return task.scored(self.rounds.until(task.name, outcomes[key], number))

    def _difference(self, outcomes: Outcomes, key: Key, number: int) -> AnyDifference | None:
        """One task's difference after a round; None where no item was scored by both models."""
        if (key, number) not in self._known:
            model, name = key
            pair = PairedItems.of(
                self._scored(outcomes, (self.run.baseline, name), number), self._scored(outcomes, key, number)
            )
            generator = self.run.rng_for(name, model, self.run.baseline)
            self._known[key, number] = (
                self.tasks[name].difference(pair, generator, level=self.run.suite.level) if len(pair) else None
            )
        return self._known[key, number]

    def _suite(self, outcomes: Outcomes, model: str, at: Mapping[str, int]) -> SuiteDifference | None:
        known = (model, tuple(at.values()))
        if known not in self._known_suites:
            self._known_suites[known] = self._found_suite(outcomes, model, at)
        return self._known_suites[known]

    def _differences(self, outcomes: Outcomes, model: str, at: Mapping[str, int]) -> list[Difference]:
        """Of the tasks of the suite, those that can be averaged."""
        found = [self._difference(outcomes, (model, task), number) for task, number in at.items() if number >= 0]
        return [each for each in found if isinstance(each, Difference) and each.scale == Scale()]

    def _found_suite(self, outcomes: Outcomes, model: str, at: Mapping[str, int]) -> SuiteDifference | None:
        """The change over the suite, each task after a round; None where one has none, or no score in [0, 1]."""
        differences = self._differences(outcomes, model, at)
        if len(differences) < len(at) or not at:
            return None
        own, other = (
            macro_average(
                [self._scored(outcomes, (each, task), number) for task, number in at.items()],
                [self.tasks[task].icc for task in at],
                self.run.suite.level,
            )
            for each in (model, self.run.baseline)
        )
        chance = float(np.mean([self.tasks[task].chance for task in at]))
        generator = self.run.rng_for("suite", model, self.run.baseline)
        return SuiteDifference.of(own, other, differences, self.run.suite, chance=chance, generator=generator)

    def _suite_look(self, found: SuiteDifference, outcomes: Outcomes, model: str, at: Mapping[str, int]) -> Look:
        """Look at a suite; its information is that of the mean over tasks."""
        differences = self._differences(outcomes, model, at)
        whole = sum(1 / self.rounds.sizes[task][-1] for task in at)
        progress = Progress(
            whole / sum(1 / self.rounds.n_asked(task, number) for task, number in at.items()),
            sum(each.design.n_items for each in differences),
            sum(each.design.n_clusters for each in differences),
            sum(np.count_nonzero(each.values) for each in differences),
        )
        is_whole = all(number >= self.rounds.last(task) for task, number in at.items())
        at_once = not any(self.rounds.last(task) for task in at)
        return suite_look(found, progress, self.run.suite.level, is_whole=is_whole, at_once=at_once)


def suite_look(
    found: SuiteDifference, progress: Progress, level: float, *, is_whole: bool, at_once: bool = False
) -> Look:
    """Look at the change over a suite; what the model failed to answer counts against it."""
    change, margin, worst = found.change, found.margin, found.with_failures
    if at_once:
        look = ended(silent_look(change, margin), change, found.p_value, margin, level, kept=1.0)
    else:
        look = boundary_look(
            change.up, change.down, change.effective_size, change.df, progress, margin, level,
            cautious_size=change.cautious_size,
        )  # fmt: skip
        look = ended(look, change, found.p_value, margin, level) if is_whole else look
    if worst is None:
        return look
    return counted_against(look, suite_look(worst, progress, level, is_whole=is_whole, at_once=at_once))
