"""The items of every model and task as logs of inspect_ai, version 2 of its JSON: `inspect view --log-dir DIR`.

A log holds the values of the task, and of every item the prompt, the choices, what the model said and its score. A
failed item has the error and no score. What inspect_ai would know of a run and this one does not store is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mplus_eval import __version__
from mplus_eval.exports.dataset_ids import dataset_of
from mplus_eval.exports.items import file_name, outcomes, subtasks, write_lines
from mplus_eval.exports.manifest import created_of, created_text
from mplus_eval.records.comparison import Score, Task
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Outcome

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun

LOG_VERSION = 2


def write(run: StoredRun, folder: Path) -> list[Path]:
    """Write a log of every model and task."""
    written = []
    # As inspect names its logs: time, task, id.
    time = datetime.fromtimestamp(created_of(run), UTC).strftime("%Y-%m-%dT%H-%M-%S-00-00")
    for name, task in run.comparison.tasks.items():
        for model, score in task.scores.items():
            if model not in run.models:
                continue
            log = _Log(run, model, name, task, score)
            path = folder / f"{time}_{file_name(name).replace('_', '-')}_{log.id}.json"
            if write_lines(path, log.pieces()):
                written.append(path)
    return written


class _Log:
    """One model on one task."""

    def __init__(self, run: StoredRun, model: str, name: str, task: Task, score: Score) -> None:
        self._run, self._model, self._name, self._task, self._score = run, model, name, task, score
        self._entry = run.comparison.models[model]
        self.id = hash_text(f"{model} {name} {self._entry.fingerprint}")[:22]

    def pieces(self) -> Iterator[str]:
        """The log piece by piece, since its items may be many."""
        head = json.dumps(self._head(), ensure_ascii=False, allow_nan=False)
        yield f'{head[:-1]}, "samples": ['
        comma = ""
        for subtask, parts in subtasks(self._run, self._model, self._name).items():
            for row in outcomes(parts, subtask):
                yield comma + json.dumps(self._sample(row), ensure_ascii=False)
                comma = ", "
        yield "]}"

    def _head(self) -> dict[str, Any]:
        task, score, created = self._task, self._score, created_text(self._run)
        dataset = dataset_of(task)
        n_items = score.n_scored + score.n_failed
        metrics = {} if score.value is None else {task.metric: {"name": task.metric, "value": score.value}}
        contrast = task.contrasts.get(self._model)
        verdict = {"baseline": self._run.comparison.baseline, "verdict": str(contrast.verdict)} if contrast else {}
        return {
            "version": LOG_VERSION,
            "status": "success",
            "eval": {
                "eval_id": self.id,
                "run_id": hash_text(f"{self._run.comparison.suite} {created}")[:22],
                "created": created,
                "task": self._name,
                "task_id": hash_text(f"{self._name} {task.lm_eval} {task.version}")[:22],
                "task_version": task.version,
                "task_args": {"lm_eval": task.lm_eval, "shots": task.n_shots, "filter": task.filter},
                "dataset": {
                    "name": self._name,
                    "location": dataset.id if dataset else None,
                    "samples": n_items,
                    "shuffled": self._run.comparison.drawn is not None,
                },
                "model": f"{self._entry.backend}/{self._model}",
                "config": {"epochs": 1},
                "packages": {"mplus_eval": __version__},
                "metadata": {"source": self._entry.source, "role": self._entry.role, **verdict},
            },
            "results": {
                "total_samples": n_items,
                "completed_samples": score.n_scored,
                "scores": [
                    {
                        "name": task.metric,
                        "scorer": task.metric,
                        "scored_samples": score.n_scored,
                        "unscored_samples": score.n_failed,
                        "metrics": metrics,
                    }
                ],
            },
            "stats": {"started_at": created, "completed_at": created},
        }

    def _sample(self, row: Outcome) -> dict[str, Any]:
        said = row.generations[0] if row.generations else row.answer or ""
        message = {"role": "assistant", "content": said, "source": "generate"}
        model = f"{self._entry.backend}/{self._model}"
        sample: dict[str, Any] = {
            "id": row.item_id,
            "epoch": 1,
            "input": row.prompt,
            "choices": list(row.choices) if row.choices else None,
            "target": row.target or "",
            "messages": [{"role": "user", "content": row.prompt, "source": "input"}, message],
            "output": {"model": model, "choices": [{"message": message, "stop_reason": "stop"}], "completion": said},
            "metadata": {
                "subtask": row.stratum,
                "cluster": row.cluster,
                "log_probabilities": [value if math.isfinite(value) else None for value in row.log_probabilities or ()],
                "prompt_hash": row.prompt_hash,
            },
        }
        if row.score is not None and math.isfinite(row.score):
            sample["scores"] = {self._task.metric: {"value": row.score, "answer": row.answer}}
        if row.error is not None:
            sample["error"] = {"message": row.error, "traceback": "", "traceback_ansi": ""}
        return sample
