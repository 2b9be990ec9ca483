from __future__ import annotations

from pathlib import Path

import pytest

import mplus_eval
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.records.comparison import Summary
from mplus_eval.records.training import Dose
from mplus_eval.reports.render import render_decision
from mplus_eval.reports.terminal import plain_summary
from mplus_eval.store.hashes import weights_hash
from tests.backends.vllm_stand_in import install
from tests.reports import build
from tests.server import CompletionServer, serving
from tests.spec.test_trajectory import record
from tests.tiny_models import build_model
from tests.toy import write_tasks


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model) -> mplus_eval.Run:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("run")
    suite = write_tasks(folder / "tasks")
    return mplus_eval.compare(
        {"base": str(tiny_model()), "plus": {"source": str(tiny_model(seed=1)), "role": "plus"}},
        suite=str(suite),
        tasks_dir=folder / "tasks",
        output=folder / "run",
    )


def test_a_run_leaves_comparison_reports_and_manifest(finished: mplus_eval.Run) -> None:
    for name in ("comparison.json", "manifest.json", "report.html", "report.md"):
        assert (finished.path / name).stat().st_size > 100, name
    assert any((finished.path / "outcomes" / "base" / "sums").glob("part-*.parquet"))


def test_the_comparison_holds_both_models_and_tasks(finished: mplus_eval.Run) -> None:
    comparison = finished.comparison

    assert comparison.baseline == "base"
    assert set(comparison.models) == {"base", "plus"}
    assert comparison.models["plus"].role == "plus"
    assert comparison.models["base"].dtype == "float32"
    assert set(comparison.tasks) == {"sums", "words"}
    assert set(comparison.tasks["sums"].contrasts) == {"plus"}


def test_outcomes_are_a_frame_with_a_row_for_each_item(finished: mplus_eval.Run) -> None:
    frame = finished.outcomes()

    assert len(frame) == 2 * 2 * 12
    assert {"model", "task", "item_id", "prompt", "score", "answer", "target"} <= set(frame.columns)


def test_scores_are_a_frame_whose_values_are_the_means_of_the_outcomes(finished: mplus_eval.Run) -> None:
    means = finished.outcomes().groupby(["task", "model"])["score"].mean()

    for row in finished.scores.itertuples():
        assert row.value == pytest.approx(means[row.task, row.model])
        assert row.low <= row.value <= row.high


def test_contrasts_are_a_frame_with_a_row_for_each_task(finished: mplus_eval.Run) -> None:
    frame = finished.contrasts

    assert list(zip(frame["task"], frame["model"], frame["against"], strict=True)) == [
        ("sums", "plus", "base"),
        ("words", "plus", "base"),
    ]
    assert {"difference", "low", "high", "p_value", "p_adjusted", "verdict"} <= set(frame.columns)


def test_a_stored_run_is_loaded_as_it_was(finished: mplus_eval.Run) -> None:
    assert mplus_eval.load(finished.path).comparison == finished.comparison


def test_a_run_shows_itself_as_its_summary_and_in_a_notebook_as_the_decision(tmp_path: Path) -> None:
    run = mplus_eval.Run(tmp_path, build.full())
    assert repr(run) == f"{plain_summary(build.full())}\nRun: {tmp_path}"
    assert "Capability: sft is degraded" in repr(run)
    assert run._repr_html_() == render_decision(build.full())


def test_a_directory_without_a_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no comparison\.json"):
        mplus_eval.load(tmp_path)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(SpecError, match="limits"):
        mplus_eval.compare({"base": "."}, limits=3)


def test_every_pair_is_compared_when_asked(tmp_path: Path, tiny_model) -> None:  # type: ignore[no-untyped-def]
    suite = write_tasks(tmp_path / "tasks")
    models = {name: str(tiny_model(seed=seed)) for seed, name in enumerate(("base", "sft", "plus"))}
    run = mplus_eval.compare(
        models, suite=str(suite), tasks_dir=tmp_path / "tasks", output=tmp_path / "run", pairs="all"
    )

    assert {(pair.model, pair.against) for pair in run.comparison.pairs} == {("plus", "sft")}
    assert set(run.contrasts["against"]) == {"base", "sft"}


