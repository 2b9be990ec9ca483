"""What models spent on reasoning, read from the stored answers of every axis alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from mplus_eval.models.thinking_template import thinks_before_choices
from mplus_eval.pipeline.plan import Plan
from mplus_eval.records.thinking import ThinkingSpent
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import cell_tables
from mplus_eval.store.run_directory import RunDirectory

_COLUMNS = ("unclosed", "n_thinking", "thinking")


def thinking_spent(
    plan: Plan, directory: RunDirectory, failures: Iterable[tuple[str, str]]
) -> dict[str, dict[str, ThinkingSpent]]:
    """By model and task, where a model reasoned or should have.

    Args:
        plan: the cells.
        directory: where their answers lie.
        failures: cells that have none of this plan.
    """
    failed = set(failures)
    spent: dict[str, dict[str, ThinkingSpent]] = {}
    for model in plan.models:
        thinks = thinks_before_choices(model) is not None
        for cell in plan.of_model(model):
            skips = thinks and cell.axis == "capability" and cell.kind != "generation"
            # Choices and texts are scored, and nothing is said before them.
            is_said = cell.kind not in ("choice", "text")
            answers = cell_tables(directory.answers(*cell.key), Outcome, _COLUMNS) if is_said else ()
            found = None if cell.key in failed else _spent(answers, skips)
            if found is not None:
                spent.setdefault(model.spec.name, {})[cell.task] = found
    return spent


def _spent(answers: Iterable[pa.Table], skips: bool) -> ThinkingSpent | None:
    """One cell's; None where nothing is to be said of it."""
    known: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for table in answers:
        for name in table.column_names:
            known[name] += table[name].drop_null().to_pylist()
    n_with_thinking, counts = len(known["thinking"]), known["n_thinking"]
    if not (n_with_thinking or skips):
        return None
    return ThinkingSpent(
        n_answers=len(known["unclosed"]),
        n_with_thinking=n_with_thinking,
        n_unclosed=sum(known["unclosed"]),
        mean_tokens=sum(counts) / len(counts) if counts else None,
        skipped=skips,
    )
