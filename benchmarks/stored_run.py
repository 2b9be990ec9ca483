"""A run directory as a large comparison leaves it, made without a model, and the plan that it belongs to.

Tasks are those of the suite mplus with as many items as are wanted in all; subjects, passages, shots and lengths are
about the real ones'. Prompts are invented words: examples that are the same for all items of a subject, or drawn for
every item, stand before a question of its own. Models share how hard an item is, and so agree on most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from request_sets import WORDS

from mplus_eval.capability.axis import PART_ITEMS, Capability
from mplus_eval.capability.selection import Selection
from mplus_eval.capability.versus import CapabilityRun, TaskFacts
from mplus_eval.models.cells import Cell, Part, slices
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.plan import Plan
from mplus_eval.records.comparison import Task
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.suite import SuiteTask, load_suite
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import PartInfo, part_path, write_part
from mplus_eval.store.run_directory import RunDirectory

RIGHT = 0.6
"""Share of the items that the first model has right; each other one has up to two points more or fewer."""
AGREES = 0.88
"""Share of the items on which a model does as the hardness of the item says, rather than as chance does."""
FAILED = 0.0005


@dataclass(frozen=True)
class Shape:
    """What a task's items are like: words of an example and of a question, and how many items share a passage."""

    n_subtasks: int
    shots: int
    example: int
    question: int
    is_drawn: bool = False
    per_passage: int = 1
    n_choices: int = 4
    answer: int = 0


SHAPES = {
    "mmlu": Shape(57, 5, 60, 60),
    "agieval_en": Shape(9, 0, 0, 180, per_passage=4, n_choices=5),
    "bbh": Shape(27, 3, 150, 70, answer=90),
    "arc_easy": Shape(1, 25, 30, 25, is_drawn=True),
    "arc_challenge": Shape(1, 25, 30, 25, is_drawn=True),
    "hellaswag": Shape(1, 10, 80, 50, is_drawn=True),
    "winogrande": Shape(1, 5, 20, 18, is_drawn=True, n_choices=2),
    "race_high": Shape(1, 0, 0, 340, per_passage=3),
    "race_middle": Shape(1, 0, 0, 230, per_passage=4),
    "drop": Shape(1, 3, 220, 220, is_drawn=True, per_passage=12, answer=3),
    "gsm8k": Shape(1, 8, 80, 50, answer=80),
}


@dataclass(frozen=True, eq=False)
class StoredTasks(Capability):
    """Capability where nothing is known of tasks but what the suite says, and nothing is asked."""

    n_items: Mapping[str, int]

    def _run(self, models: Mapping[str, Any], outcomes: Mapping[tuple[str, str], Any]) -> CapabilityRun:
        facts = [self._facts(task) for task in self.suite.tasks]
        return CapabilityRun(models, facts, self.suite, self.spec.baseline, pairs=self.spec.pairs, seed=self.spec.seed)

    def _facts(self, task: SuiteTask) -> TaskFacts:
        shape = SHAPES[task.name]
        return TaskFacts(
            name=task.name,
            metric=str(task.metric),
            higher_is_better=True,
            n_shots=shape.shots,
            chance=0.0 if shape.answer else 1 / shape.n_choices,
            kind=str(task.kind),
            lm_eval=task.lm_eval,
            version="1.0",
            filter=task.filter or "none",
            margin=self.suite.task_margin,
            n_items=self.n_items[task.name],
            icc=self.suite.icc,
        )

    def _of_data(self, name: str, result: Task) -> Task:
        return result


def stored_plan(output: Path, n_models: int, n_items: int) -> Plan:
    """The plan of so many models on so many items of all tasks together."""
    suite = load_suite("mplus").model_copy(update={"harmlessness": None, "conversation": None})
    whole = sum(task.items or 0 for task in suite.tasks)
    numbers = {task.name: round(n_items * (task.items or 0) / whole) for task in suite.tasks}
    names = ["base", *(f"model-{number}" for number in range(1, n_models))]
    specs = tuple(ModelSpec(name=name, source=f"./{name}", role="base" if name == "base" else "") for name in names)
    spec = CompareSpec(models=specs, baseline="base", output=output)
    models = tuple(
        ResolvedModel(each, "hf", ModelLocation(None), hash_text(each.name), "t" * 64, "plain") for each in specs
    )
    axis = StoredTasks(spec, suite, dict.fromkeys(numbers), Selection({}), numbers)  # type: ignore[arg-type]
    cells = tuple(_cell(model, task, numbers[task.name]) for model in models for task in suite.tasks)
    return Plan(spec, suite, (axis,), models, cells)


def store(plan: Plan, seed: int = 0) -> None:
    """Write the answers and outcomes of all cells."""
    directory = RunDirectory(plan.spec.output)
    for task in plan.suite.tasks:
        cells = [cell for cell in plan.cells if cell.task == task.name]
        of_subtasks: dict[str, list[dict[str, Any]]] = {}
        for part in cells[0].parts:
            if part.subtask not in of_subtasks:
                size = sum(len(each.items) for each in cells[0].parts if each.subtask == part.subtask)
                of_subtasks[part.subtask] = list(_items(task, part.subtask, size, Random(f"{seed} {part.subtask}")))
        for number, cell in enumerate(cells):
            own = Random(f"{seed} {cell.name}")
            for part in cell.parts:
                items = [of_subtasks[part.subtask][item] for item in part.items]
                _write(directory, cell, part, [_outcome(task, item, number, own) for item in items])


