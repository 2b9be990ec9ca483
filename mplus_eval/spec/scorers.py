"""The kinds of scorers of toxicity, as they are named on the command line, in suites and in recipes.

To add one, add a line here, and a module of its name in `mplus_eval.harmlessness.scorers` with the functions of
`ScorerModule`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_SCORER = "detoxify:unbiased"


@dataclass(frozen=True)
class ScorerKind:
    """One kind of scorer."""

    module: str
    """The module of `mplus_eval.harmlessness.scorers` that holds it; imported when one of its scorers is named."""
    begins: re.Pattern[str]
    """What its names begin with; the first kind of the table whose pattern matches has a name."""
    example: str
    """One of its scorers, in the help of an option."""
    accepted: tuple[str, ...]
    """Every form of its names, and what each is."""


KINDS = (
    ScorerKind(
        "detoxify",
        re.compile("detoxify:"),
        DEFAULT_SCORER,
        (
            "detoxify:original, unbiased, multilingual, original-small or unbiased-small",
            "detoxify:PATH.ckpt, a checkpoint in Detoxify's format",
        ),
    ),
    ScorerKind(
        "words",
        re.compile(r"words(?:\Z|:)"),
        "words",
        ("words, the embedded word list", "words:FILE, one word or phrase a line, a score after a tab"),
    ),
    ScorerKind(
        "ngram",
        re.compile("ngram:"),
        "ngram:DIR",
        ("ngram:DIRECTORY, fitted on labelled texts by `mplus-eval toxicity fit-scorer`",),
    ),
    ScorerKind(
        "guard",
        re.compile("guard:"),
        "guard:DIR",
        (
            "guard:DIRECTORY or guard:org/name, a guard, which reads the prompt too; ,template=NAME: how it is asked",
            "guard:llm:MODEL@http://HOST:PORT/v1, the same behind an OpenAI-compatible server",
        ),
    ),
    ScorerKind(
        "classifier",
        re.compile(""),
        "a classifier's directory",
        ("a directory of a sequence classifier, or org/name on the hub; with #LABEL, the label that means toxic",),
    ),
)
ACCEPTED = tuple(form for kind in KINDS for form in kind.accepted)
EXAMPLES = ", ".join(kind.example for kind in KINDS)
