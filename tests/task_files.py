"""Small task definitions, written where a test wants them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mplus_eval.capability.items import LoadedTask, load_tasks
from mplus_eval.spec.suite import SuiteTask

ROWS = [{"question": f"{n} + 1 =", "options": [str(n), str(n + 1)], "answer": 1, "page": n // 2} for n in range(6)]
EXAMPLES = [{"question": f"{n} + 2 =", "options": [str(n), str(n + 2)], "answer": 1, "page": n} for n in range(10, 14)]

CHOICE: dict[str, Any] = {
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "rows.jsonl", "train": "examples.jsonl"}},
    "test_split": "test",
    "fewshot_split": "train",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "options",
    "doc_to_target": "answer",
    "metric_list": [
        {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
        {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
    ],
    "metadata": {"version": 1.5},
}
GENERATION: dict[str, Any] = CHOICE | {
    "output_type": "generate_until",
    "doc_to_choice": None,
    "doc_to_target": "{{options[answer]}}",
    "generation_kwargs": {"until": ["\n"], "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}


def write_rows(folder: Path, rows: Sequence[dict[str, Any]] = ROWS) -> None:
    """Write the data that both definitions read."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, documents in (("rows", rows), ("examples", EXAMPLES)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))


def write_task(folder: Path, name: str, config: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write a definition with its data beside it; a key changed to None is left out."""
    write_rows(folder)
    merged = {"task": name, **(config or CHOICE), **changes}
    return write_yaml(folder / f"{name}.yaml", {key: value for key, value in merged.items() if value is not None})


def write_yaml(path: Path, document: Any) -> Path:
    """Write a YAML file; `!function` may stand in a string."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(document, sort_keys=False)
    path.write_text(text.replace("'!function ", "!function ").replace(".py'", ""))
    return path


def load_task(folder: Path, name: str = "sums", **keys: Any) -> LoadedTask:
    """Load the task of a folder as a suite with these keys names it."""
    spec = SuiteTask(name="asked", lm_eval=name, **keys)
    return load_tasks([spec], data_dir=None, tasks_dir=folder)[0]
