"""Runs made by hand, with the items of two tasks, for the tests of exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mplus_eval.exports import StoredRun
from mplus_eval.records.comparison import Comparison
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build, build_conversation, build_toxicity

PATHS = ("/home/jo/secret runs/plus", "~/models/base")
"""Local paths that nothing that is published may hold."""


def every_axis() -> Comparison:
    """Five models on all axes, and two saved steps of one of them; two models lie in local directories."""
    comparison = build.trained()
    models = dict(comparison.models)
    for name, path in zip(("plus", "sft"), PATHS, strict=True):
        models[name] = models[name].model_copy(update={"source": path})
    return comparison.model_copy(
        update={
            "models": models,
            "tasks": {name: task.model_copy(update={"lm_eval": name}) for name, task in comparison.tasks.items()},
            "toxicity": build_toxicity.harmless().toxicity,
            "conversation": build_conversation.talking().conversation,
        }
    )


def choice(number: int, chosen: int, **changed: Any) -> dict[str, Any]:
    """An item of a task of choice, whose right answer is the second."""
    values = [-3.5, -3.5, -3.5]
    values[chosen] = -1.25
    row: dict[str, Any] = {
        "item_id": f"mmlu_anatomy/{number}",
        "stratum": "mmlu_anatomy",
        "sample": 0,
        "prompt_hash": "h",
        "prompt": f"Question {number}:",
        "choices": ["one", "two", "three"],
        "log_probabilities": values,
        "greedy": [place == chosen for place in range(3)],
        "target": "two",
        "answer": ["one", "two", "three"][chosen],
        "score": float(chosen == 1),
        "metrics": {"acc,none": float(chosen == 1)},
    }
    return row | changed


def write_every_axis(directory: Path) -> Path:
    """The run of `every_axis`, reported: the items of gsm8k, and four of mmlu of which one failed."""
    comparison = every_axis()
    gsm8k = comparison.tasks["gsm8k"].model_copy(
        update={"metric": "exact_match", "filter": "none", "lm_eval": "gsm8k_cot"}
    )
    tasks = {**comparison.tasks, "gsm8k": gsm8k}
    comparison = comparison.model_copy(update={"tasks": tasks})
    directory.mkdir(parents=True)
    build.write_run(directory, comparison, with_outcomes=True)
    for model, chosen in (("base", (1, 1, 0)), ("plus", (1, 0, 0))):
        rows = [choice(number, each) for number, each in enumerate(chosen)]
        failed = choice(3, 0, error="out of memory", score=None, metrics=None, answer=None, log_probabilities=None)
        build.write_outcomes(directory, model, "mmlu", [*rows, failed])
    return directory


HOSTILE = (
    '=HYPERLINK("http://x","y")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\\input{/etc/passwd}",
    "\x1b[31mred\x00",
)


def write_hostile(directory: Path) -> StoredRun:
    """Free texts that begin formulae, LaTeX commands and terminal escapes; and tasks that are called so.

    No stored run with such names is read, so that it is made of what it holds.
    """
    comparison = build.full()
    tasks = {
        HOSTILE[place % len(HOSTILE)] + f"_{place}": task.model_copy(
            update={"metric": HOSTILE[place % len(HOSTILE)], "lm_eval": HOSTILE[0], "filter": HOSTILE[1]}
        )
        for place, task in enumerate(comparison.tasks.values())
    }
    models = {
        name: entry.model_copy(update={"source": f"{text} & <script>", "role": text})
        for (name, entry), text in zip(comparison.models.items(), HOSTILE, strict=False)
    }
    update = {"tasks": tasks, "models": models, "suite": HOSTILE[3], "missing": ()}
    directory.mkdir(parents=True)
    comparison = comparison.model_copy(update=update)
    return StoredRun(RunDirectory(build.write_run(directory, comparison)), comparison)