def test_a_server_gets_the_scores_of_the_same_checkpoint_here(tmp_path: Path) -> None:
    checkpoint = build_model(tmp_path / "checkpoint")
    suite = write_tasks(tmp_path / "tasks")
    with serving(CompletionServer(checkpoint)) as server:
        run = mplus_eval.compare(
            {"here": str(checkpoint), "served": {"source": server.url, "tokenizer": str(checkpoint)}},
            suite=str(suite),
            tasks_dir=tmp_path / "tasks",
            output=tmp_path / "run",
        )

    assert run.comparison.missing == ()
    assert run.comparison.models["served"].backend == "openai"
    for task in run.comparison.tasks.values():
        assert task.scores["served"] == task.scores["here"]


def test_the_vllm_backend_is_asked_as_the_others_are(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_model,  # type: ignore[no-untyped-def]
) -> None:
    """Over an engine that computes by transformers, since vllm is not installed here."""
    install(monkeypatch)
    suite = write_tasks(tmp_path / "tasks")
    models = {"here": str(tiny_model()), "vllm": {"source": str(tiny_model()), "backend": "vllm"}}
    run = mplus_eval.compare(models, suite=str(suite), tasks_dir=tmp_path / "tasks", output=tmp_path / "run")

    assert run.comparison.missing == ()
    assert run.comparison.models["vllm"].backend == "vllm"
    for task in run.comparison.tasks.values():
        assert task.scores["vllm"] == task.scores["here"]


def test_progress_is_told_of_every_item(tmp_path: Path, tiny_model) -> None:  # type: ignore[no-untyped-def]
    class Counter(RunProgress):
        n_items = 0

        def advance(self, n_items: int) -> None:
            self.n_items += n_items

    counter = Counter()
    suite = write_tasks(tmp_path / "tasks")
    mplus_eval.compare(
        {"base": str(tiny_model())},
        suite=str(suite),
        tasks_dir=tmp_path / "tasks",
        output=tmp_path / "run",
        progress=counter,
    )

    assert counter.n_items == 24


def test_a_training_is_compared_with_its_saved_steps(tmp_path: Path, tiny_model) -> None:  # type: ignore[no-untyped-def]
    """The steps answer fewer items than the baseline; the final model says that it came from other weights."""
    base, folder = tiny_model(), tmp_path / "run of training"
    dose = Dose(kl_answers=2.0, kl_answers_per_token=0.1, n_prompts=8)
    for path, step in ((folder, 3), (folder / "checkpoint-1", 1), (folder / "checkpoint-2", 2)):
        build_model(path, seed=step)
        weights = weights_hash(base) if step < 3 else "others"
        record(step, base=str(base), base_fingerprint=weights, dose=dose).write(path)
    suite = write_tasks(tmp_path / "tasks", n_items=40)
    run = mplus_eval.compare(
        suite=str(suite),
        tasks_dir=tmp_path / "tasks",
        output=tmp_path / "run",
        trajectory=[folder],
        limit=36,
        trajectory_limit=30,
        pairs="all",
    )
    models, task = run.comparison.models, run.comparison.tasks["sums"]

    assert run.comparison.missing == ()
    assert run.comparison.pairs == ()
    assert list(models) == ["base", "plus", "plus-step-1", "plus-step-2"]
    assert [entry.trajectory for entry in models.values()] == [None, None, "plus", "plus"]
    assert {name: score.n_scored for name, score in task.scores.items()} == {
        "base": 36,
        "plus": 36,
        "plus-step-1": 30,
        "plus-step-2": 30,
    }
    assert {name: contrast.n_pairs for name, contrast in task.contrasts.items()} == {
        "plus": 36,
        "plus-step-1": 30,
        "plus-step-2": 30,
    }
    assert {name: "not the same items" in contrast.flags for name, contrast in task.contrasts.items()} == {
        "plus": False,
        "plus-step-1": True,
        "plus-step-2": True,
    }
    points = run.comparison.trajectories["plus"]
    assert points.n_items == 30 * len(run.comparison.tasks)
    assert list(points.averages) == ["base", "plus", "plus-step-1", "plus-step-2"]
    assert points.averages["plus-step-1"] == Summary(
        **run.comparison.summary["plus-step-1"].model_dump(include={"macro_average", "ci"})
    )
    steps = [entry.training for entry in models.values() if entry.training]
    assert models["base"].training is None
    assert [training.step for training in steps] == [3, 1, 2]
    assert [training.dose for training in steps] == [None, dose, dose]
    assert [len(training.warnings) for training in steps] == [1, 0, 0]
    assert mplus_eval.load(run.path).comparison == run.comparison
