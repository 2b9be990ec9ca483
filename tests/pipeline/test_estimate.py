from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.backends import load_backend
from mplus_eval.inference.generation import TreeGenerator
from mplus_eval.inference.tree_scorer import TreeScorer
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.calibrate import estimate_plan
from mplus_eval.pipeline.counting import count_cells
from mplus_eval.pipeline.estimate import Estimate, combine
from mplus_eval.pipeline.evaluate import evaluate
from mplus_eval.pipeline.measured import Measured
from mplus_eval.pipeline.plan import Plan, make_plan
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.speed import Span
from mplus_eval.pipeline.validate import validate
from mplus_eval.store.run_directory import RunDirectory
from tests.specs import build_spec
from tests.toy import Bench, RuleBackend, write_tasks


class Ticking(RuleBackend):
    """Every request takes a second of a clock of its own."""

    now = 0.0

    def respond(self, requests: Sequence[Any]) -> list[Any]:
        Ticking.now += len(requests)
        return super().respond(requests)


def clock() -> float:
    return Ticking.now


def estimated(bench: Bench, names: Sequence[str] = ("base", "plus"), **options: Any) -> Estimate:
    measures, load = options.pop("measures", False), options.pop("load", None)
    plan = bench.plan(names, **options)
    return estimate_plan(plan, bench.directory, RunProgress(), measures=measures, load=load, clock=clock)


def test_a_toy_task_is_counted_as_by_hand(tmp_path: Path) -> None:
    work = estimated(Bench(tmp_path), ["base"]).work
    # Twelve sums with three choices each, and twelve words of eight tokens at most.
    assert (work.items, work.requests, work.written, work.texts) == (24, 36 + 12, 12 * 8, 12)


