"""Records of every_eval_ever: a JSON file of aggregate scores for a model, and its samples in a JSONL file beside it.

6f1c….json             model_info, evaluation_results, detailed_evaluation_results
6f1c…_samples.jsonl    a line for each sample and metric: evaluation_name, sample_id, input, output, evaluation
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mplus_eval.errors import UsageError
from mplus_eval.importers import only_model, scores_alone
from mplus_eval.importers.base import StoredItem, StoredRun
from mplus_eval.importers.gathering import Gathered
from mplus_eval.importers.reading import (
    Row,
    files_under,
    finite,
    json_file,
    json_lines,
    mapping,
    optional_text,
    sequence,
    text_of,
)
from mplus_eval.store.hashes import hash_file, hash_text
from mplus_eval.store.outcomes import Outcome

_SUFFIX = "_samples.jsonl"
_NOT_ASKED = ("execution_command",)
"""Arguments of a generation that do not change it."""


@dataclass(frozen=True)
class _Result:
    """One aggregate score: its metric, and where a higher one is better."""

    task: str
    metric: str
    higher_is_better: bool
    value: float | None
    generation: str


def read(folder: Path) -> StoredRun:
    """Read the records of one model; see `Importer`."""
    records = [(path, row) for path in files_under(folder) if (row := _record(path)) is not None]
    if not records:
        return StoredRun((), "", "eee", {})
    model = only_model(folder, (_model(path, row) for path, row in records))
    gathered, files, notes = Gathered(), dict[str, str](), []
    for path, row in records:
        samples = _samples(path, row)
        if samples is None:
            notes.append(f"{path.name} has aggregate scores only; per-item samples are needed to pair")
            continue
        files[samples.name] = hash_file(samples)
        _add(gathered, path, row, samples, {samples.name: files[samples.name]})
    if not files:
        raise scores_alone("eee", records[0][0])
    return StoredRun(gathered.tasks(), model, f"eee {_library(records[0][1])}", files, notes=tuple(notes))


def _record(path: Path) -> Row | None:
    """A file as a record; None where it is none."""
    if path.suffix != ".json":
        return None
    row = json_file(path)
    return row if "evaluation_results" in row and "model_info" in row else None


def _model(path: Path, row: Row) -> str:
    info = mapping(row, "model_info", str(path))
    return text_of(info, "id" if info.get("id") else "name", f"{path}: model_info")


def _library(row: Row) -> str:
    library = row.get("eval_library")
    return str(library.get("name", "")) if isinstance(library, dict) else ""


def _samples(path: Path, row: Row) -> Path | None:
    """The samples of a record, which lie beside it whatever path it names; None where there are none.

    Raises:
        UsageError: they are not those that the record's checksum is of.
    """
    details = mapping(row, "detailed_evaluation_results", str(path))
    named = details.get("file_path")
    names = [Path(named).name] if isinstance(named, str) else []
    found = next((each for name in [*names, path.stem + _SUFFIX] if (each := path.with_name(name)).is_file()), None)
    checksum = details.get("checksum")
    if (
        found
        and isinstance(checksum, str)
        and details.get("hash_algorithm") == "sha256"
        and hash_file(found) != checksum
    ):
        raise UsageError(f"{found}: not the samples of {path.name}, whose checksum is another")
    return found


def _add(gathered: Gathered, path: Path, row: Row, samples: Path, file: Mapping[str, str]) -> None:
    """The samples of one record, those of several metrics put together."""
    by_id, by_name = _results(path, row)
    items: dict[tuple[str, str], tuple[str, StoredItem]] = {}
    for where, line in json_lines(samples):
        task = text_of(line, "evaluation_name", where)
        identity = line.get("evaluation_result_id")
        result = by_id.get(str(identity)) or by_name.get(task)
        item = _item(line, where, task, result.metric if result else "score")
        known = items.get((task, item.key))
        if known is None:
            items[task, item.key] = (where, item)
            continue
        before, after = known[1].outcome.metrics or {}, item.outcome.metrics or {}
        if before.keys() & after.keys() or not after:
            raise UsageError(f"{where}: sample {item.label!r} of {task} stands twice, first in {known[0]}")
        outcome = replace(known[1].outcome, metrics={**before, **after})
        items[task, item.key] = (known[0], replace(known[1], outcome=outcome))
    for (task, _), (where, item) in items.items():
        gathered.add(task, item, where, file)
    for result in (*by_id.values(), *by_name.values()):
        if result.task in gathered.by_task:
            own = gathered.of(result.task)
            own.settings = {"library": _library(row), "generation": result.generation}
            own.better[result.metric] = result.higher_is_better
            own.rounded = True
            if result.value is not None:
                own.values[f"{result.metric},none"] = result.value


def _results(path: Path, row: Row) -> tuple[dict[str, _Result], dict[str, _Result]]:
    """The aggregate scores by their ids, and by the names of their evaluations where a name has one alone."""
    by_id: dict[str, _Result] = {}
    by_name: dict[str, list[_Result]] = {}
    for each in sequence(row, "evaluation_results", str(path)):
        where = f"{path}: evaluation_results"
        if not isinstance(each, dict):
            raise UsageError(f"{where}: objects are expected")
        result = _result(each, where)
        by_name.setdefault(result.task, []).append(result)
        if isinstance(identity := each.get("evaluation_result_id"), str):
            by_id[identity] = result
    return by_id, {name: results[0] for name, results in by_name.items() if len(results) == 1}


def _result(row: Row, where: str) -> _Result:
    config, details = mapping(row, "metric_config", where), mapping(row, "score_details", where)
    generation = mapping(mapping(row, "generation_config", where), "generation_args", where)
    asked = {key: value for key, value in generation.items() if key not in _NOT_ASKED}
    score, largest = details.get("score"), config.get("max_score")
    is_number = isinstance(score, int | float) and not isinstance(score, bool)
    # Of samples that are scored up to 1, a score in percent would be another number.
    is_share = config.get("score_type") == "binary" or largest in (None, 1)
    return _Result(
        task=text_of(row, "evaluation_name", where),
        metric=str(config.get("metric_id") or config.get("metric_name") or "score").replace(",", " "),
        higher_is_better=config.get("lower_is_better") is not True,
        value=float(score) if is_number and is_share and isinstance(score, int | float) and 0 <= score <= 1 else None,
        generation=json.dumps(asked, sort_keys=True, ensure_ascii=False),
    )


def _item(row: Row, where: str, task: str, metric: str) -> StoredItem:
    label, given = text_of(row, "sample_id", where), mapping(row, "input", where)
    raw, reference = given.get("raw"), sequence(given, "reference", where)
    prompt = next((text for text in (given.get("formatted"), raw) if isinstance(text, str)), "")
    error = optional_text(row, "error", where)
    score = finite(mapping(row, "evaluation", where), "score", where)
    attributions = sequence(row, "answer_attribution", where)
    last = attributions[-1] if attributions and isinstance(attributions[-1], dict) else {}
    extracted = last.get("extracted_value")
    outcome = Outcome(
        item_id="",
        stratum=task,
        sample=0,
        prompt_hash=hash_text(prompt),
        prompt=prompt,
        generations=list(_said(row, where)) or None,
        target=", ".join(map(str, reference)) or None,
        answer=extracted if isinstance(extracted, str) else None,
        metrics={f"{metric},none": score},
        error=error,
    )
    choices = sequence(given, "choices", where)
    # The record's own hash of a sample was made in several ways by its converters.
    key = hash_text(json.dumps([label, raw, reference], sort_keys=True, ensure_ascii=False))
    return StoredItem(key, label, outcome, chance=1 / len(choices) if choices else 0.0)


def _said(row: Row, where: str) -> Iterator[str]:
    """What the model said: its answer, or its turns of a conversation."""
    yield from (str(each) for each in sequence(mapping(row, "output", where), "raw", where))
    for message in sequence(row, "messages", where):
        if isinstance(message, dict) and message.get("role") == "assistant" and isinstance(message.get("content"), str):
            yield message["content"]
