"""A suite: a named list of tasks with shots and metric, and the margins its verdicts use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from mplus_eval.errors import SpecError
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.spec.faults import Fault, faults_of, nearest
from mplus_eval.spec.fields import Accepts, Fields, Name, Positive
from mplus_eval.spec.harmlessness import (
    HarmlessnessSettings,
)
from mplus_eval.store.yaml import read_yaml


def _stop_strings(value: object) -> object:
    """One text is a list of one; a text that is empty would end every answer before it begins."""
    texts = [value] if isinstance(value, str) else value
    if texts is not None and (not isinstance(texts, list | tuple) or not texts or "" in texts):
        raise ValueError("no stop strings")
    return texts


Share = Annotated[float, Field(gt=0, lt=1)]
Choices = Literal["score", "generate"]
"""Choices: the log-probability of each is asked, or the letter of the right one."""
Examples = Literal["sampled", "fixed"]
"""Few-shot examples: as lm-eval's sampler gives them, most often drawn for each item, or the same for every item."""


class SuiteTask(Fields):
    """One task of a suite: an lm-eval task or group, and how this suite asks and scores it."""

    name: Name = Field(description="the name in the report, on disk and in --tasks")
    lm_eval: str = Field(description="lm-eval's task or group, one of this package's, or a YAML file beside the suite")
    shots: int | None = Field(default=None, ge=0, description="few-shot examples; lm-eval's own number when absent")
    examples: Annotated[Examples | None, Accepts("sampled or fixed")] = Field(
        default=None,
        description="fixed: the same examples for every item of a subtask; what the suite's `shots` says when absent",
    )
    metric: str | None = Field(default=None, description="lm-eval's metric; its first when absent")
    filter: str | None = Field(default=None, description="lm-eval's filter; its first when absent")
    cluster: str | None = Field(
        default=None, description="column of the data, or lm-eval template, whose equal values make items a cluster"
    )
    same_question: str | None = Field(
        default=None,
        description="column or template whose equal values are one question, which makes a cluster over all subtasks",
    )
    until: Annotated[
        tuple[str, ...] | None, BeforeValidator(_stop_strings), Accepts("a text, or a list of them, none of them empty")
    ] = Field(default=None, description="texts that end a generated answer; the definition's when absent")
    max_gen_toks: int | None = Field(
        default=None, gt=0, description="most tokens of a generated answer; the definition's when absent"
    )
    choices: Annotated[Choices | None, Accepts("score or generate")] = Field(
        default=None,
        description="generate: the letter of the right choice is asked for, and is another measure; what the suite's "
        "`choices` says when absent",
    )
    higher_is_better: bool = True
    margin: float | None = Field(
        default=None, gt=0, lt=1, description="non-inferiority margin; the suite's when absent"
    )
    retain: Share | None = Field(
        default=None, description="in place of a margin: the share of what the baseline has above chance that is kept"
    )
    icc: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="how alike items of a cluster are supposed to be; the suite's when absent"
    )
    kind: Literal["choice", "generation", "text", "mixed"] | None = Field(
        default=None, description="shown by `tasks list`"
    )
    items: int | None = Field(default=None, gt=0, description="items of the whole dataset, shown by `tasks list`")


class Suite(Fields):
    """A named list of tasks; margins and level are those of DESIGN's verdict rules."""

    name: Name
    description: str = ""
    extends: str | None = Field(
        default=None, description="a shipped suite, or a file beside this one, whose keys hold where this one has none"
    )
    shots: Annotated[Examples, Accepts("sampled or fixed")] = Field(
        default="sampled", description="fixed: the same few-shot examples for every item of a subtask, in all tasks"
    )
    choices: Annotated[Choices, Accepts("score or generate")] = Field(
        default="score",
        description="generate: choices are asked for as letters in all tasks, so that servers which tell no "
        "log-probabilities can be asked; another measure than that of scored ones",
    )
    margin: float = Field(default=0.01, gt=0, lt=1, description="non-inferiority margin of the macro-average")
    task_margin: float = Field(default=0.02, gt=0, lt=1, description="non-inferiority margin of a task")
    retain: Share | None = Field(
        default=None, description="the same as a share of what stands above chance, in its place"
    )
    task_retain: Share | None = Field(default=None, description="the same for a task")
    failures: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="share of a task's items on which a model may fail and still have a verdict",
    )
    icc: float = Field(
        default=0.3, ge=0, le=1, description="how alike items of a cluster are supposed to be where few of them differ"
    )
    level: float = Field(default=0.05, gt=0, lt=1)
    budget: Positive | None = Field(
        default=None, description="items of all tasks together, where neither --budget nor --limit is given"
    )
    costs: Mapping[str, Positive] = Field(
        default_factory=dict,
        description="tokens of an item by task: a budget asks fewer items where they cost more; alike where not given",
    )
    thinking: Literal["refuse", "flag"] = Field(
        default="refuse", description="choices of a model whose chat template has it reason first: refused, or scored"
    )
    tasks: tuple[SuiteTask, ...]
    harmlessness: HarmlessnessSettings | None = None
    conversation: ConversationSettings | None = None

    @property
    def names(self) -> list[str]:
        """Names of all that is asked; each is a folder of a run."""
        sets = [prompts.name for prompts in self.harmlessness.sources] if self.harmlessness else []
        dialogues = [self.conversation.name] if self.conversation else []
        return [*(task.name for task in self.tasks), *sets, *dialogues]


