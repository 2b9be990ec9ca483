"""What `--verbose` says of a plan before it is evaluated: how much there is to do, and where everything lies."""

from __future__ import annotations

from collections.abc import Iterator

from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.stored import stored_parts
from mplus_eval.store.hashes import cache_directory
from mplus_eval.store.run_directory import RunDirectory


def plan_lines(plan: Plan, directory: RunDirectory) -> Iterator[str]:
    """A line for the whole, one for each model with its files, and one for each folder."""
    cells = [cell for cell in plan.cells if cell.model is not plan.noise_rerun]
    n_items = sum(len(part.items) for cell in cells for part in cell.parts)
    n_stored = sum(all(stored_parts(cell, directory)) for cell in cells)
    yield f"plan: {len(cells)} cells, {n_items:,} items; {n_stored} cells are stored"
    for model in plan.models:
        where = model.location
        place = where.file or where.path or where.base_url
        adapter = f", adapter {where.adapter}" if where.adapter else ""
        yield f"model {model.spec.name}: {place}{adapter}, backend {model.backend}, weights {model.weights[:12]}"
    if plan.spec.data_dir:
        yield f"data: {plan.spec.data_dir}, before the hub"
    yield f"run: {directory.path.resolve()}"
    yield f"cache: {cache_directory()}"
