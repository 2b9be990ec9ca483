"""The kinds of judges, as they are named on the command line and in suites: the kind, and behind a colon what it needs.

    --judge llm:qwen3@http://localhost:8000/v1

To add one, add a line here, and a module of its name in `mplus_eval.judges` with the functions of `JudgeModule`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mplus_eval.errors import SpecError


@dataclass(frozen=True)
class JudgeKind:
    """A kind of judge: how it is named, and what it can do besides judging pairs."""

    name: str
    """Stands in front of the colon; the module of `mplus_eval.judges` that holds it is called so too."""
    accepted: tuple[str, ...]
    """How a judge of this kind is written."""
    detail: str
    """What stands behind the colon must match this pattern whole."""
    example: str = ""
    """How the help of an option shows it."""
    grades: bool = False
    """Whether it grades single answers too, as an `AnswerGrader`."""
    tells_refusals: bool = False
    """Whether it tells refusals, as a `RefusalJudge`."""
    loads_model: bool = False
    """Whether it loads a model on the machine that judges."""
    people: bool = False
    """Whether people judge, who see a run's pairs in a file."""
    acts: bool = False
    """Whether it runs code or sends texts away, so that no file of a run may name one unasked."""


KINDS = (
    # The reward model beside one of the models, as training leaves it, the held-out one, or the one of a directory.
    JudgeKind("reward", ("referee", "reward", "reward:PATH"), ".*", "reward:PATH", loads_model=True),
    # A language model behind an OpenAI-compatible API; its key is read from OPENAI_API_KEY.
    JudgeKind(
        "llm", ("llm:MODEL@http://HOST:PORT/v1",), ".*@.*", "llm:MODEL@URL", grades=True, tells_refusals=True, acts=True
    ),
    # Verdicts that people wrote into an exported file.
    JudgeKind("human", ("human:FILE.csv",), ".+", "human:FILE", people=True),
    # A function of prompt, answer and whether it ended; the higher value wins.
    JudgeKind("function", ("function:MODULE:NAME",), ".*:.*", acts=True),
)

_FORMS = [form for kind in KINDS for form in kind.accepted]
ACCEPTED = f"{', '.join(_FORMS[:-1])} or {_FORMS[-1]}"
EXAMPLES = ", ".join(kind.example for kind in KINDS if kind.example)
REFUSAL_EXAMPLES = ", ".join(kind.example for kind in KINDS if kind.tells_refusals)


def judge_kind(source: str) -> JudgeKind:
    """The kind of a judge by how it is named.

    Raises:
        SpecError: no judge is named so.
    """
    name, _, detail = source.partition(":")
    for kind in KINDS:
        if source in kind.accepted or (kind.name == name and re.fullmatch(kind.detail, detail, re.DOTALL)):
            return kind
    raise SpecError([f"judge {source!r}: accepted: {ACCEPTED}"])
