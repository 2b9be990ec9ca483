"""Whether models had seen a suite's items: every task put to every model in orders and versions, model by model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from mplus_eval.capability.axis import Capability
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.records.contamination import Contamination
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.sealed import forget, recall, write_sealed_text

STORED = "contamination.json"


def check_contamination(
    spec: CompareSpec,
    faults: Sequence[str],
    *,
    n_shards: int,
    n_orders: int,
    n_items: int,
    length: int,
    level: float = 0.05,
    reference: str | None = None,
    paraphrases: Path | None = None,
    corpus: Sequence[Path] = (),
    corpus_field: str = "text",
    progress: RunProgress | None = None,
) -> Contamination:
    """Put the texts of every task to every model, test what they think of them, and look for them in a corpus.

    Args:
        spec: the models and tasks.
        faults: what is known to be wrong with what was asked for.
        n_shards: of each task at most.
        n_orders: of each shard, besides the data's own.
        n_items: of each task at most, whose versions are compared.
        length: most tokens of a text.
        level: of the tests of one model together.
        reference: the model that cannot have seen the items.
        paraphrases: JSON lines with `task`, `item_id` and `text`.
        corpus: files and folders of texts.
        corpus_field: of their rows, that holds the text.
        progress: told of what goes on.

    Raises:
        SpecError: with every fault, before anything is asked.
    """
    from mplus_eval.backends import load_backend
    from mplus_eval.contamination.check import TaskValues, judged, measure
    from mplus_eval.contamination.item_texts import item_texts
    from mplus_eval.contamination.likelihood import fits
    from mplus_eval.contamination.overlap import all_documents, corpus_files, overlaps
    from mplus_eval.contamination.probes import Probe, ProbeSettings, probe
    from mplus_eval.models.resolved import resolved_models
    from mplus_eval.pipeline.validate import validate

    progress = progress or RunProgress()
    found_faults = list(faults)
    names = [model.name for model in spec.models]
    if reference is not None and reference not in names:
        found_faults.append(f"--reference {reference!r} is not among the models: {', '.join(names)}")
    files, texts = [], {}
    try:
        files = corpus_files(corpus)
        texts = _paraphrases(paraphrases) if paraphrases is not None else {}
    except UsageError as error:
        found_faults.append(str(error))
    validated = validate(spec, progress.prepare, found_faults)
    capability = next(axis for axis in validated.axes if isinstance(axis, Capability))
    if unknown := [task for task in texts if task not in capability.tasks]:
        raise SpecError([f"--paraphrases {paraphrases}: task {unknown[0]!r} is not among those that are looked at"])
    items = {name: item_texts(task) for name, task in capability.tasks.items()}
    settings = ProbeSettings(spec.seed, n_shards, n_orders, n_items, length)
    probes: dict[str, Probe] = {}
    values: dict[str, dict[str, TaskValues]] = {}
    for number, model in enumerate(resolved_models(spec, {}, progress.prepare, talks=False)):
        backend = load_backend(model.backend, model.spec, model.location)
        try:
            # By the length and tokenizer of the first one; what is too long for another is withheld for it.
            probes = probes or {
                name: probe(each, fits(backend, length), settings, texts.get(name)) for name, each in items.items()
            }
            values[model.spec.name] = {}
            for place, (name, asked) in enumerate(probes.items()):
                progress.prepare(f"{model.spec.name}: {name}", number * len(probes) + place, len(names) * len(probes))
                values[model.spec.name][name] = measure(backend, asked)
        finally:
            backend.close()
    with progress.phase("statistics"):
        beside = values.get(reference) if reference is not None else None
        models = {
            name: judged(of_model, probes, level=level, seed=spec.seed, reference=beside)
            for name, of_model in values.items()
            if name != reference
        }
    found = {}
    if files:
        with progress.phase("corpus"):
            of_tasks = {name: [item for each in of_task.values() for item in each] for name, of_task in items.items()}
            found = overlaps(of_tasks, all_documents(files, corpus_field))
    return Contamination(
        level=level,
        seed=spec.seed,
        reference_model=reference,
        models=models,
        overlap=found,
        corpus=tuple(str(place) for place in corpus),
    )


def store(found: Contamination, run_directory: Path) -> None:
    """Put what was found beside a run, and render its report again.

    Raises:
        UsageError: no comparison is there, or it has other models or tasks.
    """
    from mplus_eval.pipeline.run import changed, load

    run = load(run_directory)
    directory = RunDirectory(run_directory)
    with directory.locked():
        write_sealed_text(run_directory / STORED, found.model_dump_json(indent=2))
        changed(run, directory, contamination=fitting(found, run.comparison.models, run.comparison.tasks))


def stored(directory: RunDirectory, models: Mapping[str, object], tasks: Mapping[str, object]) -> Contamination | None:
    """What was put beside a run of these models and tasks; None where nothing was, or it cannot be read."""
    path = directory.path / STORED
    if (value := recall(path)) is None:
        return None
    try:
        found = Contamination.model_validate(value)
    except ValidationError as error:
        forget(path, f"{path} holds no contamination ({error.error_count()} faults)")
        return None
    return fitting(found, models, tasks)


def fitting(found: Contamination, models: Mapping[str, object], tasks: Mapping[str, object]) -> Contamination | None:
    """What of it is about models and tasks of a comparison; None where nothing is."""
    kept = {
        model: {task: each for task, each in of_model.items() if task in tasks}
        for model, of_model in found.models.items()
        if model in models
    }
    overlap = {task: each for task, each in found.overlap.items() if task in tasks}
    kept = {model: each for model, each in kept.items() if each}
    return found.model_copy(update={"models": kept, "overlap": overlap}) if kept or overlap else None


def _paraphrases(path: Path) -> dict[str, dict[str, str]]:
    """Questions in other words, by task and item.

    Raises:
        UsageError: naming the first line that is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"--paraphrases {path}: cannot be read ({' '.join(str(error).split())[:150]})") from None
    found: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError:
            row = {}
        if row is None:
            continue
        keys = ("task", "item_id", "text")
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) and row[key] for key in keys):
            wanted = f"an object with the texts {', '.join(keys)}"
            raise UsageError(f"--paraphrases {path}, line {number}: {wanted} is expected")
        found.setdefault(row["task"], {})[row["item_id"]] = row["text"]
    return found
