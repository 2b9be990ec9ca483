"""Judges: who says which of two answers is better, or how good one is.

A judge is named by its kind and what the kind needs to know, on the command line and in suites:

    --judge llm:qwen3@http://localhost:8000/v1

A new kind of judge is a module in this folder, with the functions of `JudgeModule`, and a line of `KINDS`.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Protocol, cast

from mplus_eval.errors import SpecError
from mplus_eval.judges.base import JudgeContext, PairJudge

__all__ = ["ACCEPTED", "KINDS", "JudgeContext", "JudgeKind", "judge_faults", "judge_kind", "load_judge"]


class JudgeModule(Protocol):
    """What a module has that implements a kind of judge; `detail` is what stands behind the first colon."""

    def source_faults(self, detail: str, where: str) -> list[str]:
        """Return what stands in the way of the judge, a line each that begins with `where`."""

    def load(self, detail: str, context: JudgeContext) -> PairJudge:
        """The judge, ready to be asked."""


@dataclass(frozen=True)
class JudgeKind:
    """A kind of judge: how it is named, and what it can do besides judging pairs."""

    name: str
    forms: tuple[str, ...]
    """How a judge of this kind is written."""
    pattern: str
    """What stands behind the colon must match it whole."""
    module: str
    """The module of this folder that implements it; imported when such a judge is named."""
    grades: bool = False
    """Whether its judges are an `AnswerGrader`."""
    tells_refusals: bool = False
    """Whether its judges are a `RefusalJudge`."""
    people: bool = False
    """Whether people judge, who see a run's pairs in a file."""

    @property
    def implementation(self) -> JudgeModule:
        """The module, imported."""
        return cast("JudgeModule", importlib.import_module(f"{__name__}.{self.module}"))


KINDS = (
    # The reward model beside one of the models, as training leaves it, or the one of a directory.
    JudgeKind("reward", ("reward", "reward:PATH"), ".*", "reward"),
    # A language model behind an OpenAI-compatible API; its key is read from OPENAI_API_KEY.
    JudgeKind("llm", ("llm:MODEL@http://HOST:PORT/v1",), ".*@.*", "llm", grades=True, tells_refusals=True),
    # Verdicts that people wrote into an exported file.
    JudgeKind("human", ("human:FILE.csv",), ".+", "human", people=True),
    # A function of prompt, answer and whether it ended; the higher value wins.
    JudgeKind("function", ("function:MODULE:NAME",), ".*:.*", "function"),
)

_FORMS = [form for kind in KINDS for form in kind.forms]
ACCEPTED = f"{', '.join(_FORMS[:-1])} or {_FORMS[-1]}"
"""All that can be written, for messages and help."""


def judge_kind(source: str) -> JudgeKind:
    """The kind of a judge by how it is named.

    Raises:
        SpecError: no judge is named so.
    """
    name, _, detail = source.partition(":")
    for kind in KINDS:
        if kind.name == name and re.fullmatch(kind.pattern, detail, re.DOTALL):
            return kind
    raise SpecError([f"judge {source!r}: accepted: {ACCEPTED}"])


def judge_faults(source: str) -> list[str]:
    """Return what stands in the way of a judge, a line each, before any answer is generated."""
    try:
        kind = judge_kind(source)
    except SpecError as error:
        return list(error.faults)
    return kind.implementation.source_faults(source.partition(":")[2], f"judge {source!r}")


def load_judge(source: str, context: JudgeContext) -> PairJudge:
    """A judge, ready to be asked.

    Args:
        source: checked by `judge_faults`, and a bare `reward` replaced by `with_reward_model`.
        context: what it may need of the run.
    """
    return judge_kind(source).implementation.load(source.partition(":")[2], context)