def shipped_suites() -> dict[str, Path]:
    """The suites that come with the package, by name."""
    paths = (own_tasks_folder() / "suites").glob("*.yaml")
    return {path.stem: path for path in sorted(paths, key=lambda path: path.stem)}


def load_suite(name_or_path: str) -> Suite:
    """Read a suite: the name of a shipped one, or a YAML file.

    Raises:
        SpecError: with every fault of the file, or of the one that it extends.
    """
    suite = _load(name_or_path, Path(), ())
    tasks = [
        task.model_copy(update={"examples": task.examples or suite.shots, "choices": task.choices or suite.choices})
        for task in suite.tasks
    ]
    return suite.model_copy(update={"tasks": tuple(tasks)})


def _load(name_or_path: str, folder: Path, below: tuple[Path, ...]) -> Suite:
    """Read a suite and those that it extends.

    Args:
        name_or_path: of a shipped suite, or a file.
        folder: where a path starts from.
        below: the files that extend it, the last one directly.
    """
    shipped = shipped_suites()
    path = shipped.get(name_or_path, folder / Path(name_or_path).expanduser())
    where = f"suite {below[-1]}: extends {name_or_path!r}" if below else f"suite {name_or_path!r}"
    if not path.is_file():
        raise SpecError([f"{where}: no such file or shipped suite; {nearest(name_or_path, list(shipped))}"])
    if any(path.samefile(file) for file in below):
        raise SpecError([f"{where}: it is extended by that one in turn"])
    own = read_yaml(path, "suite")
    document: dict[str, object] = dict(own)
    if isinstance(extended := own.get("extends"), str):
        base = _load(extended, path.parent, (*below, path))
        # A margin in one form takes the place of one in the other.
        told = {other for margin, other in (*_FORMS, *((other, margin) for margin, other in _FORMS)) if margin in own}
        document = {key: getattr(base, key) for key in base.model_fields_set - {"name"} - told} | own
    try:
        suite = Suite.model_validate(document)
    except ValidationError as error:
        faults = faults_of(error, Suite)
        raise SpecError(_fault_line(fault, own, f"suite {path}") for fault in faults) from None
    if not suite.tasks and suite.harmlessness is None and suite.conversation is None:
        raise SpecError([f"suite {path}: `tasks` is empty; name at least one"])
    names = suite.names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SpecError(f"suite {path}: two tasks or sets have the name {name!r}" for name in twice)
    if twofold := _two_margins(suite):
        raise SpecError(f"suite {path}: {fault}" for fault in twofold)
    known = [task.name for task in suite.tasks]
    if strange := [name for name in suite.costs if name not in known]:
        raise SpecError(f"suite {path}: costs: {name!r} is no task of it; {nearest(name, known)}" for name in strange)
    tasks = []
    for task in suite.tasks:
        if task.lm_eval.endswith((".yaml", ".yml")):
            # A definition is found beside its suite, wherever the command is given.
            definition = (path.parent / Path(task.lm_eval).expanduser()).resolve()
            task = task.model_copy(update={"lm_eval": str(definition)})
        tasks.append(task)
    return suite.model_copy(update={"tasks": tuple(tasks)})


_FORMS = (("margin", "retain"), ("task_margin", "task_retain"))
"""The two keys in which a margin may be given."""


def _two_margins(suite: Suite) -> list[str]:
    """Where a margin is given in two ways at once."""
    given: list[tuple[str, Fields, str, str]] = [("", suite, *forms) for forms in _FORMS]
    given += [(f"task {task.name!r}: ", task, *_FORMS[0]) for task in suite.tasks]
    return [
        f"{where}{margin} and {retain} are two ways to say one thing; give one of them"
        for where, of, margin, retain in given
        if {margin, retain} <= of.model_fields_set
    ]


def _fault_line(fault: Fault, document: Mapping[str, object], where: str) -> str:
    """One line: a task by its name, what an axis says by its keys."""
    place, tasks = fault.place, document.get("tasks")
    if len(place) > 2 and place[0] == "tasks" and isinstance(number := place[1], int) and isinstance(tasks, list):
        task = tasks[number]
        where += f": task {task.get('name', number + 1)!r}" if isinstance(task, dict) else ""
    elif place[0] in ("harmlessness", "conversation"):
        where += ": " + ".".join(str(part) for part in place[:-1] or place)
    return fault.line(where, str(place[-1]))


def own_tasks_folder() -> Path:
    """The folder of the definitions and suites that come with the package."""
    return Path(str(resources.files("mplus_eval") / "tasks"))


STOCK_PREFIX = "lm_eval:"
"""Before a name: lm-eval's own task, whatever else has that name."""
