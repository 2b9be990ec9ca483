"""The explorer of one run: a catalogue, and every collection packed into a text of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.explorer.collection import Choice, Collection
from mplus_eval.reports.explorer.dialogues import dialogue_collection
from mplus_eval.reports.explorer.packing import line_of
from mplus_eval.reports.explorer.page import megabytes
from mplus_eval.reports.explorer.prompt_sets import prompt_collections
from mplus_eval.reports.tables import ModelLabel
from mplus_eval.store.run_directory import RunDirectory

LARGEST_WITHIN = 50_000_000
"""Bytes of packed items that the report holds; more lie beside it, in a page of their own."""


@dataclass(frozen=True)
class Explorer:
    """What the page unpacks.

    Attributes:
        catalogue: models and collections, packed.
        texts: the packed collections, in the order of the catalogue.
        n_items: packed in all.
        choice: which of the stored ones these are.
    """

    catalogue: str
    texts: tuple[str, ...]
    n_items: int
    choice: Choice

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return len(self.catalogue) + sum(map(len, self.texts))

    @property
    def is_beside(self) -> bool:
        """Whether it is too large for the report."""
        return self.size > LARGEST_WITHIN

    @property
    def megabytes(self) -> str:
        """Its size as it is said."""
        return megabytes(self.size)


def explore(
    comparison: Comparison,
    directory: Path,
    labels: Mapping[str, ModelLabel],
    tasks: Sequence[Collection],
    choice: Choice = "all",
) -> Explorer | None:
    """Pack what is stored of a run's items; None where nothing is, or nothing is wanted.

    Args:
        comparison: what was found.
        directory: the run directory.
        labels: how models are named.
        tasks: the collections of tasks.
        choice: which items.
    """
    if choice == "none":
        return None
    collections = [*tasks, *_further(comparison, RunDirectory(directory), choice)]
    return packed_explorer(comparison.baseline, labels, collections, choice) if collections else None


def packed_explorer(
    baseline: str, labels: Mapping[str, ModelLabel], collections: Sequence[Collection], choice: Choice
) -> Explorer:
    """Collections with their catalogue.

    Args:
        baseline: of the run.
        labels: how models are named.
        collections: one at least.
        choice: which items they hold.
    """
    models = [{"name": label.name, "css": label.css, "shape": label.shape} for label in labels.values()]
    shown = [{**found.facts, "n": found.n_items, "stored": found.n_stored} for found in collections]
    catalogue = line_of({"baseline": baseline, "choice": choice, "models": models, "collections": shown})
    n_items = sum(found.n_items for found in collections)
    return Explorer(catalogue, tuple(found.text for found in collections), n_items, choice)


def _further(comparison: Comparison, run: RunDirectory, choice: Choice) -> Iterator[Collection]:
    """The collections of prompt sets and dialogues."""
    yield from prompt_collections(comparison, run, choice)
    if dialogues := dialogue_collection(comparison, run, choice):
        yield dialogues
