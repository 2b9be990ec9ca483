from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from mplus_eval.errors import UsageError
from mplus_eval.records.comparison import Comparison, json_schema
from mplus_eval.records.verdict import Verdict

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "comparison.schema.json"


def contrast(**changes: Any) -> dict[str, Any]:
    fields = {
        "difference": -0.02,
        "ci": [-0.05, 0.01],
        "n_pairs": 100,
        "test": "exact McNemar",
        "p_value": 0.3,
        "p_adjusted": 0.6,
        "p_non_inferiority": 0.4,
        "p_non_inferiority_adjusted": 0.4,
        "margin": 0.02,
        "lost": 5,
        "gained": 3,
        "wrong_to_other_wrong": 1,
        "smallest_detectable_difference": 0.08,
        "smallest_provable_margin": 0.045,
        "verdict": "undecided",
        "flags": ["other chat template"],
    }
    return fields | changes


def example(**changes: Any) -> dict[str, Any]:
    score = {"value": 0.5, "ci": [0.4, 0.6], "n_scored": 100, "n_failed": 0, "other_metrics": {"acc,none": 0.4}}
    nothing = {"value": None, "ci": None, "n_scored": 0, "n_failed": 100}
    model = {"role": "base", "source": "./base", "fingerprint": "ab", "backend": "hf", "parameters": 7}
    task = {
        "metric": "acc_norm",
        "n_items": 100,
        "n_shots": 10,
        "chance": 0.25,
        "kind": "choice",
        "lm_eval": "hellaswag",
        "version": "1.0",
        "filter": "none",
        "scores": {"base": score, "plus": score, "sft": nothing},
        "contrasts": {"plus": contrast()},
    }
    fields: dict[str, Any] = {
        "baseline": "base",
        "suite": "mplus",
        "models": {"base": model, "plus": model, "sft": model},
        "tasks": {"hellaswag": task},
        "summary": {
            "base": {"macro_average": 0.5, "ci": [0.4, 0.6]},
            "plus": {
                "macro_average": 0.5,
                "alignment_tax": 0.0,
                "p_value": 1.0,
                "margin": 0.01,
                "verdict": "preserved",
            },
            "sft": {"withheld": "1 of 1 tasks has no score"},
        },
        "missing": [{"model": "sft", "task": "hellaswag", "cause": "out of memory"}],
    }
    return fields | changes


def test_a_comparison_comes_back_as_it_was_written(tmp_path: Path) -> None:
    comparison = Comparison.model_validate(example())
    comparison.write(tmp_path / "comparison.json")
    assert Comparison.read(tmp_path / "comparison.json") == comparison


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Comparison.model_validate(example()).write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_was_not_evaluated_is_absent_from_the_file(tmp_path: Path) -> None:
    Comparison.model_validate(example()).write(tmp_path / "comparison.json")
    stored = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    assert set(stored["summary"]["base"]) == {"macro_average", "ci", "reasons"}
    assert "limit" not in stored


def test_what_has_no_value_is_null_where_the_key_must_be_there(tmp_path: Path) -> None:
    Comparison.model_validate(example()).write(tmp_path / "comparison.json")
    stored = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    score = stored["tasks"]["hellaswag"]["scores"]["sft"]
    assert (score["value"], score["ci"], score["n_failed"]) == (None, None, 100)


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 2}', "no JSON"])
def test_a_file_that_holds_no_comparison_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "comparison.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"is not a comparison of schema version 1 \(.*\)$"):
        Comparison.read(path)


def test_the_published_schema_is_current() -> None:
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == json_schema()


def test_a_stored_comparison_validates_against_the_published_schema(tmp_path: Path) -> None:
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    Comparison.model_validate(example()).write(tmp_path / "comparison.json")
    stored = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(stored)


@pytest.mark.parametrize(
    "wrong",
    [
        {"baseline": 3},
        {"unknown": 1},
        {"tasks": {"x": {}}},
        {"summary": {"plus": {"verdict": "fine"}}},
        {"summary": {"plus": {"p_value": 1.5}}},
        {"missing": [{"model": "sft"}]},
    ],
)
def test_schema_and_record_refuse_the_same(wrong: dict[str, Any]) -> None:
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert not jsonschema.Draft202012Validator(schema).is_valid(json.loads(json.dumps(example(**wrong))))
    with pytest.raises(ValidationError):
        Comparison.model_validate(example(**wrong))


def test_a_verdict_is_one_of_seven_words() -> None:
    words = ["improved", "preserved", "degraded", "undecided", "not informative", "judges disagree", "not comparable"]
    assert [str(verdict) for verdict in Verdict] == words
