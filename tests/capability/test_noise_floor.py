from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy.stats import beta

import mplus_eval
from mplus_eval import reports
from mplus_eval.backends import Response
from mplus_eval.capability.noise_floor import NoiseRerun, flip_rate, is_above
from mplus_eval.pipeline.executors import worker as worker_module
from mplus_eval.records.comparison import Comparison, NoiseFloor
from mplus_eval.reports import write_report
from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import read_cell
from tests.capability.outcomes import cell, compare, entry, facts
from tests.toy import RuleBackend, write_checkpoint, write_tasks

RIGHT, WRONG = 1.0, 0.0


def compared(
    base: list[float | None], model: list[float | None], again: list[float | None] | None, **options: Any
) -> Comparison:
    """One task; the baseline's noise rerun is `again`."""
    passes = {"t": cell(again)} if again is not None else {}
    second = NoiseRerun("6 instead of 16", passes, {} if passes else {"t": "out of memory"})
    return compare({("base", "t"): cell(base), ("plus", "t"): cell(model)}, rerun=second, **options)


def floor(comparison: Comparison) -> NoiseFloor:
    assert comparison.noise_floor is not None
    return comparison.noise_floor


def test_a_flip_is_a_score_that_changed_either_way_on_an_item_that_both_passes_scored() -> None:
    base = [RIGHT, RIGHT, WRONG, WRONG, RIGHT, None, WRONG]
    again = [WRONG, RIGHT, RIGHT, WRONG, None, RIGHT, WRONG]
    rate = floor(compared(base, base, again)).tasks["t"]

    assert (rate.flips, rate.n_items, rate.rate) == (2, 5, 0.4)


def test_a_graded_score_has_flipped_when_it_changed_at_all() -> None:
    rate = floor(compared([0.5, 0.25, 0.75, 1.0], [0.5] * 4, [0.5, 0.26, 0.75, 0.9])).tasks["t"]

    assert (rate.flips, rate.n_items) == (2, 4)


@pytest.mark.parametrize(("flips", "n_items"), [(0, 30), (1, 40), (7, 200), (30, 30)])
def test_the_interval_is_clopper_and_pearsons(flips: int, n_items: int) -> None:
    low, high = flip_rate(flips, n_items, 0.05).ci

    assert low == pytest.approx(beta.ppf(0.025, flips, n_items - flips + 1) if flips else 0.0)
    assert high == pytest.approx(beta.ppf(0.975, flips + 1, n_items - flips) if flips < n_items else 1.0)


def test_flips_are_above_the_noise_when_their_share_is_above_the_upper_end() -> None:
    """No flip in 30 items allows 11.57 %: 3 of 30 are not above, 4 of 30 and 12 of 100 are."""
    noise = flip_rate(0, 30, 0.05)

    assert [is_above(*counts, noise) for counts in ((0, 30), (3, 30), (4, 30), (11, 100), (12, 100))] == [
        False,
        False,
        True,
        False,
        True,
    ]
    assert is_above(3, 30, None) is None


def test_every_contrast_and_summary_says_whether_it_is_above_the_noise() -> None:
    base = [RIGHT] * 30
    few, many = [WRONG] * 3 + [RIGHT] * 27, [WRONG] * 4 + [RIGHT] * 26
    outcomes = {
        **{(name, "t"): cell(scores) for name, scores in (("base", base), ("sft", few), ("plus", many))},
        **{(name, "u"): cell(base) for name in ("base", "sft", "plus")},
    }
    second = NoiseRerun("6 instead of 16", {"t": cell(base), "u": cell(base)})
    found = compare(outcomes, [facts("t"), facts("u")], pairs="all", rerun=second)

    assert {name: contrast.above_noise for name, contrast in found.tasks["t"].contrasts.items()} == {
        "sft": False,
        "plus": True,
    }
    # Over both tasks, no flip in 60 items allows 5.96 %, and there are 3 of 60 and 4 of 60.
    assert {name: entry.above_noise for name, entry in found.summary.items()} == {
        "base": None,
        "sft": False,
        "plus": True,
    }
    assert [pair.tasks["t"].above_noise for pair in found.pairs] == [False]


def test_the_suite_counts_the_items_of_all_tasks() -> None:
    outcomes = {("base", "t"): cell([RIGHT] * 10), ("base", "u"): cell([WRONG] * 30)}
    second = NoiseRerun("x", {"t": cell([WRONG] + [RIGHT] * 9), "u": cell([RIGHT] * 2 + [WRONG] * 28)})
    whole = floor(compare(outcomes, [facts("t"), facts("u")], rerun=second)).suite

    assert whole is not None
    assert (whole.flips, whole.n_items) == (3, 40)


