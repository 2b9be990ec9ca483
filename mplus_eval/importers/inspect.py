"""Logs of Inspect: an archive (`*.eval`) or one JSON file (`*.json`) for each task that a model was asked.

header.json                 what was run, and the value of every scorer
samples/17_epoch_1.json     one sample: input, target, what the model said, the scores
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.errors import UsageError
from mplus_eval.importers import only_model, scores_alone
from mplus_eval.importers.archive import Archive, is_archive
from mplus_eval.importers.base import StoredItem, StoredRun
from mplus_eval.importers.gathering import Gathered
from mplus_eval.importers.reading import Row, files_under, json_file, mapping, sequence, text_of, whole_number
from mplus_eval.store.hashes import hash_file, hash_text
from mplus_eval.store.outcomes import Outcome

_GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""Inspect's own numbers for its grades and for words."""
_SETTINGS = {"task arguments": "task_args", "generation": "model_generate_config"}


@dataclass(frozen=True)
class _Log:
    """One log: what was run, and the samples, each with its place for messages."""

    path: Path
    header: Row
    samples: Iterator[tuple[str, Row]]

    @property
    def eval(self) -> Row:
        """What was run."""
        return mapping(self.header, "eval", str(self.path))


def read(folder: Path) -> StoredRun:
    """Read the logs of one model; see `Importer`."""
    newest: dict[str, _Log] = {}
    notes: list[str] = []
    logs = [log for path in files_under(folder) if (log := _log(path)) is not None]
    for log in sorted(logs, key=lambda log: str(log.eval.get("created", ""))):
        if log.header.get("status") != "success":
            notes.append(f"{log.path.name} is left out, since its status is {str(log.header.get('status'))[:40]!r}")
            continue
        task = text_of(log.eval, "task", f"{log.path}: eval")
        if task in newest:
            notes.append(f"{task} has several logs; the newest counts, {log.path.name}")
        newest[task] = log
    if not newest:
        if notes:
            raise UsageError(f"{folder}: no log of it is complete; {notes[0]}")
        return StoredRun((), "", "inspect", {})
    model = only_model(folder, (text_of(log.eval, "model", f"{log.path}: eval") for log in newest.values()))
    gathered, files = Gathered(), dict[str, str]()
    for task, log in newest.items():
        files[log.path.name] = hash_file(log.path)
        _add(gathered, task, log, {log.path.name: files[log.path.name]})
    provider = model.partition("/")[0]
    return StoredRun(gathered.tasks(), model, f"inspect {provider}", files, notes=tuple(notes))


def _log(path: Path) -> _Log | None:
    """A file as a log; None where it is none."""
    if path.suffix == ".eval":
        if not is_archive(path):
            raise UsageError(f"{path}: no archive, which a log with the ending .eval is")
        archive = Archive(path)
        if "header.json" not in archive.names:
            return _Log(path, {"status": "started"}, iter(()))
        return _Log(path, archive.json("header.json"), archive.rows("samples/"))
    if path.suffix != ".json":
        return None
    row = json_file(path)
    if "eval" not in row or "status" not in row:
        return None
    rows = ((f"{path}, sample {n}", each) for n, each in enumerate(sequence(row, "samples", str(path)), start=1))
    return _Log(path, row, rows)


def _add(gathered: Gathered, task: str, log: _Log, file: Mapping[str, str]) -> None:
    """The samples of one log, with what must be alike in two models."""
    own = gathered.of(task)
    steps = mapping(log.header, "plan", str(log.path)).get("steps")
    own.settings = {
        "version": str(log.eval.get("task_version", "")),
        **{name: _written(log.eval.get(key)) for name, key in _SETTINGS.items()},
        "solver": _written(steps),
        "epochs": str(mapping(log.eval, "config", str(log.path)).get("epochs") or 1),
    }
    own.values |= _values(log)
    met: Counter[tuple[str, int]] = Counter()
    for where, row in log.samples:
        if not isinstance(row, dict):
            raise UsageError(f"{where}: a JSON object is expected")
        gathered.add(task, _item(row, where, task, met), where, file)
    if not own.items:
        raise scores_alone("inspect", log.path)


def _values(log: _Log) -> dict[str, float]:
    """The value of every scorer: its accuracy, or the mean of its scores."""
    where = f"{log.path}: results"
    values: dict[str, float] = {}
    for score in sequence(mapping(log.header, "results", str(log.path)), "scores", where):
        metrics = mapping(score, "metrics", where) if isinstance(score, dict) else {}
        for metric in ("accuracy", "mean"):
            value = mapping(metrics, metric, where).get("value")
            if isinstance(value, int | float) and not isinstance(value, bool):
                values.setdefault(f"{score.get('name')},none", float(value))
    return values


def _item(row: Row, where: str, task: str, met: Counter[tuple[str, int]]) -> StoredItem:
    epoch = whole_number(row, "epoch", where, default=1)
    prompt, target = _text(row.get("input")), _text(row.get("target"))
    content = hash_text(json.dumps([prompt, target]))
    met[content, epoch] += 1
    key = content if met[content, epoch] == 1 else f"{content} {met[content, epoch]}"
    error = row.get("error")
    output, scores = mapping(row, "output", where), mapping(row, "scores", where)
    answers = {name: mapping(scores, name, where).get("answer") for name in scores}
    said = output.get("completion")
    outcome = Outcome(
        item_id="",
        stratum=task,
        sample=max(epoch - 1, 0),
        prompt_hash=hash_text(prompt),
        prompt=prompt,
        generations=[said] if isinstance(said, str) else None,
        target=target,
        answer=next((str(answer) for answer in answers.values() if answer is not None), None),
        metrics={} if error else dict(_metrics(scores, where)),
        error=None if not error else _text(error.get("message") if isinstance(error, dict) else error)[:300],
    )
    choices = sequence(row, "choices", where)
    return StoredItem(key, _text(row.get("id")), outcome, chance=1 / len(choices) if choices else 0.0)


def _metrics(scores: Row, where: str) -> Iterator[tuple[str, float]]:
    """The scores of a sample as numbers; of a scorer that gives several, each by its name."""
    for name in scores:
        value = mapping(scores, name, where).get("value")
        named = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
        for key, each in named.items():
            number = _number(each, f"{where}: scores.{key}")
            if number is not None:
                yield f"{key},none", number


def _number(value: object, where: str) -> float | None:
    """A score as Inspect takes it for a number; None where a sample is not scored."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        graded = _GRADES.get(value, _GRADES.get(value.lower()))
        try:
            return float(value) if graded is None else graded
        except ValueError:
            raise UsageError(f"{where}: {value[:40]!r} is no number and none of {', '.join(_GRADES)}") from None
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise UsageError(f"{where}: a number or a grade is expected, not {str(value)[:40]!r}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else _written(value)


def _written(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
