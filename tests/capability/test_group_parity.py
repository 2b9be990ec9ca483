"""Groups and ratio measures have the values of lm-eval's `simple_evaluate`, further metrics too.

Small stand-ins written as lm-eval writes its own: legalbench, longbench and RULER average their subtasks plainly, mmlu
and uncheatable_eval by size, at every level; wikitext is bits and words of whole texts, lambada a perplexity beside an
accuracy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from tests.task_files import write_yaml
from tests.toy import Bench, RuleBackend

SCORING = """
import math


def with_score(doc, results):
    overlap = sum(letter in results[0] for letter in doc["answer"]) / len(doc["answer"])
    return {"score": overlap, "qa_score": overlap, "length": len(results[0])}


def by_length(doc, results):
    score = float(doc["answer"] in results[0]) / 3
    return {"4096": -1.0, "8192": score} if int(doc["answer"]) % 3 == 1 else {"4096": score, "8192": -1.0}


def of_length(values):
    own = [value for value in values if value != -1]
    return sum(own) / len(own) if own else -1


def of_page(doc, results):
    (log_likelihood,) = results
    n_words, n_bytes = len(doc["question"].split()), len(doc["question"].encode())
    return {
        "word_perplexity": (log_likelihood, n_words),
        "byte_perplexity": (log_likelihood, n_bytes),
        "bits_per_byte": (log_likelihood, n_bytes),
    }
"""
ASKED: dict[str, Any] = {"dataset_path": "json", "test_split": "test", "doc_to_text": "{{question}}"}
WORDS = ASKED | {
    "output_type": "generate_until",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8, "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
SCORED = WORDS | {
    "process_results": "!function scoring.with_score.py",
    "metric_list": [{"metric": "score", "aggregation": "mean", "higher_is_better": True}],
}
BY_LENGTH = WORDS | {
    "process_results": "!function scoring.by_length.py",
    "metric_list": [
        {"metric": name, "aggregation": "!function scoring.of_length.py", "higher_is_better": True}
        for name in ("4096", "8192")
    ],
}
CHOICES = ASKED | {
    "output_type": "multiple_choice",
    "doc_to_choice": ["no", "yes"],
    "doc_to_target": "{{answer | int % 2}}",
    "metric_list": [{"metric": name} for name in ("acc", "acc_norm", "f1", "mcc", "brier_score")],
}
LAST_WORD = ASKED | {
    "output_type": "loglikelihood",
    "doc_to_target": "{{answer}}",
    "metric_list": [
        {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False},
        {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
    ],
}
PAGES = ASKED | {
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "{{question}}",
    "metric_list": [{"metric": name} for name in ("word_perplexity", "byte_perplexity", "bits_per_byte")],
}
DETOKENIZED = PAGES | {"process_results": "!function scoring.of_page.py"}
SIZES = (9, 4, 2)


def averaged(*metrics: str, by_size: bool, **more: Any) -> list[dict[str, Any]]:
    return [{"metric": metric, "aggregation": "mean", "weight_by_size": by_size, **more} for metric in metrics]


GROUPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "legalbench": (WORDS, {"aggregate_metric_list": averaged("exact_match", by_size=False)}),
    "longbench": (SCORED, {"aggregate_metric_list": averaged("score", "qa_score", by_size=False)}),
    "ruler": (BY_LENGTH, {"aggregate_metric_list": averaged("4096", by_size=False)}),
    "mmlu": (CHOICES, {"aggregate_metric_list": averaged("acc", "f1", by_size=True, filter_list="none")}),
    "uncheatable": (PAGES, {"aggregate_metric_list": averaged("bits_per_byte", "byte_perplexity", by_size=True)}),
    "pages": (PAGES, {"aggregate_metric_list": averaged("word_perplexity", "bits_per_byte", by_size=False)}),
    "pisa": (CHOICES, {"aggregate_metric_list": averaged("acc", "acc_norm", "mcc", by_size=False)}),
}
METRICS = {"longbench": "score", "ruler": "4096", "uncheatable": "bits_per_byte", "pages": "word_perplexity"}
SINGLE = {
    "lambada": (LAST_WORD, "acc"),
    "last_words": (LAST_WORD, "perplexity"),
    "wikitext": (DETOKENIZED, "word_perplexity"),
    "wikibits": (DETOKENIZED, "bits_per_byte"),
    "choices": (CHOICES, "acc"),
}


def write_rows(folder: Path, name: str, n_items: int) -> dict[str, Any]:
    """Write a subtask's items, which differ from those of all others; return the keys that read them."""
    rows = [
        {"question": f"{name}, {'of ' * (number % 3)}number {number}:", "answer": str(number)}
        for number in range(n_items)
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"dataset_kwargs": {"data_files": {"test": f"{name}.jsonl"}}}


