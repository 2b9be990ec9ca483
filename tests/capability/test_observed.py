from pathlib import Path

import numpy as np
import pytest

from mplus_eval.capability.observed import read_observed
from mplus_eval.errors import UsageError
from mplus_eval.records.comparison import Comparison, FlipRate, NoiseFloor, Summary
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import PartInfo, part_path, write_part
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build


def write_outcomes(directory, model, scores, task="reading", size=1):
    """The scores of a model's items, `size` items a passage."""
    outcomes = [
        Outcome(
            item_id=f"item-{number:04d}",
            stratum=task,
            cluster=f"passage {number // size}" if size > 1 else None,
            sample=0,
            prompt_hash="",
            prompt="",
            score=float(score),
            metrics={"acc,none": float(score)},
        )
        for number, score in enumerate(scores)
    ]
    write_part(part_path(directory.outcomes(model, task), 0), Outcome, outcomes, PartInfo("f", {}, 0, 1))


def write_run(path: Path, scores, verdicts=None, size=1, noise=None, suite="mplus", task="reading"):
    """A run of the task `reading`; the first model is the baseline."""
    directory = RunDirectory(path)
    directory.path.mkdir(parents=True, exist_ok=True)
    baseline, *others = scores
    for model, of_model in scores.items():
        write_outcomes(directory, model, of_model, task, size)
    contrasts = {model: build.contrast(0.0, 0.05, (verdicts or {}).get(model, Verdict.UNDECIDED)) for model in others}
    n = len(scores[baseline])
    entry = build.task(n, 0.25, {model: build.score(0.5) for model in scores}, contrasts)
    Comparison(
        baseline=baseline,
        suite=suite,
        models={model: build.model(model) for model in scores},
        tasks={task: entry},
        summary={model: Summary() for model in scores},
        noise_floor=noise,
    ).write(directory.comparison)
    return directory


def right(n, *lost):
    """All right but for the items named."""
    scores = np.ones(n)
    scores[list(lost)] = 0.0
    return scores


def test_discordance_is_the_share_that_differs(tmp_path):
    directory = write_run(tmp_path, {"base": right(200, 0, 1, 2), "plus": right(200, 2, 3)})
    _, observed = read_observed(directory)
    assert observed["reading"].discordance == pytest.approx(3 / 200)
    assert (observed["reading"].cluster_size, observed["reading"].icc) == (1.0, None)
    assert observed["reading"].effect == pytest.approx(1.0, abs=0.13)


def test_a_difference_that_was_shown_is_no_discordance(tmp_path):
    scores = {"base": right(200, 0, 1), "sft": right(200, *range(2, 32))}
    _, undecided = read_observed(write_run(tmp_path / "a", scores))
    _, degraded = read_observed(write_run(tmp_path / "b", scores, {"sft": Verdict.DEGRADED}))
    assert undecided["reading"].discordance == pytest.approx(32 / 200)
    assert degraded["reading"].discordance == pytest.approx(4 / 200)


def test_the_model_that_needs_most_counts(tmp_path):
    scores = {"base": right(200), "plus": right(200, 1), "sft": right(200, 2, 3, 4)}
    _, observed = read_observed(write_run(tmp_path, scores))
    assert observed["reading"].model == "sft"


def test_the_correlation_within_passages(tmp_path):
    # Passages of four that are lost whole: all of a passage's items are alike. Then single items, each in its own.
    whole = write_run(tmp_path / "a", {"base": right(400), "plus": right(400, *range(40))}, size=4)
    single = write_run(tmp_path / "b", {"base": right(400), "plus": right(400, *range(0, 160, 4))}, size=4)
    (of_whole,), (of_single,) = (read_observed(run)[1].values() for run in (whole, single))
    assert of_whole.icc == pytest.approx(1.0, abs=0.02)
    assert of_single.icc == pytest.approx(-0.1 / 0.9, abs=0.03)
    assert of_whole.cluster_size == 4.0
    assert of_whole.effect > 3.5
    assert of_single.effect < 1.5


def test_no_less_differs_than_flips_by_itself(tmp_path):
    rate = FlipRate(n_items=200, flips=8, rate=0.04, ci=(0.02, 0.08))
    noise = NoiseFloor(batch_size="8, 4", tasks={"reading": rate})
    _, observed = read_observed(write_run(tmp_path, {"base": right(200), "plus": right(200, 1)}, noise=noise))
    assert observed["reading"].noise == 0.04
    assert observed["reading"].planned_discordance == 0.04


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--from .*holds no comparison.json"):
        read_observed(RunDirectory(tmp_path))


def test_a_run_of_one_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match="a run of two models is expected"):
        read_observed(write_run(tmp_path, {"base": right(20)}))
