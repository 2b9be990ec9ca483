from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mplus_eval.models.cells import Cell, Part, slices
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.spec.model import ModelSpec

MODEL = ResolvedModel(ModelSpec(name="plus", source="./plus"), "hf", ModelLocation(Path("plus")), "w", "t", "plain")
PARTS = (Part(0, "anatomy", range(5)), Part(1, "anatomy", range(5, 7)), Part(2, "law", range(5)))
CELL = Cell("capability", MODEL, "mmlu", "choice", {"weights": "w", "limit": "none"}, PARTS)


@pytest.mark.parametrize(
    ("n_items", "size", "expected"),
    [
        (0, 5, []),
        (3, 5, [range(3)]),
        (5, 5, [range(5)]),
        (12, 5, [range(5), range(5, 10), range(10, 12)]),
    ],
)
def test_items_are_cut_into_slices_of_a_size(n_items: int, size: int, expected: list[range]) -> None:
    assert slices(n_items, size) == expected


def test_a_cell_says_where_it_lies_and_how_many_items_it_has() -> None:
    assert (CELL.key, CELL.name, CELL.n_items) == (("plus", "mmlu"), "plus × mmlu", 12)


def test_its_fingerprint_is_of_its_components_in_any_order_and_of_nothing_else() -> None:
    reordered = replace(CELL, components={"limit": "none", "weights": "w"}, task="other", parts=())
    assert CELL.fingerprint == reordered.fingerprint
    assert CELL.fingerprint != replace(CELL, components={"weights": "w", "limit": "3"}).fingerprint
