"""What cells and models are expected to take, which decides the order in which they are computed and no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mplus_eval.models.cells import Cell, Part
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.executors.work import Needs

SECONDS_AN_ITEM = 0.1
"""Where nothing tells them, so that cells of many items are taken for longer ones."""
LIKELIHOODS_SHARE = 0.1
"""Of the time that texts took to be written, what reading them takes."""
BYTES_A_SECOND, FEWEST_SECONDS = 1e9, 5.0
"""How quickly weights are loaded, where nothing tells it; and what a model takes besides."""


@dataclass(frozen=True)
class Expected:
    """Seconds of what is missing of each cell, and of loading each model; both by guess where they are not known.

    Attributes:
        cells: seconds by model and task.
        loading: seconds by model.
    """

    cells: Mapping[tuple[str, str], float]
    loading: Mapping[str, float] = field(default_factory=dict)

    def seconds(self, cell: Cell, parts: Sequence[Part]) -> float:
        """Of some parts of a cell."""
        if (known := self.cells.get(cell.key)) is not None:
            return known
        return sum(len(part.items) for part in parts) * SECONDS_AN_ITEM

    def likelihoods(self, cell: Cell, indexes: Sequence[int]) -> float:
        """Of asking the baseline how likely it thinks some parts' answers."""
        n_items = sum(len(cell.parts[index].items) for index in indexes)
        whole = self.cells.get(cell.key) or self.seconds(cell, cell.parts)
        return LIKELIHOODS_SHARE * whole * n_items / max(cell.n_items, 1)

    def needs(self, model: ResolvedModel) -> Needs:
        """What a model asks of a worker."""
        # A server's concurrency is that of one process, so a second one would ask too much of it.
        most = 1 if model.location.path is None else None
        known = self.loading.get(model.spec.name)
        return Needs(
            _loading(model) if known is None else known, devices=float(model.spec.n_devices), most_workers=most
        )


def _loading(model: ResolvedModel) -> float:
    """A guess at the seconds that loading a model takes, by the size of its files."""
    folder = model.location.path
    if folder is None:
        return 0.0
    sizes = (file.stat().st_size for file in (folder.glob("*") if folder.is_dir() else [folder]) if file.is_file())
    return FEWEST_SECONDS + sum(sizes) / BYTES_A_SECOND
