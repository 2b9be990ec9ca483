"""The capability tasks as lm-eval writes them with `--log_samples --output_path DIR`.

    DIR/<model>/results_<date>.json                 the values, versions, shots
    DIR/<model>/samples_<subtask>_<date>.jsonl      a line for each item

The keys are those of lm-eval 0.4.13's EvaluationTracker. What a run does not store is null, and three things differ.
`doc` holds item, choices and target instead of the row of the dataset, so `doc_hash` pairs these files with one another
and not with lm-eval's own. The continuation is the choice after a space, lm-eval's usual delimiter. Samples are those
of the filter whose metric counts; the values of other filters stand in the results.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING, Any

from mplus_eval.exports.dataset_ids import dataset_of
from mplus_eval.exports.items import file_name, outcomes, subtasks, write_lines
from mplus_eval.exports.manifest import created_of, manifest_of
from mplus_eval.records.comparison import Score, Subject, Task
from mplus_eval.store.files import write_json
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Outcome

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun

DELIMITER = " "
_OUTPUT_TYPES = {"generation": "generate_until", "text": "loglikelihood_rolling"}


def write(run: StoredRun, folder: Path) -> list[Path]:
    """Write results and samples of every model."""
    written = []
    n_tasks = Counter(task.lm_eval for task in run.comparison.tasks.values())
    # As lm-eval names its files: local time, without colons.
    date = datetime.fromtimestamp(created_of(run)).isoformat().replace(":", "-")
    for model in run.models:
        own = folder / file_name(model)
        results = _Results(run, model)
        for name, task in run.comparison.tasks.items():
            if model not in task.scores:
                continue
            # By its own name where a suite asks lm-eval's task in two ways.
            is_alone = n_tasks[task.lm_eval] == 1
            group = task.lm_eval if is_alone else name
            for subtask, parts in (subtasks(run, model, name) or {group: []}).items():
                leaf = subtask if is_alone else f"{name}_{subtask}" if task.subjects else name
                path = own / f"samples_{file_name(leaf)}_{date}.jsonl"
                lines = results.lines(outcomes(parts, subtask), leaf, group, task.subjects.get(subtask), task)
                if write_lines(path, lines):
                    written.append(path)
        if results.values:
            write_json(own / f"results_{date}.json", results.as_json())
            written.append(own / f"results_{date}.json")
    return written


class _Results:
    """The results file of one model, filled while its samples are written."""

    def __init__(self, run: StoredRun, model: str) -> None:
        self._run, self._model = run, model
        self.values: dict[str, dict[str, object]] = {}
        self._of_leaf: dict[str, dict[str, Any]] = {}
        self._groups: dict[str, list[str]] = {}
        self._hashes: dict[str, str] = {}

    def lines(
        self, rows: Iterator[Outcome], leaf: str, group: str, subject: Subject | None, task: Task
    ) -> Iterator[str]:
        """The lines of a subtask's samples; a failed item has none, as it has no value.

        Args:
            rows: its outcomes.
            leaf: what it is called.
            group: what the group is called that it is of.
            subject: what was found of it alone, where the task has several.
            task: the whole task.
        """
        scores, hashes = [], []
        for number, row in enumerate(rows):
            if row.error is not None or row.score is None:
                continue
            line = sample(row, task, number)
            scores.append(row.score)
            hashes.append(f"{line['doc_hash']}{line['prompt_hash']}{line['target_hash']}")
            yield json.dumps(line, ensure_ascii=False)
        self._hashes[leaf] = hash_text("".join(hashes))
        self._of_leaf[leaf] = {"task": task, "n": len(scores)}
        whole = task.scores[self._model]
        part = subject.scores.get(self._model) if subject else None
        self.values[leaf] = _values(leaf, task, part or whole, scores)
        if subject:
            self._groups.setdefault(group, []).append(leaf)
            self.values[group] = _values(group, task, whole, [])

    def as_json(self) -> dict[str, object]:
        """The results file: the keys of lm-eval's."""
        run, entry = self._run, self._run.comparison.models[self._model]
        tasks: dict[str, Task] = {name: facts["task"] for name, facts in self._of_leaf.items()}
        comparison, versions = run.comparison, _versions(run)
        return {
            "results": {name: self.values[name] for name in (*self._groups, *tasks)},
            **({"groups": {name: self.values[name] for name in self._groups}} if self._groups else {}),
            "group_subtasks": self._groups,
            "configs": {name: _config(name, task) for name, task in tasks.items()},
            "versions": {name: _number(task.version) for name, task in tasks.items()},
            "n-shot": {name: task.n_shots for name, task in tasks.items()},
            "higher_is_better": {name: {task.metric: task.higher_is_better} for name, task in tasks.items()},
            "n-samples": {
                name: {"original": facts["n"], "effective": facts["n"]} for name, facts in self._of_leaf.items()
            },
            "config": {
                "model": entry.backend,
                "model_args": {"pretrained": entry.source},
                "model_num_parameters": entry.parameters,
                "model_dtype": f"torch.{entry.dtype}" if entry.dtype else None,
                "model_revision": None,
                "model_sha": entry.weights,
                **dict.fromkeys(("batch_size", "batch_sizes", "device", "use_cache")),
                "limit": comparison.limit,
                **dict.fromkeys(("bootstrap_iters", "gen_kwargs", "random_seed", "numpy_seed", "torch_seed")),
                "fewshot_seed": _few_shot_seed(run),
            },
            "git_hash": None,
            "date": created_of(run),
            "pretty_env_info": None,
            "transformers_version": versions.get("transformers"),
            "lm_eval_version": versions.get("lm_eval") or version("lm_eval"),
            "upper_git_hash": None,
            **dict.fromkeys(("tokenizer_pad_token", "tokenizer_eos_token", "tokenizer_bos_token", "eot_token_id")),
            "max_length": entry.asking.max_length if entry.asking else None,
            "task_hashes": {name: self._hashes[name] for name in tasks},
            "model_source": entry.backend,
            "model_name": self._model,
            "model_name_sanitized": file_name(self._model),
            "system_instruction": None,
            "system_instruction_sha": None,
            "fewshot_as_multiturn": entry.chat_template != "plain",
            "chat_template": None,
            "chat_template_sha": None if entry.chat_template == "plain" else entry.chat_template,
            "total_evaluation_time_seconds": None,
        }


