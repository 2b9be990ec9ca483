"""lm-eval's own `--log_samples` outputs over all tasks of the suite `mplus`, imported, and the same models asked here.

The models have random weights. lm-eval asks for one answer at a time, as it must if texts are compared too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mplus_eval
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.suite import load_suite
from mplus_eval.store.run_directory import RunDirectory
from tests.real_data import OWN_DATA, link_datasets, sample_texts
from tests.tiny_models import build_model

LIMIT = 2
"""Items of each subject, the first ones."""
NAMES = ("base", "plus")
PACKAGE_TASKS = Path(mplus_eval.__file__).parent / "tasks"
SUITE = load_suite("mplus")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def data_dir(benchmark_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return link_datasets((benchmark_data, OWN_DATA), tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def models(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder, texts = tmp_path_factory.mktemp("models"), sample_texts(data_dir)
    shape: dict[str, Any] = {"context": 8192, "texts": texts, "vocabulary": 4096, "brief": True}
    return {
        name: str(build_model(folder / name, architecture="llama", seed=seed, **shape))
        for seed, name in enumerate(NAMES)
    }


@pytest.fixture(scope="module")
def outputs(models: dict[str, str], data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `lm_eval --log_samples --output_path` leaves: a folder of each model, with files of each call."""
    import datasets
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    folder, whole = tmp_path_factory.mktemp("outputs"), datasets.load_dataset
    manager = TaskManager(include_path=str(PACKAGE_TASKS / "race_middle"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_dataset", lambda path, *rest, **more: whole(str(data_dir / path), *rest, **more))
        for name, path in models.items():
            model = HFLM(pretrained=path, batch_size=1, device="cpu")
            for task in SUITE.tasks:
                tracker = EvaluationTracker(output_path=str(folder / name))
                results: Any = simple_evaluate(
                    model,
                    tasks=[task.lm_eval],
                    num_fewshot=task.shots or None,
                    limit=LIMIT,
                    task_manager=manager,
                    model_args=f"pretrained={path}",
                    bootstrap_iters=0,
                    log_samples=True,
                    evaluation_tracker=tracker,
                )
                samples = results.pop("samples")
                tracker.save_results_aggregated(results=results, samples=samples)
                for subtask in results["configs"]:
                    tracker.save_results_samples(task_name=subtask, samples=samples[subtask])
    return folder


@pytest.fixture(scope="module")
def imported(outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> mplus_eval.Run:
    sources = {name: str(outputs / name) for name in NAMES}
    return mplus_eval.compare(sources, results="lm-eval", suite="mplus", output=tmp_path_factory.mktemp("imported"))


@pytest.fixture(scope="module")
def here(models: dict[str, str], data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> mplus_eval.Run:
    options = {"limit": Limit(LIMIT, first=True), "data_dir": data_dir, "toxicity": False, "conversation": False}
    return mplus_eval.compare(models, suite="mplus", output=tmp_path_factory.mktemp("here"), **options)


def test_all_tasks_are_imported(imported: mplus_eval.Run) -> None:
    assert list(imported.comparison.tasks) == [task.name for task in SUITE.tasks]
    assert imported.comparison.missing == ()


@pytest.mark.parametrize("task", [task.name for task in SUITE.tasks])
def test_scores_and_verdicts_are_those_of_the_same_models_asked_here(
    imported: mplus_eval.Run, here: mplus_eval.Run, task: str
) -> None:
    stored, asked = imported.comparison.tasks[task], here.comparison.tasks[task]

    # Of lm-eval's value the importer has made sure.
    assert {name: score.value for name, score in stored.scores.items()} == {
        name: score.value for name, score in asked.scores.items()
    }
    own, other = stored.contrasts["plus"], asked.contrasts["plus"]
    assert (own.verdict, own.difference, own.p_value) == (other.verdict, other.difference, other.p_value)
    assert own.ci == pytest.approx(other.ci, abs=1e-12)
    assert (stored.chance, stored.kind, stored.n_shots, stored.version) == (
        asked.chance,
        asked.kind,
        asked.n_shots,
        asked.version,
    )


def test_the_suites_verdict_is_that_of_the_same_models_asked_here(
    imported: mplus_eval.Run, here: mplus_eval.Run
) -> None:
    for name in NAMES:
        assert imported.comparison.summary[name] == here.comparison.summary[name]


def test_items_are_the_same_with_what_was_asked_and_said(imported: mplus_eval.Run, here: mplus_eval.Run) -> None:
    stored, asked = (outcomes(run) for run in (imported, here))

    assert stored.index.equals(asked.index)
    for column in ("stratum", "cluster", "prompt", "prompt_hash", "score", "target"):
        assert stored[column].equals(asked[column]), column
    both = [pair for pair in zip(stored["log_probabilities"], asked["log_probabilities"], strict=True) if _any(pair)]
    assert len(both) > 100
    assert max(float(np.abs(np.subtract(*pair)).max()) for pair in both) < 1e-3
    assert [list(each) for each in stored["choices"].dropna()] == [list(each) for each in asked["choices"].dropna()]


def outcomes(run: mplus_eval.Run) -> pd.DataFrame:
    """Those of every model and task, by model, task and item."""
    directory = RunDirectory(run.path)
    cells = {(name, task.name): directory.outcome_frame(name, task.name) for name in NAMES for task in SUITE.tasks}
    frames = {key: frame.set_index("item_id") for key, frame in cells.items()}
    return pd.concat(frames, names=["model", "task"]).sort_index()


def _any(pair: tuple[object, object]) -> bool:
    return pair[0] is not None and pair[1] is not None
