"""Records of every_eval_ever in the fields of its schemas, versions 0.2.1 and 0.3.0."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import mplus_eval
from mplus_eval.errors import UsageError
from mplus_eval.importers import read_results


def sample(number: int, score: float, **changes: Any) -> dict[str, Any]:
    return {
        "schema_version": "0.3.0",
        "evaluation_id": "e",
        "model_id": "org/m",
        "evaluation_name": "gsm8k",
        "sample_id": f"gsm8k_{number:04d}",
        "interaction_type": "single_turn",
        "input": {"raw": f"q{number}", "reference": [str(number)], "choices": None},
        "output": {"raw": ["so it is 42"]},
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": "42",
                "extraction_method": "regex",
                "is_terminal": True,
            }
        ],
        "evaluation": {"score": score, "is_correct": score == 1},
        **changes,
    }


def write_record(folder: Path, scores: list[float], *, rows: list[dict[str, Any]] | None = None, **score: Any) -> Path:
    """A record with its samples."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {"score": round(sum(scores) / len(scores), 4), **score}
    lines = rows if rows is not None else [sample(number, each) for number, each in enumerate(scores)]
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (folder / "r_samples.jsonl").write_bytes(content)
    record = {
        "schema_version": "0.3.0",
        "evaluation_id": "e",
        "retrieved_timestamp": "0",
        "source_metadata": {},
        "eval_library": {"name": "lm_eval", "version": "0.4.13"},
        "model_info": {"name": "m", "id": "org/m"},
        "evaluation_results": [
            {
                "evaluation_name": "gsm8k",
                "source_data": {},
                "metric_config": {"lower_is_better": False, "score_type": "binary", "metric_name": "exact_match"},
                "score_details": own,
            }
        ],
        "detailed_evaluation_results": {
            "format": "jsonl",
            "file_path": "data/gsm8k/org/m/r_samples.jsonl",
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(content).hexdigest(),
        },
    }
    (folder / "r.json").write_text(json.dumps(record))
    return folder


def test_a_record_is_read_with_its_samples(tmp_path: Path) -> None:
    run = read_results("eee", str(write_record(tmp_path, [1.0, 0.0, 1.0])))

    (task,) = run.tasks
    items = list(task.subtasks[0].read())
    assert (run.model, run.asked_by) == ("org/m", "eee lm_eval")
    assert (task.name, list(task.metrics), task.values) == ("gsm8k", ["exact_match"], {"exact_match,none": 0.6667})
    assert [item.label for item in items] == ["gsm8k_0000", "gsm8k_0001", "gsm8k_0002"]
    assert (items[0].outcome.answer, items[0].outcome.target, items[0].outcome.generations) == (
        "42",
        "0",
        ["so it is 42"],
    )


def test_two_records_are_a_comparison(tmp_path: Path) -> None:
    write_record(tmp_path / "base", [1.0, 1.0, 1.0])
    write_record(tmp_path / "plus", [1.0, 0.0, 1.0])

    sources = {name: str(tmp_path / name) for name in ("base", "plus")}
    task = mplus_eval.compare(sources, results="eee", output=tmp_path / "run").comparison.tasks["gsm8k"]

    assert (task.contrasts["plus"].lost, task.metric) == (1, "exact_match")


def test_several_metrics_of_a_sample_are_put_together(tmp_path: Path) -> None:
    write_record(tmp_path, [1.0])
    record = json.loads((tmp_path / "r.json").read_text())
    first = record["evaluation_results"][0]
    named = [
        {**first, "evaluation_result_id": name, "metric_config": {"lower_is_better": name == "b", "metric_id": name}}
        for name in ("a", "b")
    ]
    record["evaluation_results"], record["detailed_evaluation_results"] = named, None
    (tmp_path / "r.json").write_text(json.dumps(record))
    rows = [sample(0, score, evaluation_result_id=name) for name, score in (("a", 1.0), ("b", 0.25))]
    (tmp_path / "r_samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    (task,) = read_results("eee", str(tmp_path)).tasks

    (item,) = task.subtasks[0].read()
    assert item.outcome.metrics == {"a,none": 1.0, "b,none": 0.25}
    assert {name: metric.higher_is_better for name, metric in task.metrics.items()} == {"a": True, "b": False}


def test_a_score_in_percent_is_not_held_against_samples(tmp_path: Path) -> None:
    write_record(tmp_path, [1.0, 0.0], score=50.0)

    assert read_results("eee", str(tmp_path)).tasks[0].values == {}


def test_a_record_without_samples_is_refused_by_name(tmp_path: Path) -> None:
    (write_record(tmp_path, [1.0]) / "r_samples.jsonl").unlink()

    with pytest.raises(UsageError, match=r"r\.json: aggregate scores only; per-item samples are needed to pair"):
        read_results("eee", str(tmp_path))


def test_samples_of_another_checksum_are_refused(tmp_path: Path) -> None:
    path = write_record(tmp_path, [1.0]) / "r_samples.jsonl"
    path.write_text(path.read_text() + "\n")

    with pytest.raises(UsageError, match=r"r_samples\.jsonl: not the samples of r\.json, whose checksum is another"):
        read_results("eee", str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sample_id": None}, "'sample_id' must be a text that is not empty, not nothing"),
        ({"evaluation": {"score": True}}, "'score' must be a number, not bool 'True'"),
        ({"evaluation": 1}, "'evaluation' must be an object, not int '1'"),
        ({"input": "x"}, "'input' must be an object, not str 'x'"),
        ({"answer_attribution": "x"}, "'answer_attribution' must be a list, not str 'x'"),
        ({}, "sample 'gsm8k_0000' of gsm8k stands twice, first in "),
    ],
)
def test_a_fault_is_told_with_file_and_line(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    write_record(tmp_path, [1.0], rows=[sample(0, 1.0), sample(0, 1.0) | changes])

    with pytest.raises(UsageError) as caught:
        read_results("eee", str(tmp_path))

    assert str(caught.value).startswith(f"{tmp_path / 'r_samples.jsonl'}, line 2: {fault}")
