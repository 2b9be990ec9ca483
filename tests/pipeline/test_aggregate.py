from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.backends import Response
from mplus_eval.capability import axis as capability_axis
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.aggregate import aggregate
from mplus_eval.records.comparison import Missing
from mplus_eval.records.training import Dose
from tests.spec.test_trajectory import record
from tests.toy import Before, Bench, RuleBackend

RIGHT = {0, 1, 2, 3, 4, 5, 6, 7, 20, 21}
"""8 of the first 20 items and 2 of the next 10: 0.400 and 0.333."""


class Scripted(RuleBackend):
    """Says the right words to the items above, and none to the others."""

    def _respond(self, request: Any) -> Response:
        number = request.args[0].split()[-1].rstrip(":")
        return Response(text=number if int(number) in RIGHT else "none")


class ScriptedBench(Bench):
    def load(self, model: ResolvedModel, before: Before | None = None) -> RuleBackend:
        return Scripted(model.spec.name, before)


def test_outcomes_of_an_earlier_larger_run_are_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capability_axis, "PART_ITEMS", 10)
    bench = ScriptedBench(tmp_path, n_items=30)

    def value(limit: int) -> tuple[int, float | None]:
        task = bench.compare(tasks="words", limit=f"first:{limit}").tasks["words"]
        assert task.n_items == limit
        return task.scores["plus"].n_scored, task.scores["plus"].value

    assert value(30) == (30, pytest.approx(1 / 3))
    # Without their answers the larger run's outcomes are no conflict, and lie where they lay.
    shutil.rmtree(bench.directory.path / "answers")
    assert value(20) == (20, pytest.approx(0.4))
    assert len(list(bench.directory.outcomes("plus", "words").glob("part-*.parquet"))) == 3


def test_models_are_told_as_they_were_loaded(tmp_path: Path) -> None:
    entry = Bench(tmp_path).compare().models["plus"]
    assert (entry.backend, entry.dtype, entry.parameters, entry.source) == (
        "rule",
        "float32",
        7,
        str(tmp_path / "plus"),
    )
    assert (entry.chat_template, entry.training, entry.trajectory, entry.scoring) == ("plain", None, None, None)


def test_a_failed_cell_is_told_with_its_cause_but_for_the_noise_reruns(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(noise_floor=True)
    causes = {("plus", "words"): "out of memory", ("base~noise", "words"): "the server hung up"}
    comparison = aggregate(bench.plan(noise_floor=True), bench.directory, causes)
    assert comparison.missing == (Missing(model="plus", task="words", cause="out of memory"),)
    assert comparison.noise_floor is not None
    assert comparison.noise_floor.missing == {"words": "the server hung up"}


@pytest.mark.parametrize("is_the_baseline", [True, False])
def test_a_distance_to_the_base_is_told_where_the_base_is_the_baseline(tmp_path: Path, is_the_baseline: bool) -> None:
    bench, dose = Bench(tmp_path), Dose(kl_answers=2.0, kl_answers_per_token=0.1, n_prompts=8)
    weights = bench.plan().baseline.weights if is_the_baseline else "others"
    record(3, base=str(tmp_path / "base"), base_fingerprint=weights, dose=dose).write(tmp_path / "plus")
    training = bench.compare().models["plus"].training
    assert training is not None
    assert training.dose == (dose if is_the_baseline else None)
    assert [warning.partition(" has other weights")[0] for warning in training.warnings] == (
        [] if is_the_baseline else ["The base of its training"]
    )
