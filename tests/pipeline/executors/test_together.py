"""Whatever one worker computes, several compute alike: rounds, the noise rerun, the baseline's part, failures."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability import axis as capability_axis
from mplus_eval.harmlessness import axis as harmlessness_axis
from mplus_eval.pipeline.aggregate import aggregate
from mplus_eval.pipeline.evaluate import evaluate
from mplus_eval.pipeline.executors import work
from tests.pipeline.executors.threads import Threads
from tests.pipeline.test_sequential import SequentialBench
from tests.talkers import Bench as TalkBench
from tests.talkers import plain, rude
from tests.toy import Bench, RuleBackend


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small parts, and cells that are cut."""
    monkeypatch.setattr(capability_axis, "PART_ITEMS", 5)
    monkeypatch.setattr(harmlessness_axis, "PART_PROMPTS", 8)
    monkeypatch.setattr(work, "SHORTEST", 0.0)


def together(bench: Bench, names: Sequence[str], **options: Any) -> tuple[Threads, bytes]:
    """What three workers end in."""
    shutil.rmtree(bench.directory.path, ignore_errors=True)
    executor = Threads(lambda: bench.plan(names, **options), bench.directory, bench.load)
    plan = bench.plan(names, **options)
    failures = evaluate(plan, bench.directory, executor=executor)
    aggregate(plan, bench.directory, failures).write(bench.directory.comparison)
    return executor, bench.directory.comparison.read_bytes()


def test_cells_are_cut_and_every_part_is_computed_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 40)
    bench.compare()
    alone = bench.directory.comparison.read_bytes()
    executor, found = together(bench, ["base", "plus"])
    assert found == alone
    parts = Counter((shard.cell, part) for shard in executor.shards for part in shard.parts)
    assert len(parts) == 4 * 8
    assert set(parts.values()) == {1}
    assert len({shard.cell for shard in executor.shards}) < len(executor.shards)


@pytest.mark.slow
def test_rounds_end_in_the_same_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capability_axis, "PART_ITEMS", 50)
    bench = SequentialBench(tmp_path)
    names = ["base", "same", "worse"]
    bench.compare(names, sequential=True)
    alone = bench.directory.comparison.read_bytes()
    executor, found = together(bench, names, sequential=True)
    assert found == alone
    # Models stay loaded from round to round: two are begun with by each worker at most.
    assert len(executor.loads) <= len(names) + 3 + 2


def test_the_noise_rerun_is_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.compare(noise_floor=True)
    alone = bench.directory.comparison.read_bytes()
    executor, found = together(bench, ["base", "plus"], noise_floor=True)
    assert found == alone
    assert {shard.model for shard in executor.shards} == {"base", "plus", "base~noise"}


def test_the_baseline_is_asked_of_what_others_said_as_soon_as_both_have_answered(tmp_path: Path) -> None:
    bench = TalkBench(tmp_path, {"base": rude, "plus": plain, "other": rude})
    bench.run()
    alone = bench.directory.comparison.read_bytes()
    shutil.rmtree(bench.directory.path)
    executor = Threads(bench.plan, bench.directory, lambda model: bench._load(model, None))
    plan = bench.plan()
    failures = evaluate(plan, bench.directory, executor=executor)
    aggregate(plan, bench.directory, failures, {axis.name: {} for axis in plan.axes}).write(bench.directory.comparison)
    assert bench.directory.comparison.read_bytes() == alone
    asked = [shard for shard in executor.shards if shard.follow_up]
    assert {shard.model for shard in asked} == {"base"}
    assert {shard.cell[0] for shard in asked} == {"plus", "other"}


def test_a_shard_that_fails_fails_its_cell_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 40)

    def before(requests: Sequence[Any]) -> None:
        if any("say 17" in request.args[0] for request in requests):
            raise RuntimeError("the graphics card fell off")

    executor = Threads(bench.plan, bench.directory, lambda model: RuleBackend(model.spec.name, before))
    failures = evaluate(bench.plan(), bench.directory, executor=executor)
    assert failures == dict.fromkeys([("base", "words"), ("plus", "words")], "RuntimeError: the graphics card fell off")
    assert len(bench.outcomes("plus", "sums")) == 40


def test_a_worker_whose_plan_has_another_cell_refuses_it_with_what_differs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    executor = Threads(lambda: bench.plan(limit=3), bench.directory, bench.load, n_workers=1)
    failures = evaluate(bench.plan(), bench.directory, executor=executor)
    assert set(failures.values()) == {"worker 1 would compute something else, with different data, limit"}
    executor = Threads(lambda: bench.plan(["other"]), bench.directory, bench.load, n_workers=1)
    failures = evaluate(bench.plan(), bench.directory, executor=executor)
    assert set(failures.values()) == {"worker 1 has no such cell in its own plan"}


def test_a_worker_that_cuts_cells_otherwise_refuses_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    plan = bench.plan()
    monkeypatch.setattr(capability_axis, "PART_ITEMS", 7)
    executor = Threads(bench.plan, bench.directory, bench.load, n_workers=1)
    failures = evaluate(plan, bench.directory, executor=executor)
    assert set(failures.values()) == {"worker 1 would compute something else, with different parts"}