def test_a_task_on_which_the_noise_rerun_failed_has_no_noise_floor_and_all_else_stays() -> None:
    base, model = [RIGHT, WRONG] * 10, [WRONG, WRONG] * 10
    found, without = compared(base, model, None), compare({("base", "t"): cell(base), ("plus", "t"): cell(model)})

    assert floor(found).missing == {"t": "out of memory"}
    assert (floor(found).tasks, floor(found).suite) == ({}, None)
    assert found.model_copy(update={"noise_floor": None}) == without


def test_the_noise_rerun_enters_nothing_but_the_noise_floor() -> None:
    """It is as different from the first as can be, and nothing else moves."""
    base, model = [RIGHT, WRONG] * 10, [WRONG, WRONG] * 10
    found, without = (
        compared(base, model, [1 - (score or 0) for score in base]),
        compare({("base", "t"): cell(base), ("plus", "t"): cell(model)}),
    )
    stripped = found.model_copy(
        update={
            "noise_floor": None,
            "tasks": {
                name: task.model_copy(
                    update={
                        "contrasts": {
                            m: contrast.model_copy(update={"above_noise": None})
                            for m, contrast in task.contrasts.items()
                        }
                    }
                )
                for name, task in found.tasks.items()
            },
            "summary": {name: entry.model_copy(update={"above_noise": None}) for name, entry in found.summary.items()},
        }
    )

    assert floor(found).tasks["t"].flips == 20
    assert stripped == without


def test_a_baseline_without_a_result_has_no_noise_floor() -> None:
    second = NoiseRerun("6 instead of 16", {"t": cell([RIGHT])})
    models = {name: entry() for name in ("base", "plus")}
    absent = compare({("plus", "t"): cell([RIGHT])}, models=models, rerun=second)
    failed = compared([None, None], [RIGHT, RIGHT], [RIGHT, RIGHT])

    assert floor(absent).missing == floor(failed).missing == {"t": "no item was scored by both passes"}


class BatchedBackend(RuleBackend):
    """A rule whose answers also depend on the batch: in every other one, some answers are turned over."""

    requests_per_call = 10_000

    def __init__(self, model: ModelSpec, before: Any = None) -> None:
        super().__init__(model.name.removesuffix("~noise"), before)
        self.batch_size = 16 if model.batch_size == "auto" else model.batch_size

    def respond(self, requests: Sequence[Any]) -> list[Response]:
        return [self._turned(place, response) for place, response in enumerate(super().respond(requests))]

    def _turned(self, place: int, response: Response) -> Response:
        if place // self.batch_size % 2 == 0:
            return response
        if response.log_probability is None:
            return Response(text="none")
        return replace(response, log_probability=-26.0 - response.log_probability)


