from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.backends import Response
from mplus_eval.capability import axis as capability_axis
from mplus_eval.errors import InterruptedRunError
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.evaluate import evaluate
from tests.toy import Before, Bench, RuleBackend


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def failing_at(question: str, error: Exception) -> Before:
    def before(requests: Sequence[Any]) -> None:
        if any(question in request.args[0] for request in requests):
            raise error

    return before


def test_every_item_of_every_cell_is_stored(bench: Bench) -> None:
    assert bench.run() == {}

    rows = bench.outcomes("plus", "sums")
    assert [row.item_id for row in rows] == [f"toy_sums/{number}" for number in range(12)]
    assert rows[4].prompt == "4 + 1 ="
    assert rows[4].choices == ["4", "5", "6"]
    assert rows[4].target == "5"
    assert len(rows[4].log_probabilities or ()) == 3
    assert rows[4].stratum == "toy_sums"


def test_what_is_stored_is_not_asked_again(bench: Bench) -> None:
    bench.run()
    bench.run()

    assert bench.backends == []


def test_a_further_model_is_the_only_one_that_is_asked(bench: Bench) -> None:
    bench.run(["base"])
    bench.run(["base", "chosen"])

    assert [backend.name for backend in bench.backends] == ["chosen"]


def test_a_run_stopped_in_the_middle_goes_on_with_the_parts_that_are_missing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability_axis, "PART_ITEMS", 5)
    with pytest.raises(KeyboardInterrupt):
        bench.run(["base"], before=failing_at("7 + 1", KeyboardInterrupt()))  # type: ignore[arg-type]
    first = bench.directory.answers("base", "sums") / "part-00000.parquet"
    written = first.stat().st_mtime_ns

    assert bench.run(["base"]) == {}
    assert first.stat().st_mtime_ns == written
    assert bench.backends[0].n_answered == (12 - 5) * 3 + 12
    assert len(bench.outcomes("base", "sums")) == 12


def test_scoring_again_asks_nothing(bench: Bench) -> None:
    bench.run(["base"])
    for path in bench.directory.outcomes("base", "sums").glob("*.parquet"):
        path.unlink()

    assert bench.run(["base"]) == {}
    assert bench.backends == []
    assert len(bench.outcomes("base", "sums")) == 12


def test_a_cell_that_fails_keeps_its_cause_and_the_others_go_on(bench: Bench) -> None:
    failures = bench.run(before=failing_at("say 4", RuntimeError("the graphics card fell off")))

    assert failures == {
        ("base", "words"): "RuntimeError: the graphics card fell off",
        ("plus", "words"): "RuntimeError: the graphics card fell off",
    }
    assert bench.directory.failure("base", "words") == failures["base", "words"]
    assert len(bench.outcomes("plus", "sums")) == 12


def test_a_failed_cell_is_tried_again_and_forgotten_when_it_works(bench: Bench) -> None:
    bench.run(["base"], before=failing_at("say 4", RuntimeError("once")))

    assert bench.run(["base"]) == {}
    assert bench.directory.failure("base", "words") is None


def test_a_model_that_cannot_be_loaded_fails_its_cells_only(bench: Bench) -> None:
    def load(model: ResolvedModel) -> RuleBackend:
        if model.spec.name == "base":
            raise ValueError("no such architecture")
        return RuleBackend(model.spec.name)

    failures = evaluate(bench.plan(), bench.directory, load=load)
    assert failures == {
        ("base", "sums"): "loading the model: ValueError: no such architecture",
        ("base", "words"): "loading the model: ValueError: no such architecture",
    }


def test_a_full_disk_stops_the_run_so_that_it_can_go_on(bench: Bench) -> None:
    with pytest.raises(InterruptedRunError, match=r"disk of .* is full"):
        bench.run(["base"], before=failing_at("say 4", OSError(errno.ENOSPC, "No space left on device")))

    assert bench.run(["base"]) == {}
    assert bench.backends[0].n_answered == 12


NAN = Response(log_probability=float("nan"), is_greedy=False)


def test_a_cell_of_which_every_item_failed_has_failed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RuleBackend, "_respond", lambda self, request: NAN)

    assert bench.run(["base"], tasks="sums") == {("base", "sums"): "the model returned NaN"}
