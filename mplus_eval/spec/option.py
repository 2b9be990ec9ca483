"""Options of the command line: what their help says and which commands take them.

An option of `compare`, `toxicity` and `conversation` is a field of `CompareSpec` with an `Option` beside its type, and
nothing else. Those that other commands take as well stand here. Pydantic isn't needed for it, so that help stays quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mplus_eval.spec import judges, scorers

Command = Literal["compare", "toxicity", "conversation"]


@dataclass(frozen=True)
class Option:
    """How a field is given on the command line.

    Attributes:
        help: what it is, as `--help` says it.
        compare: whether `compare` takes it.
        toxicity: whether `toxicity` takes it; a text where its help says something else.
        conversation: the same of `conversation`.
        flag: its name, where that is not the field's: one of `scorers` is given as `--scorer`.
        metavar: what stands for the value, where that is not its type.
        variable: the environment variable that is read where it is not given.
        commas: whether several values are one text, separated by commas.
    """

    help: str
    compare: bool = True
    toxicity: bool | str = False
    conversation: bool | str = False
    flag: str | None = None
    metavar: str | None = None
    variable: str | None = None
    commas: bool = False

    def help_in(self, command: Command) -> str | None:
        """What the help of a command says of it; None where that command does not take it."""
        taken = {"compare": self.compare, "toxicity": self.toxicity, "conversation": self.conversation}[command]
        return (taken if isinstance(taken, str) else self.help) if taken else None


SUITE = Option("Suite: a shipped name or a YAML file.", toxicity=True, conversation=True)
TASKS = Option("Tasks, separated by commas: the suite's names, then any of lm-eval.", commas=True)
TASKS_DIR = Option("Folder with task definitions of your own.")
DATA_DIR = Option(
    "Folder that holds datasets as org/name, before the hub.",
    toxicity=True,
    conversation=True,
    variable="MPLUS_EVAL_DATA",
)
SCORERS = Option(
    f"Scorer of toxicity: {scorers.EXAMPLES}; twice to see them disagree.",
    toxicity=True,
    flag="scorer",
)
JUDGES = Option(
    f"Judge of conversation: {judges.EXAMPLES}; twice to see whether they agree.",
    toxicity=f"{judges.REFUSAL_EXAMPLES}, to tell refusals beside the patterns.",
    conversation=True,
    flag="judge",
)
