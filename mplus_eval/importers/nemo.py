"""Results of NeMo Evaluator, in both of its layouts.

eval-20260225T143012Z-gsm8k.json   a bundle: the benchmark, its settings and scores
results.jsonl                      beside it, a line for each problem and repeat: problem_idx, reward, …

results.yml                        scores alone, beside what the harness wrote: of lm-eval's tasks its samples
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from mplus_eval.importers import lm_eval, only_model, scores_alone
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
    text_of,
    whole_number,
)
from mplus_eval.store.hashes import hash_file, hash_text
from mplus_eval.store.outcomes import Outcome

_HEADLINES = ("mean_reward", "pass@1")
"""Scores of a bundle that are the mean of rewards over problems and repeats."""
_GENERATION = ("temperature", "top_p", "max_tokens", "seed", "system_prompt")
KEY = "reward,none"


def read(folder: Path) -> StoredRun:
    """Read the bundles of one model, or what lm-eval left beside `results.yml`; see `Importer`."""
    paths = list(files_under(folder))
    bundles = [(path, row) for path in paths if (row := _bundle(path)) is not None]
    if bundles:
        return _of_bundles(folder, bundles)
    scores = [path for path in paths if path.name in ("results.yml", "results.yaml")]
    found = lm_eval.read(folder)
    if not found.tasks and scores:
        raise scores_alone("nemo", scores[0])
    return found


def _bundle(path: Path) -> Row | None:
    """A file as a bundle; None where it is none."""
    if not (path.name.startswith("eval-") and path.suffix == ".json"):
        return None
    row = json_file(path)
    return row if "benchmark" in row else None


def _of_bundles(folder: Path, bundles: list[tuple[Path, Row]]) -> StoredRun:
    newest: dict[str, tuple[Path, Row]] = {}
    notes = []
    for path, row in sorted(bundles, key=lambda each: str(each[1].get("timestamp", ""))):
        name = text_of(mapping(row, "benchmark", str(path)), "name", f"{path}: benchmark")
        if name in newest:
            notes.append(f"{name} has several bundles; the newest counts, {path.name}")
        newest[name] = (path, row)
    configs = [mapping(row, "config", str(path)) for path, row in newest.values()]
    model = only_model(folder, (str(config.get("model") or folder.name) for config in configs))
    gathered, files = Gathered(), dict[str, str]()
    for name, (path, row) in newest.items():
        results = path.with_name("results.jsonl")
        if not results.is_file():
            raise scores_alone("nemo", path)
        place = results.relative_to(folder).as_posix() if folder.is_dir() else results.name
        files[place] = hash_file(results)
        _add(gathered, name, path, row, results, {place: files[place]})
    return StoredRun(gathered.tasks(), model, "nemo-evaluator", files, notes=tuple(notes))


def _add(gathered: Gathered, task: str, path: Path, row: Row, results: Path, file: Mapping[str, str]) -> None:
    """One benchmark."""
    config, benchmark = mapping(row, "config", str(path)), mapping(row, "benchmark", str(path))
    own = gathered.of(task)
    given = {key: config[key] for key in _GENERATION if config.get(key) is not None}
    own.settings = {
        "generation": json.dumps(given, sort_keys=True, ensure_ascii=False),
        "repeats": str(benchmark.get("repeats", 1)),
    }
    scores = mapping(benchmark, "scores", f"{path}: benchmark")
    for name in _HEADLINES:
        value = mapping(scores, name, f"{path}: benchmark.scores").get("value")
        if isinstance(value, int | float) and not isinstance(value, bool):
            own.values.setdefault(KEY, float(value))
    # A bundle shows four digits.
    own.rounded = True
    for where, item in _items(results, task):
        gathered.add(task, item, where, file)
    if not own.items:
        raise scores_alone("nemo", results)


def _items(results: Path, task: str) -> Iterator[tuple[str, StoredItem]]:
    for where, row in json_lines(results):
        number = whole_number(row, "problem_idx", where)
        expected = row.get("expected_answer")
        target = expected if isinstance(expected, str) or expected is None else json.dumps(expected)
        prompt = row.get("prompt")
        text = prompt if isinstance(prompt, str) else "" if prompt is None else json.dumps(prompt, ensure_ascii=False)
        category = mapping(row, "metadata", where).get("category")
        if category is None:
            category = mapping(row, "scoring_details", where).get("category")
        response = optional_text(row, "model_response", where)
        extracted = row.get("extracted_answer")
        outcome = Outcome(
            item_id="",
            stratum=category if isinstance(category, str) and category else task,
            sample=whole_number(row, "repeat", where, default=0),
            prompt_hash=hash_text(text),
            prompt=text,
            generations=None if response is None else [response],
            target=target,
            answer=None if extracted is None else str(extracted),
            metrics={KEY: finite(row, "reward", where)},
        )
        # The same number is the same problem; another expected answer means other data.
        yield where, StoredItem(f"{number} {hash_text(target or '')[:16]}", str(number), outcome)
