"""Every value of the suite `mplus` is the one of lm-eval's own `simple_evaluate`: same model, task and limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mplus_eval
from mplus_eval.spec.suite import load_suite
from tests.real_data import OWN_DATA, link_datasets, sample_texts
from tests.tiny_models import build_model

LIMIT = 20
BATCH_SIZE = 20
CONTEXT = 8192
PACKAGE_TASKS = Path(mplus_eval.__file__).parent / "tasks"
ARCHITECTURES = ("mistral", "llama", "gpt2")
SUITE = load_suite("mplus")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4500)]


@pytest.fixture(scope="module")
def data_dir(benchmark_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmark data, and the tests' own DROP beside them, in the layout of a mirror."""
    return link_datasets((benchmark_data, OWN_DATA), tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def models(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three small models of three families, with room for a prompt of BBH and 1,024 tokens after it."""
    texts = sample_texts(data_dir)
    folder = tmp_path_factory.mktemp("models")
    return {
        name: build_model(folder / name, architecture=name, seed=seed, context=CONTEXT, texts=texts, vocabulary=4096)
        for seed, name in enumerate(ARCHITECTURES)
    }


@pytest.fixture(scope="module")
def ours(models: dict[str, Path], data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> mplus_eval.Run:
    sources = {name: {"source": str(path), "batch_size": BATCH_SIZE} for name, path in models.items()}
    output = tmp_path_factory.mktemp("run") / "mplus"
    options = {"limit": LIMIT, "data_dir": data_dir, "output": output, "toxicity": False, "conversation": False}
    return mplus_eval.compare(sources, suite="mplus", **options)


@pytest.fixture(scope="module")
def theirs(models: dict[str, Path], data_dir: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Results of `simple_evaluate`, by model and task, with lm-eval's tasks as they stand."""
    import datasets
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    whole = datasets.load_dataset
    manager = TaskManager(include_path=str(PACKAGE_TASKS / "race_middle"))
    results: dict[tuple[str, str], dict[str, Any]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_dataset", lambda path, *rest, **more: whole(str(data_dir / path), *rest, **more))
        for name, path in models.items():
            model = HFLM(pretrained=str(path), batch_size=BATCH_SIZE, device="cpu")
            for task in SUITE.tasks:
                found = simple_evaluate(
                    model,
                    tasks=[task.lm_eval],
                    num_fewshot=task.shots or None,
                    limit=LIMIT,
                    task_manager=manager,
                    bootstrap_iters=0,
                    log_samples=False,
                )
                results[name, task.name] = found["results"]
    return results


@pytest.mark.parametrize("task", SUITE.tasks, ids=lambda task: task.name)
@pytest.mark.parametrize("model", ARCHITECTURES)
def test_a_value_is_the_one_that_lm_eval_prints(
    ours: mplus_eval.Run, theirs: dict[tuple[str, str], dict[str, Any]], model: str, task: Any
) -> None:
    entry = ours.comparison.tasks[task.name]
    key = f"{entry.metric},{entry.filter}"

    assert ours.comparison.missing == ()
    assert entry.scores[model].value == pytest.approx(theirs[model, task.name][task.lm_eval][key], abs=1e-12)


@pytest.mark.parametrize("task", ["mmlu", "agieval_en", "bbh"])
def test_a_subjects_value_is_the_one_that_lm_eval_prints(
    ours: mplus_eval.Run, theirs: dict[tuple[str, str], dict[str, Any]], task: str
) -> None:
    entry = ours.comparison.tasks[task]
    key = f"{entry.metric},{entry.filter}"

    assert len(entry.subjects) == {"mmlu": 57, "agieval_en": 10, "bbh": 27}[task]
    for model in ARCHITECTURES:
        for name, subject in entry.subjects.items():
            assert subject.scores[model].value == pytest.approx(theirs[model, task][name][key], abs=1e-12), name
