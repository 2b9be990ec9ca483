"""Logs of inspect_ai: what its log has, and that it reads them where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.exports import StoredRun
from mplus_eval.exports.inspect import write


@pytest.fixture
def logs(run: StoredRun, tmp_path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in write(run, tmp_path)]
    return {(log["eval"]["task"], log["eval"]["model"]): log for log in found}


def test_there_is_a_log_of_each_model_and_task(logs: dict[tuple[str, str], dict[str, Any]], run: StoredRun) -> None:
    tasks = run.comparison.tasks
    assert set(logs) == {(task, f"hf/{model}") for task in tasks for model in run.models if model in tasks[task].scores}
    log = logs["mmlu", "hf/plus"]
    assert (log["version"], log["status"]) == (2, "success")
    (score,) = log["results"]["scores"]
    assert score["metrics"]["acc"]["value"] == run.comparison.tasks["mmlu"].scores["plus"].value


def test_an_item_has_prompt_choices_answer_and_score_and_a_failed_one_its_error(
    logs: dict[tuple[str, str], dict[str, Any]],
) -> None:
    first, *_, failed = logs["mmlu", "hf/base"]["samples"]
    assert (first["input"], first["choices"], first["target"]) == ("Question 0:", ["one", "two", "three"], "two")
    assert first["output"]["completion"] == "two"
    assert first["scores"] == {"acc": {"value": 1.0, "answer": "two"}}
    assert first["metadata"]["log_probabilities"] == [-3.5, -1.25, -3.5]
    assert failed["error"]["message"] == "out of memory"
    assert "scores" not in failed


def test_inspect_reads_them(run: StoredRun, tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log", reason="inspect_ai is not installed")
    for path in write(run, tmp_path):
        read = log.read_eval_log(str(path))
        score = run.comparison.tasks[read.eval.task].scores[read.eval.model.removeprefix("hf/")]
        assert next(iter(read.results.scores[0].metrics.values())).value == score.value
    assert len(log.list_eval_logs(str(tmp_path))) == len(list(tmp_path.glob("*.json")))
