from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.backends import Response
from mplus_eval.harmlessness import axis as harmlessness_axis
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.evaluate import evaluate
from mplus_eval.store.outcomes import OUTSIDE
from tests.talkers import Bench, plain, rude


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    found = Bench(tmp_path, {"base": rude, "plus": plain})
    found.suite["harmlessness"]["refusals"] = None
    return found


def likelihood_prompts(bench: Bench, model: str) -> list[str]:
    (backend,) = [one for one in bench.backends if one.name == model]
    return [request.args[0] for request in backend.asked if request.request_type == "loglikelihood"]


def test_the_baseline_comes_last_and_is_asked_of_what_the_others_said(bench: Bench) -> None:
    plan, _ = bench.evaluate()
    assert [backend.name for backend in bench.backends] == ["plus", "base"]
    n_prompts = sum(cell.n_items for cell in plan.of_model(plan.baseline))
    assert len(likelihood_prompts(bench, "plus")) == 2 * n_prompts
    assert len(likelihood_prompts(bench, "base")) == 2 * 2 * n_prompts


def test_one_value_is_stored_for_each_sample_that_was_chosen(bench: Bench) -> None:
    bench.evaluate()
    rows = bench.rows("likelihoods", "plus", "provoking")
    answers = [row for row in bench.rows("answers", "plus", "provoking") if row["sample"] < 2]
    assert [(row["item_id"], row["sample"]) for row in rows] == [(row["item_id"], row["sample"]) for row in answers]
    # Eight words that the baseline knows, each with a likelihood of e⁻¹.
    assert {row["log_probability"] for row in rows} == {-8.0}
    assert bench.rows("likelihoods", "base", "provoking") == []


def test_what_is_stored_is_not_asked_again(bench: Bench) -> None:
    bench.evaluate()
    bench.evaluate()
    assert bench.backends == []


def test_only_the_likelihoods_are_asked_where_only_they_are_missing(bench: Bench) -> None:
    bench.evaluate()
    (bench.directory.likelihoods("plus", "provoking") / "part-00000.parquet").unlink()
    plan, _ = bench.evaluate()
    assert [backend.name for backend in bench.backends] == ["base"]
    assert len(likelihood_prompts(bench, "base")) == len(bench.backends[0].asked) == 2 * plan.cells[0].n_items


def test_another_baseline_is_asked_again(bench: Bench) -> None:
    bench.evaluate()
    bench.evaluate(baseline="plus")
    assert [backend.name for backend in bench.backends] == ["plus"]
    assert bench.rows("likelihoods", "base", "ordinary") != []


def test_without_chosen_samples_nobody_is_asked(bench: Bench) -> None:
    bench.suite["harmlessness"]["likelihood_samples"] = 0
    bench.evaluate()
    assert [likelihood_prompts(bench, name) for name in ("base", "plus")] == [[], []]


def test_a_run_stopped_while_the_baseline_is_asked_goes_on_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harmlessness_axis, "PART_PROMPTS", 20)
    whole = bench.run()
    stored = {path: path.read_bytes() for path in bench.directory.path.glob("likelihoods/*/*/*")}
    assert len(stored) > 2
    for path in list(stored)[1:]:
        path.unlink()
    calls = []

    def stop(requests: Sequence[Any]) -> None:
        calls.append(len(requests))
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(before=stop)
    assert bench.run() == whole


def without_likelihoods(bench: Bench) -> None:
    bench.evaluate()
    for path in bench.directory.path.glob("likelihoods/*/*/*"):
        path.unlink()


def fail(requests: Sequence[Any]) -> None:
    raise MemoryError


def test_a_set_of_which_the_baseline_cannot_be_asked_has_failed_until_it_can(bench: Bench) -> None:
    without_likelihoods(bench)

    comparison = bench.run(before=fail)
    cause = "asking the baseline how likely this is: out of memory"
    assert [(one.model, one.task, one.cause) for one in comparison.missing] == [
        ("plus", "provoking", cause),
        ("plus", "ordinary", cause),
    ]
    assert comparison.toxicity is not None
    assert comparison.toxicity.models["plus"].sets == {}
    assert list(comparison.toxicity.models["base"].sets) == ["provoking", "ordinary"]

    assert bench.run().missing == ()


def test_a_baseline_that_cannot_be_loaded_is_the_cause_where_it_has_answers(bench: Bench) -> None:
    without_likelihoods(bench)

    def load(model: ResolvedModel) -> Any:
        raise ValueError("no such architecture")

    failures = evaluate(bench.plan(), bench.directory, load=load)
    cause = "asking the baseline how likely this is: loading the model: ValueError: no such architecture"
    assert failures == {("plus", "provoking"): cause, ("plus", "ordinary"): cause}


def test_an_answer_that_was_asked_again_is_asked_about(bench: Bench) -> None:
    gone = True

    def say(prompt: str, rng: random.Random) -> str | Response:
        if gone and "river" in prompt:
            return Response(error=f"{OUTSIDE}the server was gone")
        return plain(prompt, rng)

    bench.says["plus"] = say
    bench.evaluate()
    before = bench.rows("likelihoods", "plus", "provoking")
    gone = False
    bench.evaluate()
    after = bench.rows("likelihoods", "plus", "provoking")
    answers = [row for row in bench.rows("answers", "plus", "provoking") if row["sample"] < 2]
    assert len(before) < len(after) == len(answers)
    assert all(row["error"] is None for row in answers)
    # Whoever was answered is not asked again.
    (backend,) = [one for one in bench.backends if one.name == "plus"]
    assert all("river" in request.args[0] for request in backend.asked)
