"""Which of a run's judges decides for a model, and what another judge's verdict does to its verdict.

A judge that trained one of the two models prefers what it taught: that a model wins by the reward that it was trained
to raise says that training worked, not that the model talks better. A model that judges prefers its own answers
(Panickssery et al., arXiv 2404.13076). Neither is independent, and neither decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mplus_eval.judges.base import JudgeWeights
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.records.conversation import Judging
from mplus_eval.records.verdict import Verdict

_KEPT = (Verdict.IMPROVED, Verdict.PRESERVED)


@dataclass(frozen=True)
class Dependence:
    """What ties a judge to the two models that it holds against each other.

    Attributes:
        trained_model: whether it trained the model that is judged, or lies beside it and may have.
        reasons: why it does not decide; empty where it does.
    """

    trained_model: bool = False
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, judge: JudgeWeights, model: ModelEntry, baseline: ModelEntry) -> Dependence:
        """Look for a judge's weights in both models and in what trained them.

        Args:
            name: the judge's.
            judge: its weights; a judge without any is independent.
            model: the one that is judged.
            baseline: what it is held against.
        """
        # A base often lies beside the reward model that was made with it, so there only what is recorded counts.
        held_against = baseline if baseline.training else baseline.model_copy(update={"trained_by": ()})
        reasons = (*_ties(name, judge, model, "this model"), *_ties(name, judge, held_against, "the baseline"))
        return cls(judge.hash in model.trained_by, reasons)


@dataclass(frozen=True)
class Decision:
    """What stands of a model that one judge or several have judged.

    Attributes:
        judging: of the judge that decides; its verdict and reasons are those that stand.
        second: of another judge.
        verdict_alone: that of the judge that decides, where another one contradicts it.
    """

    judging: Judging
    second: Judging | None = None
    verdict_alone: Verdict | None = None


def decide(judged: Sequence[tuple[Judging, Dependence]]) -> Decision:
    """Let the first independent judge decide; where there is none, the first, whose verdict is withheld.

    Second stands the first judge that contradicts it, else the first other that is independent, else the first other.

    Args:
        judged: what every judge says of one model, in the order of the run, one at least.
    """
    first = next((judging for judging, ties in judged if not ties.reasons), judged[0][0])
    others = [each for each in judged if each[0] is not first]
    others.sort(key=lambda each: (not contradict(first, each[0]), bool(each[1].reasons)))
    if not others:
        return Decision(first)
    second = others[0][0]
    if not contradict(first, second):
        return Decision(first, second)
    verdicts = " and ".join(f"{judging.judge} says {judging.verdict}" for judging in (first, second))
    disagreeing = first.model_copy(update={"verdict": Verdict.JUDGES_DISAGREE, "reasons": (verdicts,)})
    return Decision(disagreeing, second, first.verdict)


def contradict(first: Judging, second: Judging) -> bool:
    """Whether one judge has it that the model talks worse, and the other that it does not."""
    return any(
        one.verdict in _KEPT and other.verdict == Verdict.DEGRADED for one, other in ((first, second), (second, first))
    )


def _ties(name: str, judge: JudgeWeights, entry: ModelEntry, which: str) -> Iterator[str]:
    if judge.hash and judge.hash in entry.trained_by:
        # Of a model that says nothing of its training, nothing is known but what lies beside it.
        how = "trained" if entry.training else "lies beside and may have trained"
        yield f"the judge {how} {which} ({name})"
    if (judge.hash and judge.hash == entry.weights) or (judge.served and judge.served == entry.source):
        yield f"the judge is {which} itself ({name})"
