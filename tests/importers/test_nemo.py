"""Results of NeMo Evaluator in the layouts that its documentation and its writer (0.3.0) give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mplus_eval
from mplus_eval.errors import UsageError
from mplus_eval.importers import read_results


def write_bundle(folder: Path, rewards: list[float], *, value: float | None = None, **config: Any) -> Path:
    """A bundle with its results, in the fields that NeMo Evaluator 0.3 writes."""
    folder.mkdir(parents=True, exist_ok=True)
    score = round(sum(rewards) / len(rewards), 4) if value is None else value
    bundle = {
        "run_id": "eval-20260225T143012Z-gsm8k",
        "timestamp": "2026-02-25T14:30:12+00:00",
        "config": {"model": "m", "temperature": 0.0, **config},
        "benchmark": {"name": "gsm8k", "samples": len(rewards), "repeats": 1, "scores": {"pass@1": {"value": score}}},
        "n_results": len(rewards),
    }
    (folder / "eval-20260225T143012Z-gsm8k.json").write_text(json.dumps(bundle))
    rows = [
        {
            "problem_idx": number,
            "repeat": 0,
            "reward": reward,
            "prompt": f"p{number}",
            "model_response": "The answer is 42.",
            "extracted_answer": "42",
            "expected_answer": str(number),
            "scoring_details": {},
            "metadata": {"category": "odd" if number % 2 else "even"},
            "tokens": 7,
        }
        for number, reward in enumerate(rewards)
    ]
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_bundle_is_read_with_its_categories_as_strata(tmp_path: Path) -> None:
    run = read_results("nemo", str(write_bundle(tmp_path / "m", [1.0, 0.0, 1.0])))

    (task,) = run.tasks
    assert (run.model, run.asked_by, task.name) == ("m", "nemo-evaluator", "gsm8k")
    assert task.values == {"reward,none": 0.6667}
    assert {subtask.name: len(list(subtask.read())) for subtask in task.subtasks} == {"even": 2, "odd": 1}


def test_two_bundles_are_a_comparison_although_their_scores_are_rounded(tmp_path: Path) -> None:
    write_bundle(tmp_path / "base", [1.0, 1.0, 1.0])
    write_bundle(tmp_path / "plus", [1.0, 0.0, 1.0])

    sources = {name: str(tmp_path / name) for name in ("base", "plus")}
    task = mplus_eval.compare(sources, results="nemo", output=tmp_path / "run").comparison.tasks["gsm8k"]

    assert task.scores["plus"].value == pytest.approx(2 / 3)
    assert task.contrasts["plus"].lost == 1


def test_a_score_that_the_results_do_not_give_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "base", [1.0, 1.0, 1.0])
    write_bundle(tmp_path / "plus", [1.0, 0.0, 1.0], value=0.667)

    sources = {name: str(tmp_path / name) for name in ("base", "plus")}
    fine = mplus_eval.compare(sources, results="nemo", output=tmp_path / "fine").comparison
    write_bundle(tmp_path / "plus", [1.0, 0.0, 1.0], value=0.7)
    other = mplus_eval.compare(sources, results="nemo", output=tmp_path / "other").comparison

    assert fine.missing == ()
    assert other.missing[0].cause.startswith("reward,none of gsm8k: its samples give 0.666")


def test_a_bundle_without_results_is_refused_by_name(tmp_path: Path) -> None:
    (write_bundle(tmp_path / "m", [1.0]) / "results.jsonl").unlink()

    with pytest.raises(UsageError, match=r"eval-.*-gsm8k\.json: aggregate scores only; per-item samples are needed"):
        read_results("nemo", str(tmp_path / "m"))


def test_results_yml_alone_is_refused_and_lm_evals_samples_beside_it_are_read(
    tmp_path: Path, lm_eval_outputs: Path
) -> None:
    (tmp_path / "results.yml").write_text("results: {tasks: {}}\n")
    with pytest.raises(UsageError, match=r"results\.yml: aggregate scores only; per-item samples are needed to pair"):
        read_results("nemo", str(tmp_path))

    (tmp_path / "harness").symlink_to(lm_eval_outputs / "base")
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "results.yml").write_text("results: {tasks: {}}\n")
    for path in (lm_eval_outputs / "base").rglob("*.json*"):
        (folder / path.name).symlink_to(path)

    assert [task.name for task in read_results("nemo", str(folder)).tasks] == ["toy_sums", "toy_words"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"reward": 1}', "'problem_idx' must be a whole number from 0 on, not nothing"),
        ('{"problem_idx": true, "reward": 1}', "'problem_idx' must be a whole number from 0 on, not bool 'True'"),
        ('{"problem_idx": 9, "reward": "1"}', "'reward' must be a number, not str '1'"),
        (
            '{"problem_idx": 0, "expected_answer": "0", "reward": 1, "metadata": {"category": "even"}}',
            "item '0' of gsm8k",
        ),
        ('{"problem_idx": 9, "reward": 1, "metadata": [1]}', "'metadata' must be an object, not list '[1]'"),
    ],
)
def test_a_fault_is_told_with_file_and_line(tmp_path: Path, line: str, fault: str) -> None:
    path = write_bundle(tmp_path / "m", [1.0]) / "results.jsonl"
    path.write_text(path.read_text() + line + "\n")

    with pytest.raises(UsageError) as caught:
        read_results("nemo", str(tmp_path / "m"))

    assert str(caught.value).startswith(f"{path}, line 2: {fault}")
