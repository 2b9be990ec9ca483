"""What is judged, what a judge says, and what every judge offers.

A preference is told from the view of the second model, which is compared with the first, the baseline: 1 it wins,
0 the baseline wins, 0.5 a tie. A pair that could not be judged has no preference, and a cause instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from mplus_eval.judges.cost import CostEstimate

WIN, TIE, LOSS = 1.0, 0.5, 0.0


@dataclass(frozen=True)
class Question:
    """What the user says, turn by turn."""

    item_id: str
    category: str | None
    turns: tuple[str, ...]
    references: tuple[str | None, ...] = ()
    """Reference answers, one for each turn, None where there is none; empty when there is none at all."""

    def reference(self, turn: int) -> str | None:
        """The reference answer to a turn, counted from 1."""
        return self.references[turn - 1] if turn <= len(self.references) else None


@dataclass(frozen=True)
class PairwiseItem:
    """The answers of two models to one question, up to the turn that is judged."""

    question: Question
    turn: int
    """The turn whose answers are judged, counted from 1."""
    first: tuple[str, ...]
    """The baseline's answers to the turns 1 to `turn`."""
    second: tuple[str, ...]
    """The other model's answers to the turns 1 to `turn`."""

    def __post_init__(self) -> None:
        """Refuse answers that do not fit the turn."""
        _check_turn(self.question, self.turn, self.first, self.second)

    @property
    def swapped(self) -> PairwiseItem:
        """The same pair with the two models in each other's place."""
        return PairwiseItem(self.question, self.turn, self.second, self.first)


@dataclass(frozen=True)
class SingleAnswer:
    """One model's answers to one question, up to the turn that is graded."""

    question: Question
    turn: int
    answers: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse answers that do not fit the turn."""
        _check_turn(self.question, self.turn, self.answers)


@dataclass(frozen=True)
class Judgement:
    """What a judge says of a pair."""

    preference: float | None
    """WIN, TIE or LOSS of the second model; None when unjudged. Verdicts that change with the order are a tie."""
    baseline_first: float | None = None
    """The preference when the baseline's answer was shown first; None when it was not asked so, or unjudged."""
    model_first: float | None = None
    """The preference, still of the second model, when its answer was shown first."""
    consistent: bool | None = None
    """Whether both orders gave the same; None when not both were asked and answered."""
    cause: str | None = None
    """Why it is unjudged."""
    reasons: tuple[str, ...] = ()
    """What the judge said for its verdicts, in the order of the two fields above."""
    tokens_in: int = 0
    """Tokens that its verdicts cost, also when they were read from the cache."""
    tokens_out: int = 0
    margin: float | None = None
    """Reward of the second model's answer minus that of the baseline's; None with other judges."""
    n_truncated: int = 0
    """How many of the two dialogues were cut since the judge cannot read more."""


@dataclass(frozen=True)
class Grade:
    """What a judge says of one answer."""

    grade: int | None
    """1 to 10; None when ungraded."""
    cause: str | None = None
    reason: str = ""
    with_reference: bool = False
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True)
class RefusalVerdict:
    """What a judge says of one answer to a request."""

    refused: bool | None
    """None when unjudged."""
    cause: str | None = None
    reason: str = ""


OnJudged = Callable[[int, Judgement], None]
"""Told the place of each pair and its judgement."""


class PairJudge(Protocol):
    """A judge of pairs."""

    @property
    def name(self) -> str:
        """How reports call it."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that can change its verdicts."""

    def judge(self, items: Sequence[PairwiseItem], on_judged: OnJudged | None = None) -> list[Judgement]:
        """Judge pairs.

        Args:
            items: what to judge.
            on_judged: called in this thread with the place of each pair and its judgement, as soon as there is one.

        Returns:
            A judgement for each pair, in their order.
        """


@runtime_checkable
class AnswerGrader(Protocol):
    """A judge that also grades single answers."""

    @property
    def name(self) -> str:
        """How reports call it."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that can change its grades."""

    def grade(
        self, answers: Sequence[SingleAnswer], on_graded: Callable[[int, Grade], None] | None = None
    ) -> list[Grade]:
        """A grade for each answer, in their order; `on_graded` as in `PairJudge.judge`."""


@runtime_checkable
class RefusalJudge(Protocol):
    """A judge that also tells whether an answer refuses what was asked for."""

    @property
    def name(self) -> str:
        """How reports call it."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that can change its verdicts."""

    @property
    def concurrency(self) -> int:
        """How many answers it looks at in the same time."""

    def refusals(self, answered: Sequence[tuple[str, str]]) -> list[RefusalVerdict]:
        """A verdict for each request and its answer, in their order."""


@runtime_checkable
class PaidJudge(Protocol):
    """A judge whose verdicts cost tokens."""

    def estimate(self, pairs: Sequence[PairwiseItem] = (), answers: Sequence[SingleAnswer] = ()) -> CostEstimate:
        """What judging these pairs and grading these answers will roughly cost."""


@dataclass(frozen=True)
class JudgeContext:
    """What of a run a judge may need when it is made."""

    cache: Path
    """Where a language model's verdicts are kept."""
    items: Sequence[PairwiseItem]
    """All pairs of all models, which stand in one file of people's verdicts."""
    seed: int
    """With which that file was exported."""


@dataclass(frozen=True)
class JudgeWeights:
    """What a judge is made of, by which it is known under any name; empty where that is not known, as of people.

    Attributes:
        hash: of its weights, as `store.hashes.weights_hash` makes it.
        served: the model that a server was asked for.
    """

    hash: str = ""
    served: str = ""


class JudgeModule(Protocol):
    """What a module of this folder has that holds a kind of judge; `detail` is what stands behind the first colon."""

    def faults(self, detail: str, where: str) -> list[str]:
        """Return what stands in the way of the judge, a line each that begins with `where`."""

    def load(self, detail: str, context: JudgeContext) -> PairJudge:
        """The judge, ready to be asked."""

    def weights(self, detail: str) -> JudgeWeights:
        """What the judge is made of."""


def combined(baseline_first: float, model_first: float) -> float:
    """The preference of two orders: what both say, else a tie (Zheng et al., arXiv 2306.05685, section 3.4).

    >>> combined(WIN, WIN), combined(WIN, LOSS), combined(WIN, TIE)
    (1.0, 0.5, 0.5)
    """
    return baseline_first if baseline_first == model_first else TIE


def _check_turn(question: Question, turn: int, *answers: tuple[str, ...]) -> None:
    if not 1 <= turn <= len(question.turns) or any(len(texts) != turn for texts in answers):
        counts = ", ".join(str(len(texts)) for texts in answers)
        raise ValueError(f"{question.item_id}: turn {turn} of {len(question.turns)} with {counts} answers")