def sample(row: Outcome, task: Task, number: int) -> dict[str, Any]:
    """One item as a line of the samples.

    Args:
        row: an item that did not fail.
        task: that it is of.
        number: its place in the subtask, for items whose name has no number.
    """
    doc = {"item_id": row.item_id, "choices": row.choices, "target": row.target}
    doc = {key: value for key, value in doc.items() if value is not None}
    target = _target(row)
    responses, requests = _responses(row)
    metrics = {
        key.rpartition(",")[0]: value for key, value in _given(row.metrics).items() if key.endswith(f",{task.filter}")
    }
    last = row.item_id.rpartition("/")[2]
    return {
        "doc_id": int(last) if last.isascii() and last.isdigit() else number,
        "doc": doc,
        "target": target,
        "arguments": {f"gen_args_{place}": request for place, request in enumerate(requests)},
        "resps": [[response] for response in responses],
        "filtered_resps": responses if row.generations is None else [row.answer or ""],
        "filter": task.filter,
        "metrics": list(metrics),
        "doc_hash": hash_text(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": row.prompt_hash,
        "target_hash": hash_text(target),
        **metrics,
    }


def _target(row: Outcome) -> str:
    """The right answer; of a choice its number, as lm-eval has it."""
    choices = list(row.choices or ())
    return str(choices.index(row.target)) if len(choices) > 1 and row.target in choices else row.target or ""


def _responses(row: Outcome) -> tuple[list[Any], list[dict[str, object]]]:
    """Responses and the requests that they answer; numbers are written as texts, as lm-eval does."""
    if row.generations is not None:
        return list(row.generations), [{"arg_0": row.prompt, "arg_1": {}}]
    values = [str(value) for value in row.log_probabilities or ()]
    if not row.choices:
        return values, [{"arg_0": row.prompt}]
    greedy = [str(each) for each in row.greedy or [False] * len(values)]
    delimiter = DELIMITER if len(row.choices) > 1 else ""
    requests: list[dict[str, object]] = [
        {"arg_0": row.prompt, "arg_1": f"{delimiter}{choice}"} for choice in row.choices
    ]
    return [list(pair) for pair in zip(values, greedy, strict=True)], requests


def _given(metrics: Mapping[str, float] | None) -> dict[str, float | list[float]]:
    """An item's metrics as they were given: those of several numbers, `name:0`, `name:1`, as a list."""
    given: dict[str, Any] = {}
    for key, value in (metrics or {}).items():
        name, colon, place = key.rpartition(":")
        if colon and place.isdigit():
            given.setdefault(name, []).append(value)
        else:
            given[key] = value
    return given


def _values(name: str, task: Task, score: Score, scores: list[float]) -> dict[str, object]:
    """What the results say of a task: its metrics, and the standard error of one that is the mean of its items."""
    key = f"{task.metric},{task.filter}"
    values: dict[str, object] = {"name": name, "alias": name, "sample_len": score.n_scored}
    for each, value in {key: score.value, **score.other_metrics}.items():
        metric, _, filter_name = each.rpartition(",")
        values[each] = value
        values[f"{metric}_stderr,{filter_name}"] = "N/A"
    is_mean = score.value is not None and scores and math.isclose(sum(scores) / len(scores), score.value, abs_tol=1e-9)
    if is_mean and len(scores) > 1:
        values[f"{task.metric}_stderr,{task.filter}"] = stdev(scores) / math.sqrt(len(scores))
    return values


def _config(name: str, task: Task) -> dict[str, object]:
    """What is known of a subtask's definition."""
    dataset = dataset_of(task)
    return {
        "task": name,
        "dataset_path": dataset.id if dataset else None,
        "dataset_name": dataset.config if dataset else None,
        "test_split": dataset.split if dataset else None,
        "target_delimiter": DELIMITER,
        "num_fewshot": task.n_shots,
        "metric_list": [{"metric": task.metric, "higher_is_better": task.higher_is_better}],
        "filter_list": [{"name": task.filter}] if task.filter != "none" else [],
        "output_type": _OUTPUT_TYPES.get(task.kind, "multiple_choice"),
        "metadata": {"version": _number(task.version)},
    }


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _versions(run: StoredRun) -> dict[str, str]:
    versions = manifest_of(run).get("versions")
    return versions if isinstance(versions, dict) else {}


def _few_shot_seed(run: StoredRun) -> object:
    seeds = manifest_of(run).get("seeds")
    return seeds.get("few_shot") if isinstance(seeds, dict) else None
