"""Every Eval Ever: what its schema 0.3.0 asks for, and nothing that should stay here."""

from __future__ import annotations

import json
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.exports import StoredRun
from mplus_eval.exports.eee import write
from tests.exports.runs import PATHS

Record = dict[str, Any]


@pytest.fixture
def exported(run: StoredRun, tmp_path: Path) -> Path:
    write(run, tmp_path)
    return tmp_path


def records(folder: Path) -> dict[str, Record]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.json"))]
    return {record["model_info"]["name"]: record for record in found}


def lines(folder: Path, record: Record) -> list[Record]:
    path = folder / record["detailed_evaluation_results"]["file_path"]
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_model_has_a_record_with_what_the_schema_requires(exported: Path, run: StoredRun) -> None:
    found = records(exported)
    assert set(found) == set(run.models)
    required = {
        "schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info", "eval_library",
        "evaluation_results",
    }  # fmt: skip
    for record in found.values():
        assert required <= set(record)
        assert {"deployment_type", "model_availability"} <= set(record["model_info"]["additional_details"])
        assert all(isinstance(value, str) for value in record["model_info"]["additional_details"].values())
        for result in record["evaluation_results"]:
            assert {"evaluation_name", "source_data", "metric_config", "score_details"} <= set(result)
            assert isinstance(result["metric_config"]["lower_is_better"], bool)
            assert all(isinstance(value, str) for value in result["score_details"]["details"].values())


def test_values_and_intervals_are_those_of_the_comparison(exported: Path, run: StoredRun) -> None:
    results = {result["evaluation_result_id"]: result for result in records(exported)["plus"]["evaluation_results"]}
    score = run.comparison.tasks["mmlu"].scores["plus"]
    details = results["mmlu/acc"]["score_details"]
    assert score.ci is not None
    assert details["score"] == score.value
    interval = details["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (*score.ci, 0.95)
    assert any(name.endswith("/expected_maximum_toxicity") for name in results)
    assert any(name.endswith("/win_rate") for name in results)


def test_items_lie_beside_it_with_their_checksum_and_failed_ones_are_left_out(exported: Path) -> None:
    record = records(exported)["base"]
    pointer = record["detailed_evaluation_results"]
    name = r"data/mplus-eval/example/base-7b/[0-9a-f-]{14}4[0-9a-f-]{21}_samples\.jsonl"
    assert re.fullmatch(name, pointer["file_path"])
    assert pointer["checksum"] == sha256((exported / pointer["file_path"]).read_bytes()).hexdigest()
    rows = lines(exported, record)
    assert pointer["total_rows"] == len(rows) == 3 + 10
    assert {row["evaluation_id"] for row in rows} == {record["evaluation_id"]}
    first = rows[0]
    assert (first["sample_id"], first["evaluation"]) == ("mmlu_anatomy/0", {"score": 1.0, "is_correct": True})
    assert first["input"]["choices"] == ["one", "two", "three"]


def test_the_same_run_gives_the_same_files(run: StoredRun, exported: Path) -> None:
    before = {path: path.read_bytes() for path in exported.rglob("*") if path.is_file()}
    write(run, exported)
    assert before == {path: path.read_bytes() for path in exported.rglob("*") if path.is_file()}


def test_no_local_path_is_in_it(exported: Path) -> None:
    for path in exported.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert not any(local in text for local in (*PATHS, "/home/jo", "secret"))


def test_it_is_valid_by_the_published_schema(exported: Path) -> None:
    folder = os.environ.get("MPLUS_EVAL_EEE_SCHEMAS")
    if folder is None:
        pytest.skip("MPLUS_EVAL_EEE_SCHEMAS does not name the folder of eval.schema.json (evaleval/every_eval_ever)")
    import jsonschema

    whole, instance = (
        json.loads((Path(folder) / f"{name}.schema.json").read_text(encoding="utf-8"))
        for name in ("eval", "instance_level_eval")
    )
    for record in records(exported).values():
        jsonschema.validate(record, whole)
        for row in lines(exported, record) if "detailed_evaluation_results" in record else ():
            jsonschema.validate(row, instance)
