"""lm-eval's files: the keys that its own tracker writes, and the values of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval import cli
from mplus_eval.exports import StoredRun, export
from mplus_eval.exports.lm_eval import sample, write
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Outcome
from tests.exports.runs import choice
from tests.toy import write_tasks


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


Both = tuple[Path, Path]
"""Folders of one model: ours and lm-eval's."""


def files_of(folder: Path, model: str) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The results, and the samples by task."""
    results = json.loads(next((folder / model).glob("results_*.json")).read_text(encoding="utf-8"))
    paths = {path.name.removeprefix("samples_").rpartition("_")[0]: path for path in (folder / model).glob("*.jsonl")}
    return results, {name: read_lines(path) for name, path in paths.items()}


@pytest.fixture(scope="module")
def of_lm_eval(tmp_path_factory: pytest.TempPathFactory, tiny_model) -> tuple[Path, Path]:  # type: ignore[no-untyped-def]
    """What lm-eval writes of two small tasks, and what we write of the same model on the same tasks."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    folder, model = tmp_path_factory.mktemp("lm-eval"), tiny_model()
    suite = write_tasks(folder / "tasks", n_items=4)
    given = ["--suite", str(suite), "--tasks-dir", str(folder / "tasks"), "--output", str(folder / "run"), "-q"]
    assert cli.run(["compare", f"base={model}", *given]) == 0
    export(folder / "run", "lm-eval", folder / "ours")
    tracker = EvaluationTracker(output_path=str(folder / "theirs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "tasks")
        found = lm_eval.simple_evaluate(
            "hf",
            model_args={"pretrained": str(model), "dtype": "float32"},
            tasks=["toy_sums", "toy_words"],
            task_manager=TaskManager(include_path=str(folder / "tasks"), include_defaults=False),
            evaluation_tracker=tracker,
            device="cpu",
            bootstrap_iters=10,
        )
    samples = found.pop("samples")
    tracker.save_results_aggregated(found, samples)
    for name, of_task in samples.items():
        tracker.save_results_samples(name, of_task)
    theirs = next(path for path in (folder / "theirs").iterdir())
    return folder / "ours" / "base", theirs


def test_the_keys_are_those_of_lm_evals_own_tracker(of_lm_eval: Both) -> None:
    (ours, our_samples), (theirs, their_samples) = (files_of(path.parent, path.name) for path in of_lm_eval)
    assert set(ours) == set(theirs)
    assert set(ours["config"]) == set(theirs["config"])
    assert set(ours["configs"]["toy_sums"]) <= set(theirs["configs"]["toy_sums"]) | {"dataset_name", "filter_list"}
    assert set(our_samples) == set(their_samples) == {"toy_sums", "toy_words"}
    for name, lines in our_samples.items():
        assert [set(line) for line in lines] == [set(line) for line in their_samples[name]]
        assert set(ours["results"][name]) == set(theirs["results"][name])


def test_the_values_are_those_of_lm_eval(of_lm_eval: Both) -> None:
    (ours, our_samples), (theirs, their_samples) = (files_of(path.parent, path.name) for path in of_lm_eval)
    for name, key in (("toy_sums", "acc"), ("toy_words", "exact_match")):
        for part in ("versions", "n-shot", "n-samples"):
            assert ours[part][name] == theirs[part][name]
        assert ours["results"][name][f"{key},none"] == theirs["results"][name][f"{key},none"]
        assert ours["results"][name][f"{key}_stderr,none"] == pytest.approx(
            theirs["results"][name][f"{key}_stderr,none"]
        )
        same = ("doc_id", "target", "filter", "metrics", "prompt_hash", "target_hash", key)
        for own, other in zip(our_samples[name], their_samples[name], strict=True):
            assert {each: own[each] for each in same} == {each: other[each] for each in same}
    # The continuations, and generated texts; log-probabilities may differ in their last digits.
    assert our_samples["toy_sums"][0]["arguments"] == their_samples["toy_sums"][0]["arguments"]
    own, other = ([line["resps"] for line in each["toy_words"]] for each in (our_samples, their_samples))
    assert own == other
    own, other = (each["toy_sums"][1]["resps"] for each in (our_samples, their_samples))
    assert [float(pair[0][0]) for pair in own] == pytest.approx([float(pair[0][0]) for pair in other], abs=1e-3)
    assert [pair[0][1] for pair in own] == [pair[0][1] for pair in other]


def test_a_failed_item_has_no_line_and_two_models_pair_by_document(run: StoredRun, tmp_path: Path) -> None:
    write(run, tmp_path)
    base, plus = (files_of(tmp_path, model)[1]["mmlu_anatomy"] for model in ("base", "plus"))
    assert [line["doc_id"] for line in base] == [0, 1, 2]
    assert [line["doc_hash"] for line in base] == [line["doc_hash"] for line in plus]
    assert len({line["doc_hash"] for line in base}) == 3


def test_a_group_has_its_subtasks(run: StoredRun, tmp_path: Path) -> None:
    write(run, tmp_path)
    results, _ = files_of(tmp_path, "base")
    mmlu = run.comparison.tasks["mmlu"]
    assert results["group_subtasks"] == {"mmlu": ["mmlu_anatomy"]}
    assert results["results"]["mmlu"]["acc,none"] == mmlu.scores["base"].value
    assert results["results"]["mmlu_anatomy"]["acc,none"] == mmlu.subjects["mmlu_anatomy"].scores["base"].value


def test_a_task_that_a_suite_asks_in_two_ways_has_its_own_name(run: StoredRun, tmp_path: Path) -> None:
    tasks = run.comparison.tasks
    both = {name: tasks[name].model_copy(update={"lm_eval": "mmlu"}) for name in ("mmlu", "gsm8k")}
    write(StoredRun(run.directory, run.comparison.model_copy(update={"tasks": both})), tmp_path)
    results, samples = files_of(tmp_path, "base")
    assert set(results["configs"]) == set(samples) == {"mmlu_mmlu_anatomy", "gsm8k"}
    assert results["group_subtasks"] == {"mmlu": ["mmlu_mmlu_anatomy"]}


def test_a_choice_is_the_number_of_its_target_and_numbers_are_texts(run: StoredRun) -> None:
    line = sample(Outcome(**choice(7, 1)), run.comparison.tasks["mmlu"], 0)
    assert (line["doc_id"], line["target"], line["target_hash"]) == (7, "1", hash_text("1"))
    assert line["arguments"]["gen_args_2"] == {"arg_0": "Question 7:", "arg_1": " three"}
    assert line["resps"] == [[["-3.5", "False"]], [["-1.25", "True"]], [["-3.5", "False"]]]
    assert (line["metrics"], line["acc"]) == (["acc"], 1.0)


def test_a_text_has_its_likelihood_and_a_metric_of_several_numbers(run: StoredRun) -> None:
    metrics = {"bits_per_byte,none:0": -10.0, "bits_per_byte,none:1": 7.0}
    row = Outcome(
        item_id="wikitext/x", stratum="wikitext", sample=0, prompt_hash="h", prompt="A text.",
        log_probabilities=[-10.0], score=14.4, metrics=metrics,
    )  # fmt: skip
    line = sample(row, run.comparison.tasks["mmlu"], 5)
    assert (line["doc_id"], line["resps"]) == (5, [["-10.0"]])
    assert line["arguments"] == {"gen_args_0": {"arg_0": "A text."}}
    assert line["bits_per_byte"] == [-10.0, 7.0]
