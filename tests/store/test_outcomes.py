from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import PartInfo, read_columns, read_part, write_part


def answer(**columns: Any) -> Answer:
    return Answer(
        **{"item_id": "sums/0", "stratum": "sums", "sample": 0, "prompt": "?", "prompt_hash": "00", **columns}
    )


@pytest.mark.parametrize("kind", [Answer, Outcome])
def test_a_record_has_a_field_for_each_column(kind: type[Answer]) -> None:
    assert {field.name for field in fields(kind)} == set(kind.SCHEMA.names)


def test_the_columns_of_an_outcome_begin_with_those_of_its_answer() -> None:
    assert Outcome.SCHEMA.names[: len(Answer.SCHEMA.names)] == Answer.SCHEMA.names


def test_what_a_column_must_hold_a_record_must_be_given() -> None:
    required = {field.name for field in Answer.SCHEMA if not field.nullable}
    assert vars(answer()) == {**dict.fromkeys(Answer.SCHEMA.names), **{name: vars(answer())[name] for name in required}}
    for name in required:
        columns = {key: value for key, value in vars(answer()).items() if key != name}
        with pytest.raises(TypeError, match=name):
            Answer(**columns)


@pytest.mark.parametrize(("generations", "text"), [(None, None), ([], None), (["a"], "a"), ([""], "")])
def test_the_text_is_the_generation_where_there_is_one(generations: list[str] | None, text: str | None) -> None:
    assert answer(generations=generations).text == text


def test_an_outcome_is_an_answer_with_its_score() -> None:
    given = answer(generations=["4"], n_truncated=2, cluster="sums/a")
    outcome = Outcome.of(given, target="4", answer="4", score=1.0, metrics={"acc,none": 1.0})
    assert {name: value for name, value in vars(outcome).items() if name in vars(given)} == vars(given)
    assert (outcome.target, outcome.answer, outcome.score, outcome.metrics) == ("4", "4", 1.0, {"acc,none": 1.0})


def test_an_error_of_scoring_stands_and_that_of_the_answer_where_there_is_none() -> None:
    assert Outcome.of(answer(error="the server hung up")).error == "the server hung up"
    assert Outcome.of(answer(error="the server hung up"), error="no score").error == "no score"
    assert Outcome.of(answer()).error is None


def test_answers_are_stored_without_a_score(tmp_path: Path) -> None:
    outcome = Outcome.of(answer(log_probabilities=[-1.5, -0.25]), score=1.0)
    write_part(tmp_path / "part", Answer, [outcome], PartInfo("f", {}, 0, 1))
    assert "score" not in read_columns(tmp_path / "part").column_names
    assert read_part(tmp_path / "part", Answer) == [answer(log_probabilities=[-1.5, -0.25])]