def write_group(folder: Path, name: str, definition: dict[str, Any], rule: dict[str, Any]) -> None:
    """Write a group of a subtask and a group of two more, of different sizes."""
    names = [f"{name}_{letter}" for letter in "abc"]
    for subtask, n_items in zip(names, SIZES, strict=True):
        write_yaml(folder / f"{subtask}.yaml", {"task": subtask, **definition, **write_rows(folder, subtask, n_items)})
    inner = {"group": f"{name}_inner", "task": names[1:], **rule}
    write_yaml(folder / f"{name}_inner.yaml", inner)
    write_yaml(folder / f"{name}.yaml", {"group": name, "task": [names[0], f"{name}_inner"], **rule})


class RuleLM(LM):
    """The model that answers by rule, as lm-eval asks one."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.backend = RuleBackend(name)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        found = self.backend.respond(requests)
        return [(each.log_probability or 0.0, bool(each.is_greedy)) for each in found]

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        return [value for value, _ in self.loglikelihood(requests)]

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        return [str(each.text) for each in self.backend.respond(requests)]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("groups"))
    folder = bench.path / "tasks"
    (folder / "scoring.py").write_text(SCORING)
    for name, (definition, rule) in GROUPS.items():
        write_group(folder, name, definition, rule)
    for name, (definition, _) in SINGLE.items():
        write_yaml(folder / f"{name}.yaml", {"task": name, **definition, **write_rows(folder, name, 12)})
    tasks = [{"name": name, "lm_eval": name, "metric": METRICS.get(name)} for name in GROUPS]
    tasks += [{"name": name, "lm_eval": name, "metric": metric} for name, (_, metric) in SINGLE.items()]
    kept = [{key: value for key, value in task.items() if value is not None} for task in tasks]
    bench.suite = write_yaml(folder / "groups.suite.yaml", {"name": "groups", "tasks": kept})
    return bench


@pytest.fixture(scope="module")
def ours(bench: Bench) -> Comparison:
    return bench.compare()


@pytest.fixture(scope="module")
def theirs(bench: Bench) -> Iterator[dict[str, Any]]:
    """What lm-eval finds of one of the models, by name of a task or group."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(bench.path / "tasks")
        manager = TaskManager(include_path=str(bench.path / "tasks"), include_defaults=False)
        options: dict[str, Any] = {"task_manager": manager, "bootstrap_iters": 0, "log_samples": False}
        yield simple_evaluate(RuleLM("plus"), tasks=[*GROUPS, *SINGLE], **options)["results"]


@pytest.mark.parametrize("name", [*GROUPS, *SINGLE])
def test_a_value_is_lm_evals(ours: Comparison, theirs: dict[str, Any], name: str) -> None:
    task = ours.tasks[name]
    value = theirs[name][f"{task.metric},{task.filter}"]
    assert task.scores["plus"].value == pytest.approx(value, rel=1e-12)
    assert task.scores["plus"].n_failed == 0


def test_items_that_a_metric_passes_over_have_not_failed(ours: Comparison) -> None:
    # Of 9, 4 and 2 items, 3, 1 and 1 have another length.
    task = ours.tasks["ruler"]
    assert task.scores["plus"].n_scored == 10
    assert task.contrasts["plus"].verdict is not Verdict.NOT_COMPARABLE


@pytest.mark.parametrize("name", [*GROUPS, *SINGLE])
def test_further_metrics_are_lm_evals(ours: Comparison, theirs: dict[str, Any], name: str) -> None:
    task = ours.tasks[name]
    printed = {
        key: value
        for key, value in theirs[name].items()
        if "," in key and "_stderr," not in key and key != f"{task.metric},{task.filter}"
    }
    # An array for each item is not stored.
    printed.pop("brier_score,none", None)
    others = task.scores["plus"].other_metrics
    assert {key: others.get(key) for key in printed} == pytest.approx(printed, rel=1e-12)


def test_of_groups_only_means_are_told_that_lm_eval_does_not_print(ours: Comparison) -> None:
    others = {name: sorted(ours.tasks[name].scores["base"].other_metrics) for name in GROUPS}
    assert others["mmlu"] == ["acc_norm,none", "f1,none"]
    assert others["longbench"] == ["length,none", "qa_score,none"]
    assert others["uncheatable"] == ["byte_perplexity,none"]


@pytest.mark.parametrize("name", ["legalbench", "mmlu", "pages"])
def test_a_subtasks_value_is_lm_evals(ours: Comparison, theirs: dict[str, Any], name: str) -> None:
    task = ours.tasks[name]
    assert len(task.subjects) == len(SIZES)
    for subtask, subject in task.subjects.items():
        value = theirs[subtask][f"{task.metric},{task.filter}"]
        assert subject.scores["plus"].value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("name", GROUPS)
def test_a_difference_is_that_of_the_values(ours: Comparison, name: str) -> None:
    task = ours.tasks[name]
    base, plus = (task.scores[model].value for model in ("base", "plus"))
    assert base is not None
    assert plus is not None
    expected = plus / base - 1 if name in ("uncheatable", "pages") else plus - base
    assert task.contrasts["plus"].difference == pytest.approx(expected)
