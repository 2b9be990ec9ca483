"""An axis as the line sees it: what is asked, how it is scored and how it is aggregated.

    load        settings and items, checked whole before any work
    for_models  the axis once the models are found; None where it has nothing to ask of them
    asked       what will be asked of how much, said before the start
    cells       one model's cells, each with a fingerprint of everything that can change its numbers
    draw        requests of some items, to count and time what will be asked
    generate    answers to the items of a cell, part by part
    score       answers to outcomes, part by part
    judge       what is judged once all answers are there
    aggregate   its fields of the comparison

Three wings implement it, with the same file names for the same stages. Another axis is a folder and a line in `AXES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, Self

from mplus_eval.backends import Backend
from mplus_eval.backends.work import Draw
from mplus_eval.capability.axis import Capability
from mplus_eval.capability.stored_axis import StoredCapability
from mplus_eval.conversation.axis import Conversation
from mplus_eval.harmlessness.axis import Harmlessness
from mplus_eval.models.cells import Cell, Part
from mplus_eval.models.chat_format import Talker
from mplus_eval.models.hub import Preparing
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.suite import Suite
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.run_directory import RunDirectory

Failures = Mapping[tuple[str, str], str]
"""Why a cell failed, by model and task."""


class FollowUp(Protocol):
    """Something that the baseline is asked about the answers of another model."""

    @property
    def cell(self) -> Cell:
        """The cell of the answers, which fails when the baseline cannot be asked."""

    @property
    def part(self) -> Part:
        """The part of it."""

    @property
    def doing(self) -> str:
        """What is being done, for the cause of a failure."""

    def ask(self, baseline: Backend, directory: RunDirectory) -> None:
        """Ask it, and store what the baseline says."""


class Axis(Protocol):
    """One of the three questions: capability, harmlessness, conversation."""

    @property
    def name(self) -> str:
        """As cells name it."""

    @classmethod
    def faults(cls, spec: CompareSpec, suite: Suite) -> list[str]:
        """What is wrong with what was asked for that can be told without data, within a second or so."""

    @classmethod
    def chats(cls, spec: CompareSpec, suite: Suite) -> bool:
        """Whether anything would be put to models as a user's words, so that their chat formats matter."""

    @classmethod
    def load(cls, spec: CompareSpec, suite: Suite, preparing: Preparing | None) -> tuple[Self | None, list[str]]:
        """Settings and items of a run without `faults`, None where this axis is not evaluated; and what they lack."""

    @property
    def asks_baseline_last(self) -> bool:
        """Whether the baseline is asked about the answers of the others, and so comes after them."""

    def for_models(self, models: Sequence[ResolvedModel]) -> Self | None:
        """The axis of these models; None where it has nothing to ask of them.

        Raises:
            SpecError: it was asked for by name, and cannot be evaluated of these models.
        """

    def asked(self) -> Iterator[str]:
        """How many of the items that there are will be asked, in lines; none where it is all of them."""

    def cells(self, model: ResolvedModel) -> tuple[Cell, ...]:
        """What one model is asked."""

    def next_round(self, cells: Sequence[Cell], number: int, directory: RunDirectory, failures: Failures) -> list[Cell]:
        """The cells that are to be asked up to a round, after the first; none where all that is asked is there.

        Args:
            cells: of this axis.
            number: the round, from 1.
            directory: where the outcomes of the rounds before lie.
            failures: cells that failed, which are asked no more.
        """

    def noise_rerun(self, baseline: ResolvedModel) -> tuple[Cell, ...]:
        """What the baseline is asked once more, under another name, where a noise floor was asked for."""

    def cost(self, missing: Sequence[tuple[Cell, Sequence[Part]]]) -> str | None:
        """What is still to be computed, in a sentence, where it is more than a user would think."""

    def draw(self, cell: Cell, parts: Sequence[Part], talker: Talker | None) -> Iterator[Draw]:
        """Requests of some items of parts, as `generate` puts them, for what is counted and timed beforehand.

        Args:
            cell: the cell.
            parts: of it, that are to be asked.
            talker: the model, or its tokenizer alone; None where neither is at hand.
        """

    def generate(
        self, cell: Cell, parts: Sequence[Part], backend: Backend, on_items: Callable[[int], None]
    ) -> Iterator[tuple[Part, list[Answer]]]:
        """Ask a loaded model some parts of a cell; `on_items` is called with the items done since the last call."""

    def follow_ups(self, cells: Sequence[Cell], baseline: ResolvedModel, directory: RunDirectory) -> Sequence[FollowUp]:
        """What the baseline has not been asked yet about the stored answers of the others."""

    def score_components(self, cell: Cell) -> Mapping[str, str] | None:
        """What a score depends on besides the answers; None where answers are judged, not scored."""

    def scores_beside(self, cell: Cell, device: str) -> bool:
        """Whether answers are scored on another device than the model computes on, and so at the same time."""

    def score(self, cell: Cell, part: Part, answers: Sequence[Answer]) -> list[Outcome]:
        """Turn the answers of one part into outcomes."""

    def judge(
        self,
        cells: Sequence[Cell],
        directory: RunDirectory,
        prepare: Callable[[str, int, int], None],
        say: Callable[[str], None],
    ) -> Mapping[str, str]:
        """Have judged what is judged, once all answers of the cells that did not fail are there.

        Returns:
            The fingerprints of those whose verdicts `aggregate` reads, by name.
        """

    def aggregate(
        self,
        directory: RunDirectory,
        models: Mapping[str, ModelEntry],
        failures: Failures,
        judges: Mapping[str, str],
    ) -> Mapping[str, object]:
        """Turn what is stored into this axis' fields of the comparison."""


AXES: tuple[type[Axis], ...] = (Capability, Harmlessness, Conversation)
"""In the order of the report, and in which a model is asked."""
STORED_AXES: tuple[type[Axis], ...] = (StoredCapability,)
"""Where results that other tools stored are compared."""
