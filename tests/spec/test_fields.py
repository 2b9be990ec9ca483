from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mplus_eval.spec.fields import Fields, Name, Positive, WholeNumber


class Shelf(Fields):
    books: Positive = 1


def test_a_value_never_changes() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Shelf().books = 2


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Shelf.model_validate({"bookz": 1})


@pytest.mark.parametrize(("kind", "accepted", "refused"), [(Positive, 1, 0), (WholeNumber, 0, -1)])
def test_a_number_has_a_lower_end_and_is_no_truth_value(kind: Any, accepted: int, refused: int) -> None:
    number: TypeAdapter[int] = TypeAdapter(kind)
    assert number.validate_python(accepted) == accepted
    with pytest.raises(ValidationError, match="greater than"):
        number.validate_python(refused)
    with pytest.raises(ValidationError, match="a number is expected"):
        number.validate_python(True)


@pytest.mark.parametrize("name", ["a", "7B", "mistral-plus_1.0", "a" * 100])
def test_a_name_that_can_be_a_path_is_accepted(name: str) -> None:
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", ".a", "a/b", "a b", "ä", "a" * 101])
def test_a_name_that_cannot_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="string_pattern_mismatch"):
        TypeAdapter(Name).validate_python(name)