def _cell(model: ResolvedModel, task: SuiteTask, n_items: int) -> Cell:
    n_subtasks = SHAPES[task.name].n_subtasks
    names = [task.name] if n_subtasks == 1 else [f"{task.name}_subject_{number:02}" for number in range(n_subtasks)]
    sizes = [n_items // n_subtasks + (place < n_items % n_subtasks) for place in range(n_subtasks)]
    cut = [(name, at) for name, size in zip(names, sizes, strict=True) for at in slices(size, PART_ITEMS)]
    parts = tuple(Part(index, name, at) for index, (name, at) in enumerate(cut))
    return Cell("capability", model, task.name, str(task.kind), {**model.components, "task": task.name}, parts)


def _items(task: SuiteTask, subtask: str, size: int, draw: Random) -> Iterator[dict[str, Any]]:
    """The items of a subtask: what is put to every model, and how hard it is."""
    shape = SHAPES[task.name]
    pool = [f"Question: {WORDS.span(draw, shape.example)}\nAnswer: B\n\n" for _ in range(200 * shape.is_drawn)]
    fixed = [f"Question: {WORDS.span(draw, shape.example)}\nAnswer: B\n\n" for _ in range(shape.shots)]
    passage = ""
    for item in range(size):
        if shape.per_passage > 1 and item % shape.per_passage == 0:
            passage = WORDS.span(draw, shape.question)
        question = WORDS.span(draw, 20 if shape.per_passage > 1 else shape.question)
        shots = draw.sample(pool, shape.shots) if pool else fixed
        yield {
            "item_id": f"{subtask}/{item}",
            "stratum": subtask,
            "cluster": f"passage {item // shape.per_passage}" if shape.per_passage > 1 else None,
            "prompt": f"About {subtask}.\n\n{''.join(shots)}{passage}\nQuestion: {question}\nAnswer:",
            "choices": None if shape.answer else [f" {WORDS.span(draw, 1)} {n}" for n in range(shape.n_choices)],
            "hard": draw.random(),
        }


def _outcome(task: SuiteTask, item: dict[str, Any], model: int, own: Random) -> Outcome:
    """What a model made of an item."""
    shape = SHAPES[task.name]
    answers = _generated(shape, own) if shape.answer else _chosen(item["choices"], own)
    level = RIGHT + 0.02 * (model and (-1) ** model * model / 8)
    is_right = (item["hard"] if own.random() < AGREES else own.random()) < level
    score = 1.0 if is_right else 0.0
    if task.metric == "f1" and own.random() < 0.1:
        score = round(own.random(), 2)
    failed = own.random() < FAILED
    return Outcome(
        **{key: item[key] for key in ("item_id", "stratum", "cluster", "prompt", "choices")},
        sample=0,
        prompt_hash=hash_text(item["prompt"]),
        **({} if failed else answers),
        n_truncated=0,
        n_prompt_tokens=len(item["prompt"]) // 5,
        token_hash=hash_text(item["prompt"])[:16],
        n_equal_choices=0,
        n_spanned=0,
        n_replaced_examples=0 if shape.is_drawn else None,
        error="out of memory, also with one item at a time" if failed else None,
        target="17" if shape.answer else item["choices"][0],
        answer=None if failed else ("17" if score else f"{own.randrange(100)}"),
        score=None if failed else score,
        metrics=None if failed else {f"{task.metric},{task.filter or 'none'}": score, "other,none": score},
    )


def _generated(shape: Shape, own: Random) -> dict[str, Any]:
    return {"generations": [f" {WORDS.span(own, own.randint(1, 2 * shape.answer))}"]}


def _chosen(choices: Sequence[str], own: Random) -> dict[str, Any]:
    values = [-own.expovariate(0.3) - 0.1 for _ in choices]
    return {"log_probabilities": values, "greedy": [value == max(values) for value in values]}


def _write(directory: RunDirectory, cell: Cell, part: Part, outcomes: Sequence[Outcome]) -> None:
    """One part of answers, and the same scored."""
    facts = {"backend": "hf", "dtype": "bfloat16", "parameters": 7_000_000_000, "device": "cuda:0"}
    info = PartInfo(cell.fingerprint, dict(cell.components), part.index, len(cell.parts), 10.0, facts)
    names = list(Answer.SCHEMA.names)
    answers = [Answer(**{name: getattr(row, name) for name in names}) for row in outcomes]
    write_part(part_path(directory.answers(*cell.key), part.index), Answer, answers, info)
    components = {"answers": cell.fingerprint, "metric": "m", "filter": "f"}
    scored = PartInfo(hash_text(str(components)), components, part.index, len(cell.parts))
    write_part(part_path(directory.outcomes(*cell.key), part.index), Outcome, outcomes, scored)
