from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.capability import axis as capability_axis
from mplus_eval.models.cells import Part
from mplus_eval.pipeline.stored import failed_outside, merged, model_facts, stored_parts
from mplus_eval.store.outcomes import OUTSIDE, Answer
from mplus_eval.store.run_directory import RunDirectory
from tests.toy import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(capability_axis, "PART_ITEMS", 5)
    return Bench(tmp_path)


def test_a_part_is_stored_or_missing(bench: Bench) -> None:
    cell = bench.plan(["base"]).cells[0]
    assert list(stored_parts(cell, bench.directory)) == [None, None, None]
    bench.run(["base"])
    (bench.directory.answers(*cell.key) / "part-00001.parquet").unlink()
    first, second, third = stored_parts(cell, bench.directory)
    assert second is None
    for number, info in ((0, first), (2, third)):
        assert info is not None
        assert (info.fingerprint, info.index, info.n_parts) == (cell.fingerprint, number, 3)
        assert info.seconds > 0


def test_a_part_of_another_plan_is_missing(bench: Bench) -> None:
    bench.run(["base"])
    stored, bench.directory = bench.directory, RunDirectory(bench.path / "elsewhere")
    cell = bench.plan(["base"], limit=11).cells[0]
    assert list(stored_parts(cell, stored)) == [None, None, None]


def test_facts_of_a_model_are_known_although_it_is_not_loaded_again(bench: Bench) -> None:
    plan = bench.plan(["base"])
    assert model_facts(plan.cells, bench.directory) == {}
    bench.run(["base"])
    facts = model_facts(plan.cells, bench.directory)
    named = {"backend": "rule", "dtype": "float32", "parameters": 7, "device": "cpu"}
    assert facts == {**named, "scoring": None, "asking": None}


def answer(item: str, sample: int = 0, text: str = "old", error: str | None = None) -> Answer:
    kept = {"generations": [text]} if error is None else {"error": error}
    return Answer(item_id=item, stratum="s", sample=sample, prompt_hash="", prompt="", **kept)


GONE = f"{OUTSIDE}the server was gone"
# Turn by turn, as dialogues are stored.
STORED = [
    answer("a"),
    answer("b", error=GONE),
    answer("c", error="too long"),
    answer("a", 1),
    answer("b", 1, error=GONE),
]


def test_what_failed_outside_the_model_is_asked_again_and_nothing_else() -> None:
    assert failed_outside(Part(0, "s", (3, 5, 8)), STORED) == (5,)


def test_what_was_asked_again_takes_its_place_among_the_others() -> None:
    again = [answer("b", 0, "new"), answer("b", 1, "new")]
    whole = merged(Part(0, "s", (3, 5, 8)), STORED, again)
    assert [(each.item_id, each.sample, each.text) for each in whole] == [
        ("a", 0, "old"), ("a", 1, "old"), ("b", 0, "new"), ("b", 1, "new"), ("c", 0, None),
    ]  # fmt: skip
