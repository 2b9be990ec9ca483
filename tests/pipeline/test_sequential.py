"""Asking in rounds over toy tasks: models that lose, keep, or only sometimes differ."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.backends.base import Response
from mplus_eval.errors import SpecError
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.parts import part_info
from tests.toy import Before, Bench, RuleBackend

LOSSES = {"base": 0, "same": 0, "worse": 40, "slightly": 6}
"""Items that a model loses, of 256."""


class LosingBackend(RuleBackend):
    """Right on nine items of ten, but for a share that it loses."""

    def _respond(self, request: Any) -> Response:
        question = str(request.args[0]).split("\n")[-1]
        digest = hashlib.sha256(question.encode()).digest()
        right = digest[0] >= 26 and digest[1] >= LOSSES[self.name]
        if request.request_type == "generate_until":
            return Response(text=question.split()[-1].rstrip(":") if right else "none")
        number = int(question.split()[0])
        wanted = number + (1 if right else 0)
        return Response(log_probability=-0.1 if int(request.args[1]) == wanted else -5.0, is_greedy=False)


class SequentialBench(Bench):
    """Two tasks, with margins that few items can show."""

    def __init__(self, path: Path, n_items: int = 459) -> None:
        super().__init__(path, n_items)
        self.suite.write_text(self.suite.read_text() + "margin: 0.08\ntask_margin: 0.1\n")

    def load(self, model: ResolvedModel, before: Before | None = None) -> RuleBackend:
        return LosingBackend(model.spec.name, before)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> SequentialBench:
    return SequentialBench(tmp_path_factory.mktemp("sequential"))


@pytest.fixture(scope="module")
def compared(bench: SequentialBench) -> Comparison:
    return bench.compare(["base", "same", "worse"], sequential=True)


def n_stored(bench: Bench, model: str, task: str) -> int:
    return len(bench.outcomes(model, task))


def test_verdicts_stop_the_asking(bench: SequentialBench, compared: Comparison) -> None:
    for task in ("sums", "words"):
        contrasts = compared.tasks[task].contrasts
        assert contrasts["same"].verdict is Verdict.PRESERVED
        assert contrasts["worse"].verdict is Verdict.DEGRADED
        for model, contrast in contrasts.items():
            assert contrast.sequential is not None
            assert contrast.sequential.settled
            assert contrast.sequential.n_items == 459
            assert contrast.n_pairs == contrast.sequential.n_asked <= n_stored(bench, model, task) < 459
        assert n_stored(bench, "base", task) == max(n_stored(bench, model, task) for model in ("same", "worse"))


def test_suite_is_settled_too(compared: Comparison) -> None:
    same, worse = compared.summary["same"], compared.summary["worse"]
    assert (same.verdict, worse.verdict) == (Verdict.PRESERVED, Verdict.DEGRADED)
    assert same.sequential is not None
    assert same.sequential.settled
    assert same.sequential.n_items == 918
    assert same.alignment_tax_ci is not None
    assert same.alignment_tax_ci[0] <= 0.0 <= same.alignment_tax_ci[1] < 0.08
    assert worse.alignment_tax_ci is not None
    assert worse.alignment_tax_ci[0] > 0


def test_intervals_say_what_verdicts_say(compared: Comparison) -> None:
    for task in compared.tasks.values():
        assert task.contrasts["same"].ci[0] > -0.1
        assert task.contrasts["worse"].ci[1] < 0
        assert task.contrasts["worse"].test.endswith("at every look")


def test_the_same_run_again_asks_nothing_and_says_the_same(bench: SequentialBench, compared: Comparison) -> None:
    again = bench.compare(["base", "same", "worse"], sequential=True)
    assert bench.backends == []
    assert again == compared


def test_a_killed_run_goes_on_and_comes_to_the_same(tmp_path: Path, compared: Comparison) -> None:
    bench = SequentialBench(tmp_path)
    calls = 0

    def before(requests: Sequence[Any]) -> None:
        nonlocal calls
        calls += 1
        if calls == 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(["base", "same", "worse"], before=before, sequential=True)
    again = bench.compare(["base", "same", "worse"], sequential=True)
    assert again.tasks == compared.tasks
    assert again.summary == compared.summary


def test_rounds_are_in_the_fingerprint(bench: SequentialBench, compared: Comparison) -> None:
    with pytest.raises(SpecError, match="different rounds"):
        bench.plan(["base", "same", "worse"])
    stored = part_info(bench.directory.answers("same", "sums") / "part-00000.parquet")
    assert stored is not None
    assert stored.components["rounds"] == "drawn with seed 0"


def test_passages_are_asked_whole(bench: SequentialBench) -> None:
    cell = next(cell for cell in bench.plan(["base", "same"], sequential=True).cells if cell.task == "sums")
    for number in range(3):
        items = {item for part in cell.parts if part.round <= number for item in part.items}
        assert items == {3 * (item // 3) + place for item in items for place in range(3)}
    sizes = [sum(len(part.items) for part in cell.parts if part.round <= number) for number in range(3)]
    assert sizes == pytest.approx([200, 300, 459], abs=2)


class Sparse(SequentialBench):
    """The ordinary margins."""

    def __init__(self, path: Path, n_items: int) -> None:
        Bench.__init__(self, path, n_items)


def test_a_small_difference_is_asked_to_the_end(tmp_path: Path) -> None:
    bench = Sparse(tmp_path, 250)
    comparison = bench.compare(["base", "slightly"], sequential=True)
    contrast = comparison.tasks["words"].contrasts["slightly"]
    assert contrast.verdict is Verdict.UNDECIDED
    assert contrast.sequential is not None
    assert (contrast.sequential.n_asked, contrast.sequential.settled) == (250, False)
    assert contrast.test == "betting, at every look; exact McNemar at the end"


@pytest.mark.slow
def test_a_cell_that_fails_leaves_the_others_their_verdicts(tmp_path: Path) -> None:
    bench = SequentialBench(tmp_path)

    class Failing(LosingBackend):
        def _respond(self, request: Any) -> Response:
            if request.request_type == "generate_until" and self.name == "worse":
                raise RuntimeError("no words")
            return super()._respond(request)

    bench.load = lambda model, before=None: Failing(model.spec.name, before)  # type: ignore[method-assign]
    comparison = bench.compare(["base", "same", "worse"], sequential=True)
    assert [(each.model, each.task) for each in comparison.missing] == [("worse", "words")]
    assert comparison.tasks["sums"].contrasts["worse"].verdict is Verdict.DEGRADED
    assert comparison.tasks["words"].contrasts["same"].verdict is Verdict.PRESERVED
    assert comparison.summary["worse"].withheld == "no result on words"
