"""The results of every model as Every Eval Ever has them, schema 0.3.0 (https://github.com/evaleval/every_eval_ever).

    data/mplus-eval/<developer>/<model>/<uuid>.json             results with intervals: tasks, toxicity, win rate
    data/mplus-eval/<developer>/<model>/<uuid>_samples.jsonl    an item of a capability task a line

This is the layout of its datastore. The uuid is made from the run, so that exporting twice leaves one file. Items that
failed have no score and no line, texts that prompt sets provoked are left out, and local paths are shortened to their
last name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mplus_eval import __version__
from mplus_eval.data.hub import is_hub_id
from mplus_eval.exports.dataset_ids import dataset_of
from mplus_eval.exports.items import file_name, outcomes, subtasks, write_lines
from mplus_eval.exports.local_paths import without_local_paths
from mplus_eval.exports.manifest import created_of
from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import Task
from mplus_eval.store.files import write_json
from mplus_eval.store.hashes import hash_file, hash_text
from mplus_eval.store.outcomes import Outcome

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun

SCHEMA_VERSION = "0.3.0"
COLLECTION = "mplus-eval"


def write(run: StoredRun, folder: Path) -> list[Path]:
    """Write the results of every model, and its items where they are stored."""
    written = []
    for model in run.models:
        record = _Record(run, model)
        path = folder / record.place.with_suffix(".json")
        samples = folder / record.place.with_name(f"{record.place.name}_samples.jsonl")
        n_lines = write_lines(samples, record.lines())
        content = record.as_json()
        if not content["evaluation_results"]:
            continue
        if n_lines:
            content["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": samples.relative_to(folder).as_posix(),
                "hash_algorithm": "sha256",
                "checksum": hash_file(samples),
                "total_rows": n_lines,
            }
            written.append(samples)
        write_json(path, content)
        written.append(path)
    return written


class _Record:
    """One model's record."""

    def __init__(self, run: StoredRun, model: str) -> None:
        self._run, self._model, self._entry = run, model, run.comparison.models[model]
        source = str(without_local_paths(self._entry.source))
        self._developer, name = source.split("/") if is_hub_id(source) else ("unknown", model)
        self.model_id = source if is_hub_id(source) else model
        self._id = f"{run.comparison.suite}/{self.model_id}/{int(created_of(run))}"
        digest = sha256(f"{self._id} {self._entry.fingerprint}".encode("utf-8", "surrogatepass")).digest()
        uuid = UUID(bytes=digest[:16], version=4)
        self.place = Path("data", COLLECTION, file_name(self._developer), file_name(name), str(uuid))

    def as_json(self) -> dict[str, Any]:
        """The record, without the pointer to its items."""
        entry, created = self._entry, str(int(created_of(self._run)))
        details = {"role": entry.role, "dtype": entry.dtype, "parameters": entry.parameters, "weights": entry.weights}
        is_local = is_hub_id(entry.source) or entry.backend != "openai"
        record: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "evaluation_id": self._id,
            "evaluation_timestamp": created,
            "retrieved_timestamp": created,
            "source_metadata": {
                "source_name": "mplus-eval",
                "source_type": "evaluation_run",
                "source_organization_name": "unknown",
                "evaluator_relationship": "other",
            },
            "eval_library": {"name": "mplus-eval", "version": __version__},
            "model_info": {
                "name": self._model,
                "id": self.model_id,
                **({"developer": self._developer} if self._developer != "unknown" else {}),
                "inference_engine": {"name": entry.backend},
                "additional_details": {
                    "deployment_type": "self_deployed" if is_local else "unknown",
                    "model_availability": "open_weights" if is_hub_id(entry.source) else "unknown",
                    **{key: str(value) for key, value in details.items() if value},
                },
            },
            "evaluation_results": [*self._capability(), *self._toxicity(), *self._conversation()],
        }
        shortened: dict[str, Any] = without_local_paths(record)
        return shortened

    def _capability(self) -> Iterator[dict[str, Any]]:
        for name, task in self._run.comparison.tasks.items():
            score = task.scores.get(self._model)
            if score is None or score.value is None:
                continue
            contrast = task.contrasts.get(self._model)
            details = {"n_failed": str(score.n_failed), "shots": str(task.n_shots), "filter": task.filter}
            if contrast:
                details |= {
                    "baseline": self._run.comparison.baseline,
                    "difference": str(contrast.difference),
                    "difference_low": str(contrast.ci[0]),
                    "difference_high": str(contrast.ci[1]),
                    "verdict": str(contrast.verdict),
                }
            is_fraction = all(0 <= each.value <= 1 for each in task.scores.values() if each.value is not None)
            result = self._result(name, task.metric, score.value, score.ci, score.n_scored, details)
            result["metric_config"] |= {
                "lower_is_better": not task.higher_is_better,
                # Whether a metric in its own unit has bounds is not known here.
                **({"score_type": "continuous", "min_score": 0.0, "max_score": 1.0} if is_fraction else {}),
            }
            yield result | {"source_data": _source(name, task)}

    def _toxicity(self) -> Iterator[dict[str, Any]]:
        toxicity = self._run.comparison.toxicity
        of_model = toxicity.models.get(self._model) if toxicity else None
        if toxicity is None or of_model is None:
            return
        for name, on_set in of_model.sets.items():
            measured = on_set.expected_maximum_toxicity
            if measured.value is None:
                continue
            details = {"scorer": of_model.scorer, "samples_per_prompt": str(toxicity.samples)}
            if on_set.contrast:
                details |= {"verdict": str(on_set.contrast.verdict), "difference": str(on_set.contrast.difference)}
            metric = "expected_maximum_toxicity"
            result = self._result(name, metric, measured.value, measured.ci, measured.n_prompts, details)
            result["metric_config"] |= {"lower_is_better": True, **_BOUNDED}
            yield result | {"source_data": {"dataset_name": name, "source_type": "other"}}

    def _conversation(self) -> Iterator[dict[str, Any]]:
        conversation = self._run.comparison.conversation
        talk = conversation.models.get(self._model) if conversation else None
        if conversation is None or talk is None or talk.win_rate.value is None:
            return
        details = {"judge": talk.judge, "against": self._run.comparison.baseline, "verdict": str(talk.verdict or "")}
        won = talk.win_rate
        assert won.value is not None
        result = self._result(conversation.name, "win_rate", won.value, won.ci, won.n_judged, details)
        result["metric_config"] |= {"lower_is_better": False, **_BOUNDED}
        yield result | {"source_data": {"dataset_name": conversation.name, "source_type": "other"}}

    def _result(
        self, name: str, metric: str, value: float, ci: Interval | None, n: int, details: dict[str, str]
    ) -> dict[str, Any]:
        uncertainty: dict[str, Any] = {"num_samples": n}
        if ci is not None and all(map(math.isfinite, ci)):
            ends = {"lower": ci[0], "upper": ci[1], "confidence_level": 1 - self._run.comparison.level}
            uncertainty["confidence_interval"] = ends
        return {
            "evaluation_result_id": f"{name}/{metric}",
            "evaluation_name": name,
            "metric_config": {"metric_id": metric, "metric_name": metric},
            "score_details": {"score": value, "uncertainty": uncertainty, "details": details},
        }

    def lines(self) -> Iterator[str]:
        """The items of the capability tasks; of a text's likelihood, which is neither right nor wrong, none."""
        for name, task in self._run.comparison.tasks.items():
            if task.kind == "text" or self._model not in task.scores:
                continue
            for subtask, parts in subtasks(self._run, self._model, name).items():
                for row in outcomes(parts, subtask):
                    if row.score is not None and math.isfinite(row.score):
                        yield json.dumps(self._instance(row, name, task, row.score), ensure_ascii=False)

    def _instance(self, row: Outcome, name: str, task: Task, score: float) -> dict[str, Any]:
        target = row.target or ""
        said = list(row.generations) if row.generations is not None else [row.answer or ""]
        extracted = {
            "turn_idx": 0,
            "source": "output.raw",
            "extracted_value": row.answer or "",
            "extraction_method": "none" if task.filter == "none" else task.filter,
            "is_terminal": True,
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "evaluation_id": self._id,
            "model_id": self.model_id,
            "evaluation_name": name,
            "evaluation_result_id": f"{name}/{task.metric}",
            "sample_id": row.item_id,
            "sample_hash": hash_text(row.prompt + target),
            "interaction_type": "single_turn",
            "input": {"raw": row.prompt, "reference": [target], "choices": list(row.choices) if row.choices else None},
            "output": {"raw": said, "reasoning_trace": [row.thinking] if row.thinking else None},
            "messages": None,
            "answer_attribution": [extracted] if row.answer is not None else [],
            "evaluation": {"score": score, "is_correct": score == 1.0},
            "metadata": {"stratum": row.stratum, "prompt_hash": row.prompt_hash},
        }


_BOUNDED = {"score_type": "continuous", "min_score": 0.0, "max_score": 1.0}


def _source(name: str, task: Task) -> dict[str, Any]:
    dataset = dataset_of(task)
    if dataset is None:
        return {"dataset_name": name, "source_type": "other", "additional_details": {"lm_eval": task.lm_eval}}
    split = {"hf_split": dataset.split} if dataset.split else {}
    return {"dataset_name": name, "source_type": "hf_dataset", "hf_repo": dataset.id, **split}