def test_what_is_stored_is_counted_no_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(["base"])
    estimate = estimated(bench)
    assert (estimate.n_cells, estimate.n_stored, estimate.work.items) == (4, 2, 24)
    assert [model.name for model in estimate.models] == ["plus"]
    bench.run()
    assert estimated(bench).work.items == 0


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Tokens that went through the tree, of what is scored and of prompts."""
    seen = {"scored": 0, "read": 0}

    def counting(kind: type, method: str, name: str) -> Callable[..., Any]:
        ask = getattr(kind, method)

        def counted(self: Any, *given: Any) -> Any:
            before = self.n_tokens
            result = ask(self, *given)
            seen[name] += self.n_tokens - before
            return result

        return counted

    for kind, method, name in ((TreeScorer, "score", "scored"), (TreeGenerator, "generate", "read")):
        monkeypatch.setattr(kind, method, counting(kind, method, name))
    return seen


def tiny_plan(folder: Path, model: Path, **options: Any) -> tuple[Plan, RunDirectory]:
    directory = RunDirectory(folder / "run")
    suite = write_tasks(folder / "tasks", options.pop("n_items", 20))
    given = {"suite": str(suite), "tasks_dir": folder / "tasks", "output": directory.path, **options}
    return make_plan(validate(build_spec([f"base={model}"], options=given)), directory), directory


def test_what_is_counted_is_what_the_tree_computes(tmp_path: Path, tiny_model, computed: dict[str, int]) -> None:  # type: ignore[no-untyped-def]
    plan, directory = tiny_plan(tmp_path, tiny_model())
    work = estimate_plan(plan, directory, RunProgress()).work
    backend = load_backend("hf", plan.models[0].spec, plan.models[0].location)
    computed.update(scored=0, read=0)  # the self-check asks, too
    assert evaluate(plan, directory, load=lambda _: backend) == {}
    assert computed == {"scored": work.scored, "read": work.read}
    assert work.sent > 2 * (work.scored + work.read)


def test_what_is_extrapolated_is_near_what_the_tree_computes(
    tmp_path: Path,
    tiny_model,
    computed: dict[str, int],  # type: ignore[no-untyped-def]
) -> None:
    plan, directory = tiny_plan(tmp_path, tiny_model(), n_items=400)
    work = estimate_plan(plan, directory, RunProgress()).work
    backend = load_backend("hf", plan.models[0].spec, plan.models[0].location)
    computed.update(scored=0, read=0)
    evaluate(plan, directory, load=lambda _: backend)
    assert computed["scored"] == pytest.approx(work.scored, rel=0.15)
    assert computed["read"] == pytest.approx(work.read, rel=0.15)


def test_models_are_measured_where_nothing_else_tells(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    loaded: list[str] = []

    def load(model: ResolvedModel) -> Ticking:
        loaded.append(model.spec.name)
        return Ticking(model.spec.name)

    assert estimated(bench).span is None
    estimate = estimated(bench, measures=True, load=load)
    assert loaded == ["base", "plus"]
    assert estimate.span is not None
    # Of 36 choices, each a second, and 12 words, whose first token is all that is told to take time.
    for model in estimate.models:
        assert model.scoring is not None
        assert model.scoring.middle == pytest.approx(36, rel=0.35)
    assert not bench.directory.path.exists()


def test_what_another_run_took_is_taken(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text(
        '{"cells": [{"model": "base", "task": "sums", "n_items": 4, "seconds": 2},'
        ' {"model": "base", "task": "words", "n_items": 4, "seconds": 8}]}'
    )
    estimate = estimated(Bench(tmp_path), ["base"], from_run=tmp_path / "other")
    assert estimate.scoring == Span.around(6.0, 1.15)
    assert estimate.generation == Span.around(24.0, 1.15)


def test_a_model_that_cannot_be_measured_is_told_and_the_others_are(tmp_path: Path) -> None:
    def load(model: ResolvedModel) -> Ticking:
        if model.spec.name == "plus":
            raise RuntimeError("no room\nfor it")
        return Ticking(model.spec.name)

    estimate = estimated(Bench(tmp_path), measures=True, load=load)
    assert estimate.not_timed == {"plus": "RuntimeError: no room for it"}
    assert [model.span is None for model in estimate.models] == [False, True]
    assert estimate.span is None


def test_prices_are_of_all_tokens_that_are_sent_and_of_those_that_may_be_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = bench.plan(["base"])
    spec = plan.models[0].spec
    priced = spec.model_copy(update={"price_in": 2.0, "price_out": 10.0})
    model = replace(plan.models[0], spec=priced)
    cells = tuple(replace(cell, model=model) for cell in plan.cells)
    plan = replace(plan, models=(model,), cells=cells)
    estimate = estimate_plan(plan, bench.directory, RunProgress())
    assert estimate.price == pytest.approx((2 * estimate.work.sent + 10 * 96) / 1e6)
    assert estimated(bench, ["base"]).price is None


def test_a_cell_whose_requests_cannot_be_built_does_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    plan = bench.plan(["base"])

    def broken(*_: object, **__: object) -> Iterator[Any]:
        raise ValueError("a template")
        yield

    monkeypatch.setattr(type(plan.axes[0]), "draw", broken)
    estimate = estimate_plan(plan, bench.directory, RunProgress())
    assert (estimate.work.items, estimate.work.requests) == (24, 0)


def test_an_estimate_is_plain_numbers_in_the_manifest(tmp_path: Path) -> None:
    told = estimated(Bench(tmp_path), ["base"]).as_json()
    assert told["seconds"] is None
    assert (told["cells"], told["items"], told["requests"], told["tokens_generated_at_most"]) == (2, 24, 48, 96)
    assert told["gpu_hours"] is None


def test_workers_take_what_the_schedule_makes_of_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = bench.plan(devices="cpu,cpu")
    by_kind = {cell.task: cell.kind for cell in plan.cells}
    measured = Measured({("other", task, kind): (12, 60.0) for task, kind in by_kind.items()})
    estimate = combine(plan, bench.directory, count_cells(plan, bench.directory), measured)
    assert estimate.n_workers == 2
    assert estimate.together is not None
    # Two models of two cells, a minute and a part each, and some seconds of loading.
    assert 120 <= estimate.together.middle <= 140
    assert estimate.expected.cells == {cell.key: pytest.approx(60.0) for cell in plan.cells}
    alone = bench.plan()
    assert combine(alone, bench.directory, count_cells(alone, bench.directory), measured).together is None
