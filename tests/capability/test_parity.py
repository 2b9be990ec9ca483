"""Every value of the suite `mplus` is the one of lm-eval's own `simple_evaluate`: same model, task and items.

All eleven tasks, subject by subject, on three families of models; one of them answers more items of each subject. Items
that were drawn are named to lm-eval by `samples`, the first ones are its own `limit`.
lm-eval asks for one answer at a time, as it must if texts are compared too: in a batch its answers depend on their
neighbours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mplus_eval
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.suite import load_suite
from tests.real_data import OWN_DATA, link_datasets, sample_texts
from tests.tiny_models import build_model

LIMITS = {"mistral": Limit(8), "llama": Limit(4, first=True), "gpt2": Limit(4)}
"""Items of each subject, by family: with 94 subjects, more of each take minutes and are asked in the same way."""
BATCH_SIZE = 20
CONTEXT = 8192
PACKAGE_TASKS = Path(mplus_eval.__file__).parent / "tasks"
SUITE = load_suite("mplus")
N_SUBJECTS = {"mmlu": 57, "agieval_en": 10, "bbh": 27}
GENERATED = {"agieval_en": 1, "bbh": 27, "drop": 1, "gsm8k": 1}
"""Tasks with texts, and of how many subjects."""

Evaluated = dict[tuple[str, str], dict[str, Any]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def data_dir(benchmark_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmark data, and the tests' own DROP beside them, in the layout of a mirror."""
    return link_datasets((benchmark_data, OWN_DATA), tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def models(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small models of three families, with room for a prompt of BBH and 1,024 tokens after it, seldom used."""
    texts = sample_texts(data_dir)
    folder = tmp_path_factory.mktemp("models")
    shape: dict[str, Any] = {"context": CONTEXT, "texts": texts, "vocabulary": 4096, "brief": True}
    return {name: build_model(folder / name, architecture=name, seed=seed, **shape) for seed, name in enumerate(LIMITS)}


@pytest.fixture(scope="module")
def ours(
    models: dict[str, Path], data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, mplus_eval.Run]:
    """A run for each family."""
    runs: dict[str, mplus_eval.Run] = {}
    for name, limit in LIMITS.items():
        sources = {name: {"source": str(models[name]), "batch_size": BATCH_SIZE}}
        options = {"limit": limit, "data_dir": data_dir, "toxicity": False, "conversation": False}
        output = tmp_path_factory.mktemp("run") / "mplus"
        runs[name] = mplus_eval.compare(sources, suite="mplus", output=output, **options)
    return runs


@pytest.fixture(scope="module")
def theirs(models: dict[str, Path], ours: dict[str, mplus_eval.Run], data_dir: Path) -> Evaluated:
    """What `simple_evaluate` finds, by model and task, with lm-eval's tasks as they stand."""
    import datasets
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    whole = datasets.load_dataset
    manager = TaskManager(include_path=str(PACKAGE_TASKS / "race_middle"))
    evaluated: Evaluated = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_dataset", lambda path, *rest, **more: whole(str(data_dir / path), *rest, **more))
        for name, path in models.items():
            model = HFLM(pretrained=str(path), batch_size=1, device="cpu")
            for task in SUITE.tasks:
                evaluated[name, task.name] = simple_evaluate(
                    model,
                    tasks=[task.lm_eval],
                    num_fewshot=task.shots or None,
                    **_which(LIMITS[name], ours[name], task.name),
                    task_manager=manager,
                    bootstrap_iters=0,
                    log_samples=task.name in GENERATED,
                )
    return evaluated


@pytest.mark.parametrize("task", SUITE.tasks, ids=lambda task: task.name)
@pytest.mark.parametrize("model", LIMITS)
def test_a_value_is_the_one_that_lm_eval_prints(
    ours: dict[str, mplus_eval.Run], theirs: Evaluated, model: str, task: Any
) -> None:
    entry = ours[model].comparison.tasks[task.name]
    key = f"{entry.metric},{entry.filter}"

    assert ours[model].comparison.missing == ()
    value = theirs[model, task.name]["results"][task.lm_eval][key]
    assert entry.scores[model].value == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("task", N_SUBJECTS)
@pytest.mark.parametrize("model", LIMITS)
def test_a_subjects_value_is_the_one_that_lm_eval_prints(
    ours: dict[str, mplus_eval.Run], theirs: Evaluated, model: str, task: str
) -> None:
    entry = ours[model].comparison.tasks[task]
    key = f"{entry.metric},{entry.filter}"

    assert len(entry.subjects) == N_SUBJECTS[task]
    for name, subject in entry.subjects.items():
        value = theirs[model, task]["results"][name][key]
        assert subject.scores[model].value == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("task", GENERATED)
@pytest.mark.parametrize("model", LIMITS)
def test_texts_are_those_that_lm_eval_gets(
    ours: dict[str, mplus_eval.Run], theirs: Evaluated, model: str, task: str
) -> None:
    outcomes = ours[model].outcomes(model, task).dropna(subset="generations")
    samples = {name: rows for name, rows in theirs[model, task]["samples"].items() if _is_text(rows[0])}
    got = {(row.stratum, row.prompt): row.generations[0] for row in outcomes.itertuples()}
    expected = {(name, row["arguments"][0][0]): row["resps"][0][0] for name, rows in samples.items() for row in rows}

    assert len(samples) == GENERATED[task]
    assert got.keys() == expected.keys()
    assert any(got.values())
    # Rounding may choose between two tokens that are nearly tied, differently on another processor. Texts that do not
    # end have a thousand tokens: of 108, two parted where the logits of two tokens lay 5e-7 and 1.4e-6 apart.
    assert sum(got[key] != expected[key] for key in got) <= 0.02 * len(got)


def _is_text(sample: dict[str, Any]) -> bool:
    """Whether lm-eval asked for a text and not for log-probabilities, which come with whether they are greedy."""
    return isinstance(sample["resps"][0][0], str)


def _which(limit: Limit, run: mplus_eval.Run, task: str) -> dict[str, Any]:
    """The same items in lm-eval's words; it takes the numbers of documents rising."""
    if limit.first:
        return {"limit": limit.n}
    items = run.outcomes(task=task).groupby("stratum")["item_id"]
    return {"samples": {name: sorted(int(each.rpartition("/")[2]) for each in ids) for name, ids in items}}
