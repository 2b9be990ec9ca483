"""Whether models had seen a suite's items: every task put to every model in orders and versions, model by model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic import ValidationError

from mplus_eval.capability.axis import Capability
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.records.contamination import Contamination
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.sealed import forget, recall, write_sealed_text

if TYPE_CHECKING:
    from mplus_eval.capability.items import LoadedTask
    from mplus_eval.contamination.check import TaskValues
    from mplus_eval.contamination.item_texts import ItemText
    from mplus_eval.contamination.probes import Probe, ProbeSettings
    from mplus_eval.records.contamination import Overlap, TaskContamination

    Items: TypeAlias = Mapping[str, Sequence[ItemText]]
    """Of one task, by subtask."""

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
    from mplus_eval.contamination.item_texts import item_texts
    from mplus_eval.contamination.probes import ProbeSettings

    progress = progress or RunProgress()
    sought = _sought(spec, faults, reference, paraphrases, corpus, progress)
    items = {name: item_texts(task) for name, task in sought.tasks.items()}
    settings = ProbeSettings(spec.seed, n_shards, n_orders, n_items, length)
    probes, values = _measured(spec, items, settings, sought.paraphrases, progress)
    with progress.phase("statistics"):
        models = _tested(probes, values, level, spec.seed, reference)
    overlap = {}
    if sought.corpus:
        with progress.phase("corpus"):
            overlap = _overlaps(items, sought.corpus, corpus_field)
    return Contamination(
        level=level,
        seed=spec.seed,
        reference_model=reference,
        models=models,
        overlap=overlap,
        corpus=tuple(str(place) for place in corpus),
    )


@dataclass(frozen=True)
class _Sought:
    """What is asked about: tasks by name, questions in other words by task and item, the files of the corpus."""

    tasks: Mapping[str, LoadedTask]
    paraphrases: Mapping[str, Mapping[str, str]]
    corpus: Sequence[Path]


def _sought(
    spec: CompareSpec,
    faults: Sequence[str],
    reference: str | None,
    paraphrases: Path | None,
    corpus: Sequence[Path],
    progress: RunProgress,
) -> _Sought:
    """Look at everything before anything is asked; arguments as of `check_contamination`."""
    from mplus_eval.contamination.overlap import corpus_files
    from mplus_eval.pipeline.validate import validate

    found = list(faults)
    names = [model.name for model in spec.models]
    if reference is not None and reference not in names:
        found.append(f"--reference {reference!r} is not among the models: {', '.join(names)}")
    files, texts = [], {}
    try:
        files = corpus_files(corpus)
        texts = _paraphrases(paraphrases) if paraphrases is not None else {}
    except UsageError as error:
        found.append(str(error))
    validated = validate(spec, progress.prepare, found)
    capability = next(axis for axis in validated.axes if isinstance(axis, Capability))
    if unknown := [task for task in texts if task not in capability.tasks]:
        raise SpecError([f"--paraphrases {paraphrases}: task {unknown[0]!r} is not among those that are looked at"])
    return _Sought(capability.tasks, texts, files)


def _measured(
    spec: CompareSpec,
    items: Mapping[str, Items],
    settings: ProbeSettings,
    paraphrases: Mapping[str, Mapping[str, str]],
    progress: RunProgress,
) -> tuple[dict[str, Probe], dict[str, dict[str, TaskValues]]]:
    """Ask every model; the texts of each task, and by model what it thinks of them."""
    from mplus_eval.backends import load_backend
    from mplus_eval.contamination.check import measure
    from mplus_eval.contamination.likelihood import fits
    from mplus_eval.contamination.probes import probe
    from mplus_eval.models.resolved import resolved_models

    probes: dict[str, Probe] = {}
    values: dict[str, dict[str, TaskValues]] = {}
    for number, model in enumerate(resolved_models(spec, {}, progress.prepare, talks=False)):
        name, backend = model.spec.name, load_backend(model.backend, model.spec, model.location)
        try:
            # By the length and tokenizer of the first one; what is too long for another is withheld for it.
            probes = probes or {
                task: probe(each, fits(backend, settings.length), settings, paraphrases.get(task))
                for task, each in items.items()
            }
            values[name] = {}
            for place, (task, asked) in enumerate(probes.items()):
                progress.prepare(f"{name}: {task}", number * len(probes) + place, len(spec.models) * len(probes))
                values[name][task] = measure(backend, asked)
        finally:
            backend.close()
    return probes, values


def _tested(
    probes: Mapping[str, Probe],
    values: Mapping[str, Mapping[str, TaskValues]],
    level: float,
    seed: int,
    reference: str | None,
) -> dict[str, dict[str, TaskContamination]]:
    """Test every model but the reference, which stands beside each."""
    from mplus_eval.contamination.check import judged

    beside = values.get(reference) if reference is not None else None
    return {
        name: judged(of_model, probes, level=level, seed=seed, reference=beside)
        for name, of_model in values.items()
        if name != reference
    }


def _overlaps(items: Mapping[str, Items], files: Sequence[Path], field: str) -> dict[str, Overlap]:
    """Look for the items of every task in the files of a corpus."""
    from mplus_eval.contamination.overlap import all_documents, overlaps

    of_tasks = {name: [item for each in of_task.values() for item in each] for name, of_task in items.items()}
    return overlaps(of_tasks, all_documents(files, field))


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
