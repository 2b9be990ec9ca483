"""What lm-eval leaves with `--log_samples --output_path DIR`.

    DIR/<model>/results_2026-11-30T17-33-16.971544.json             versions, shots, configurations, values
    DIR/<model>/samples_mmlu_anatomy_2026-11-30T17-33-16.971544.jsonl     a line for each document and filter

Each run leaves files of one date. A task is what was asked for by name: a group with all of its subtasks, or a task of
no group. Where one stands in the files of several dates, the newest counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mplus_eval.errors import UsageError
from mplus_eval.importers import only_model, scores_alone
from mplus_eval.importers.base import Kind, StoredMetric, StoredRun, StoredSubtask, StoredTask
from mplus_eval.importers.lm_eval_samples import read_samples
from mplus_eval.importers.reading import Row, files_under, json_file, mapping, sequence
from mplus_eval.store.hashes import hash_file, hash_text

_DATE = re.compile(r"_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)$")
_NO_WORD = re.compile(r"\W")
_KINDS: dict[str, Kind] = {"generate_until": "generation", "loglikelihood_rolling": "text"}
_SAMPLES = "samples_"


@dataclass(frozen=True)
class _Results:
    """One results file and the samples that lie beside it."""

    path: Path
    date: str
    row: Row

    def samples(self, task: str) -> Path:
        """The samples of a task."""
        own = self.path.parent / f"{_SAMPLES}{task}_{self.date}.jsonl"
        # Earlier versions put an underscore in the place of what is no letter, digit or underscore.
        plain = _NO_WORD.sub("_", task)
        sanitized = self.path.parent / f"{_SAMPLES}{plain}_{self.date}.jsonl"
        return own if own.is_file() or not sanitized.is_file() else sanitized

    def of(self, key: str) -> Row:
        """An object of the file."""
        return mapping(self.row, key, str(self.path))

    def of_task(self, key: str, task: str) -> Row:
        """What an object of the file says of a task."""
        return mapping(self.of(key), task, f"{self.path}: {key}")

    @property
    def names(self) -> list[str]:
        """What was asked for: groups that are in no other, and tasks of no group."""
        members = self._members
        of_groups = {name for names in members.values() for name in names}
        return [name for name in (*members, *self.of("configs")) if name not in of_groups and self.leaves(name)]

    @property
    def _members(self) -> dict[str, list[str]]:
        groups = self.of("group_subtasks")
        members = {name: [str(each) for each in sequence(groups, name, str(self.path))] for name in groups}
        # A task of no group stands there too, with no members.
        return {name: names for name, names in members.items() if names}

    def leaves(self, name: str, above: tuple[str, ...] = ()) -> list[str]:
        """The subtasks of a group, of all levels; a task itself."""
        members = self._members
        if name not in members:
            return [name] if name in self.of("configs") else []
        if name in above:
            raise UsageError(f"{self.path}: group {name!r} is a subtask of itself")
        found = [leaf for each in members[name] for leaf in self.leaves(each, (*above, name))]
        return list(dict.fromkeys(found))


def read(folder: Path) -> StoredRun:
    """Read what lm-eval left of one model; see `Importer`."""
    paths = list(files_under(folder))
    dates = {path: date[1] for path in paths if (date := _DATE.search(path.stem))}
    results = [
        _Results(path, date, row)
        for path, date in dates.items()
        if path.suffix == ".json" and "results" in (row := json_file(path)) and "configs" in row
    ]
    _refuse_orphans(dates, results)
    newest: dict[str, _Results] = {}
    notes: list[str] = []
    for each in sorted(results, key=lambda each: each.date):
        for name in each.names:
            if name in newest:
                notes.append(f"{name} stands in results of several dates; the newest counts, {each.path.name}")
            newest[name] = each
    if not newest:
        return StoredRun((), "", "lm-eval", {})
    only_model(folder, map(_model_name, results))
    tasks = tuple(_task(name, each) for name, each in newest.items() if _has_samples(each, name))
    if not tasks:
        raise scores_alone("lm-eval", next(iter(newest.values())).path)
    notes += [
        f"{name} has aggregate scores only in {each.path.name}; per-item samples are needed to pair"
        for name, each in newest.items()
        if not _has_samples(each, name)
    ]
    return _run(tasks, next(reversed(newest.values())), notes)


def _refuse_orphans(dates: Mapping[Path, str], results: list[_Results]) -> None:
    """Samples without the results of the same run, which have what must be alike in two models."""
    have = {(each.path.parent, each.date) for each in results}
    for path, date in dates.items():
        if path.suffix == ".jsonl" and path.name.startswith(_SAMPLES) and (path.parent, date) not in have:
            needed = f"results_{date}.json, which has version, shots and values,"
            raise UsageError(f"{path}: {needed} is missing beside it")


def _model_name(results: _Results) -> str:
    name = results.row.get("model_name")
    return name if isinstance(name, str) and name else results.path.parent.name


def _has_samples(results: _Results, name: str) -> bool:
    return all(results.samples(leaf).is_file() for leaf in results.leaves(name))


def _run(tasks: tuple[StoredTask, ...], results: _Results, notes: list[str]) -> StoredRun:
    """The model as the newest results tell of it."""
    config, row = results.of("config"), results.row
    template = row.get("chat_template_sha")
    source, sha, parameters = row.get("model_source"), config.get("model_sha"), config.get("model_num_parameters")
    dtype = config.get("model_dtype")
    return StoredRun(
        tasks=tasks,
        model=_model_name(results),
        asked_by=f"lm-eval {source}" if isinstance(source, str) and source else "lm-eval",
        files={name: digest for task in tasks for name, digest in task.files.items()},
        weights=hash_text(f"{_model_name(results)} {sha}") if isinstance(sha, str) and sha else "",
        dtype=dtype.removeprefix("torch.") if isinstance(dtype, str) else None,
        parameters=parameters if isinstance(parameters, int) and parameters > 0 else None,
        chat_template=f"own {template[:12]}" if isinstance(template, str) and template else "plain",
        lm_eval=True,
        notes=tuple(notes),
    )


def _task(name: str, results: _Results) -> StoredTask:
    """A group, or a task of none."""
    leaves = results.leaves(name)
    configs = [results.of_task("configs", leaf) for leaf in leaves]
    subtasks = tuple(_subtask(leaf, config, results) for leaf, config in zip(leaves, configs, strict=True))
    filters = [str(each.get("name")) for each in _objects(configs[0], "filter_list", results)] or ["none"]
    return StoredTask(
        name=name,
        subtasks=subtasks,
        metrics=_metrics(configs[0], results.of_task("higher_is_better", leaves[0]), results),
        filters=tuple(filters),
        values=_values(results.of_task("results", name)),
        n_shots=max((int(each.settings["shots"]) for each in subtasks), default=0),
        version=",".join(sorted({each.settings["version"] for each in subtasks})),
        has_description=any(bool(config.get("description")) for config in configs),
    )


def _subtask(leaf: str, config: Row, results: _Results) -> StoredSubtask:
    output = config.get("output_type")
    shots = results.of("n-shot").get(leaf, config.get("num_fewshot") or 0)
    if isinstance(shots, bool) or not isinstance(shots, int):
        raise UsageError(f"{results.path}: n-shot of {leaf}: a whole number is expected, not {str(shots)[:40]!r}")
    settings = {"version": str(results.of("versions").get(leaf, "")), "shots": str(shots)}
    if output == "generate_until":
        settings["generation"] = json.dumps(config.get("generation_kwargs"), sort_keys=True, ensure_ascii=False)
    if isinstance(system := results.row.get("system_instruction"), str) and system:
        settings["system instruction"] = system
    path, effective = results.samples(leaf), results.of_task("n-samples", leaf).get("effective")
    return StoredSubtask(
        name=leaf,
        settings=settings,
        kind=_KINDS.get(str(output), "choice"),
        read=partial(read_samples, path, leaf, config),
        files={path.name: hash_file(path)},
        values=_values(results.of_task("results", leaf)),
        n_items=effective if isinstance(effective, int) else None,
    )


def _metrics(config: Row, higher: Row, results: _Results) -> dict[str, StoredMetric]:
    """The metrics of a configuration; of one that a function of the task aggregates, an aggregation of no name."""
    metrics = {}
    for each in _objects(config, "metric_list", results):
        name, aggregation = str(each.get("metric")), each.get("aggregation", "mean")
        better = higher.get(name, each.get("higher_is_better", True))
        metrics[name] = StoredMetric(aggregation if isinstance(aggregation, str) else "", better is not False)
    return metrics or {name: StoredMetric(higher_is_better=better is not False) for name, better in higher.items()}


def _objects(config: Row, key: str, results: _Results) -> list[Row]:
    return [each for each in sequence(config, key, f"{results.path}: configs") if isinstance(each, dict)]


def _values(row: Mapping[str, Any]) -> dict[str, float]:
    """The values of metrics, by `metric,filter`; their standard errors are left aside."""
    return {
        key: float(value)
        for key, value in row.items()
        if "," in key and "_stderr," not in key and isinstance(value, int | float) and not isinstance(value, bool)
    }