class Runs:
    """Runs of small models with backends of the rule above; `loaded` names the models that a run loaded."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.loaded = folder, list[str]()
        self.before: Any = None
        monkeypatch.setattr(worker_module, "load_backend", self._load)
        monkeypatch.setattr(reports, "write_report", lambda _path: None)

    def _load(self, _backend: str, model: ModelSpec, _source: Any) -> BatchedBackend:
        self.loaded.append(model.name)
        return BatchedBackend(model, self.before if model.name.endswith("~noise") else None)

    def compare(self, **options: Any) -> mplus_eval.Run:
        self.loaded = []
        suite = write_tasks(self.folder / "tasks", n_items=60)
        models = {name: str(write_checkpoint(self.folder / name, seed)) for seed, name in enumerate(("base", "plus"))}
        given = {"suite": str(suite), "tasks_dir": self.folder / "tasks", "output": self.folder / "run", **options}
        return mplus_eval.compare(models, **given)

    def scores(self, model: str, task: str) -> dict[str, float]:
        folder = self.folder / "run" / "outcomes" / model / task
        return {each.item_id: each.score for each in read_cell(folder, Outcome) if each.score is not None}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(tmp_path, monkeypatch)


def test_a_run_counts_the_flips_of_what_both_passes_stored(runs: Runs) -> None:
    noise = floor(runs.compare(noise_floor=True, limit=50).comparison)

    assert noise.missing == {}
    for task, rate in noise.tasks.items():
        first, second = runs.scores("base", task), runs.scores("base~noise", task)
        assert first.keys() == second.keys()
        assert (rate.n_items, rate.flips) == (50, sum(first[item] != second[item] for item in first))
        assert 0 < rate.flips < 50
    assert noise.suite is not None
    assert noise.suite.flips == sum(rate.flips for rate in noise.tasks.values())


def test_the_noise_rerun_stands_in_no_model_score_frame_or_table(runs: Runs) -> None:
    run = runs.compare(noise_floor=True)
    write_report(run.path)
    manifest = json.loads((run.path / "manifest.json").read_text())

    assert list(run.comparison.models) == list(run.comparison.summary) == ["base", "plus"]
    assert all(set(task.scores) == {"base", "plus"} for task in run.comparison.tasks.values())
    assert set(run.outcomes()["model"]) == {"base", "plus"}
    assert {entry["model"] for entry in manifest["cells"]} == set(manifest["models"]) == {"base", "plus"}
    assert [entry["model"] for entry in manifest["noise_floor"]["cells"]] == ["base~noise", "base~noise"]
    for name in ("report.html", "report.md"):
        text = (run.path / name).read_text()
        assert "Noise floor" in text
        assert "~noise" not in text
    assert mplus_eval.load(run.path).comparison == run.comparison


def test_a_noise_floor_is_added_to_a_stored_run_and_not_asked_twice(runs: Runs) -> None:
    without = runs.compare().comparison
    assert (runs.loaded, without.noise_floor) == (["base", "plus"], None)
    first = runs.compare(noise_floor=True).comparison
    assert runs.loaded == ["base~noise"]
    second = runs.compare(noise_floor=True).comparison
    assert (runs.loaded, second) == ([], first)
    assert runs.compare().comparison == without


def test_a_stopped_noise_rerun_goes_on_with_what_is_missing(runs: Runs) -> None:
    def stop(requests: Sequence[Any]) -> None:
        if requests[0].request_type == "generate_until":
            raise KeyboardInterrupt

    runs.before = stop
    with pytest.raises(KeyboardInterrupt):
        runs.compare(noise_floor=True)
    kept = runs.folder / "run" / "answers" / "base~noise" / "sums" / "part-00000.parquet"
    before, runs.before = kept.stat().st_mtime_ns, None
    found = floor(runs.compare(noise_floor=True).comparison)

    assert set(found.tasks) == {"sums", "words"}
    assert kept.stat().st_mtime_ns == before


def test_a_failed_noise_rerun_leaves_its_cause_and_the_rest_as_it_was(runs: Runs) -> None:
    def fail(requests: Sequence[Any]) -> None:
        if requests[0].request_type == "generate_until":
            raise MemoryError("out of memory, also with one item at a time")

    without = runs.compare().comparison
    runs.before = fail
    run = runs.compare(noise_floor=True)
    noise = floor(run.comparison)

    assert noise.missing == {"words": "out of memory, also with one item at a time"}
    assert (list(noise.tasks), noise.suite) == (["sums"], None)
    assert run.comparison.missing == ()
    assert run.comparison.tasks["words"] == without.tasks["words"]
    assert {name: entry.macro_average for name, entry in run.comparison.summary.items()} == {
        name: entry.macro_average for name, entry in without.summary.items()
    }


def test_another_batch_size_of_the_baseline_makes_another_noise_rerun(runs: Runs) -> None:
    runs.compare(noise_floor=True)

    models = {"base": {"source": str(runs.folder / "base"), "batch_size": 8}}
    suite = {"suite": str(runs.folder / "tasks" / "toy.suite.yaml"), "tasks_dir": runs.folder / "tasks"}
    with pytest.raises(mplus_eval.SpecError, match="different batch composition of base~noise"):
        mplus_eval.compare(models, output=runs.folder / "run", noise_floor=True, **suite)


def test_the_demo_has_a_noise_floor_of_every_task_asked(
    runs: Runs,
    tiny_model,  # type: ignore[no-untyped-def]
) -> None:
    """The demo's base and a small model in the place of instruct, on three kinds of tasks of the mini suite."""
    run = mplus_eval.compare(
        {"base": "demo:base", "instruct": str(tiny_model())},
        suite="mini",
        tasks="mini_mmlu,mini_drop,mini_gsm8k",
        limit=20,
        noise_floor=True,
        output=runs.folder / "demo",
    )
    noise = floor(run.comparison)

    assert noise.missing == {}
    assert noise.tasks.keys() == run.comparison.tasks.keys()
    assert noise.suite is not None
    assert 0 < noise.suite.flips < noise.suite.n_items
    frame = pd.DataFrame(run.contrasts)
    assert set(frame["above_noise"]) <= {True, False}


def test_a_real_model_in_batches_of_six_answers_the_same_items(tmp_path: Path, tiny_model) -> None:  # type: ignore[no-untyped-def]
    """Its widely spread weights leave no two answers nearly tied, so the noise floor is zero."""
    suite = write_tasks(tmp_path / "tasks", n_items=20)
    run = mplus_eval.compare(
        {"base": str(tiny_model())},
        suite=str(suite),
        tasks_dir=tmp_path / "tasks",
        output=tmp_path / "run",
        noise_floor=True,
    )
    whole = floor(run.comparison).suite

    assert whole is not None
    assert (whole.flips, whole.n_items) == (0, 40)
