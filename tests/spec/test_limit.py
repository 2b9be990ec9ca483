from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mplus_eval.spec.limit import Limit, LimitField

FIELD: TypeAdapter[Any] = TypeAdapter(LimitField)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (20, Limit(20)),
        ("20", Limit(20)),
        ("first:20", Limit(20, first=True)),
        ("first:007", Limit(7, first=True)),
        (Limit(3), Limit(3)),
        (None, None),
    ],
)
def test_a_limit_is_a_number_or_the_first_ones(given: object, expected: Limit | None) -> None:
    assert FIELD.validate_python(given) == expected


@pytest.mark.parametrize("given", [0, -1, True, 2.5, "", "ten", "0", "-3", "first:", "first:0", "last:3", "20.0", [20]])
def test_anything_else_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        FIELD.validate_python(given)


def test_a_limit_is_written_as_it_is_given() -> None:
    assert [str(Limit(20)), str(Limit(20, first=True))] == ["20", "first:20"]
    assert FIELD.dump_python(Limit(20, first=True)) == "first:20"
    assert FIELD.dump_python(None) is None


def test_a_fingerprint_tells_a_draw_from_the_first_ones_and_from_another_seeds() -> None:
    components = {Limit(20).component(0), Limit(20).component(1), Limit(20, first=True).component(0)}
    assert components == {"20 drawn with seed 0", "20 drawn with seed 1", "20"}
    assert (Limit(20).drawn_by(3), Limit(20, first=True).drawn_by(3)) == (3, None)


def test_a_limit_holds_smaller_ones_of_its_kind() -> None:
    assert Limit(20).holds(Limit(20))
    assert Limit(20).holds(Limit(5))
    assert not Limit(20).holds(Limit(21))
    assert not Limit(20).holds(Limit(5, first=True))
