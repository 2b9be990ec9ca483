from __future__ import annotations

import json

import pytest
from pydantic import Field, ValidationError

from mplus_eval.records.base import Record


class Small(Record):
    value: float | None
    note: str | None = None
    names: tuple[str, ...] = ()
    inner: Record | None = Field(default=None, description="another one")


def test_what_was_not_evaluated_is_left_out_of_json_and_a_key_that_must_be_there_is_null() -> None:
    assert json.loads(Small(value=None).model_dump_json()) == {"value": None, "names": []}
    assert Small(value=None).model_dump() == {"value": None, "note": None, "names": (), "inner": None}


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_no_json_holds_what_json_cannot_say(value: float) -> None:
    assert json.loads(Small(value=value).model_dump_json()) == {"value": None, "names": []}


def test_a_record_is_frozen_and_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Small(value=1.0).value = 2.0  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        Small.model_validate({"value": 1.0, "nothing": 2})


def test_the_published_schema_tells_what_a_field_is() -> None:
    properties = Small.model_json_schema(mode="serialization")["properties"]
    assert properties["inner"]["description"] == "another one"
