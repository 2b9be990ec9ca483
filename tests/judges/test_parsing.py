from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_eval.judges.parsing import Choice, read_choice
from mplus_eval.judges.prompt import GRADE, PAIRWISE, Kind
from tests.judges.server import verdict


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"reason": "", "verdict": "A"}', "A"),
        ('\n {"verdict": "B", "reason": "x"} \n', "B"),
        ('```json\n{"reason": "", "verdict": "C"}\n```', "C"),
        ('<think>[[A]] or {"verdict": "A"}?</think>\n{"reason": "", "verdict": "B"}', "B"),
        ("A is better.\n[[A]]", "A"),
        ("A is better.\n\n**[[B]]**\n", "B"),
        ("Verdict: [[C]]", "C"),
        ("My final verdict is: **[[A]]**.", "A"),
        ("[[b]]", "B"),
    ],
)
def test_the_final_field_is_read(reply: str, value: str) -> None:
    choice = read_choice(reply, PAIRWISE)
    assert choice is not None
    assert choice.value == value


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "A",
        "[[A]] is my verdict.",
        "[[A]]\nThat is all.",
        "Assistant B writes: [[B]]",
        "[[D]]",
        "[[A]] [[B]]",
        '{"reason": ""}',
        '{"verdict": "D"}',
        '{"verdict": ["A"]}',
        '{"verdict": "A"} [[B]]',
        '{"verdict": "A", "verdict": "B"}',
        '{"nested": {"verdict": "A"}}',
        'It says {"verdict": "A"}',
        '{"reason": "cut of',
        '["A"]',
        "null",
    ],
)
def test_everything_else_is_no_verdict(reply: str) -> None:
    assert read_choice(reply, PAIRWISE) is None


@pytest.mark.parametrize(("reply", "value"), [('{"reason": "", "grade": 7}', 7), ("Good.\nGrade: [[10]]", 10)])
def test_a_grade_is_a_whole_number(reply: str, value: int) -> None:
    choice = read_choice(reply, GRADE)
    assert choice is not None
    assert choice.value == value


@pytest.mark.parametrize("reply", ['{"grade": "7"}', '{"grade": 7.0}', '{"grade": true}', "[[7.5]]", "[[0]]", "[[11]]"])
def test_a_grade_that_was_not_offered_is_none(reply: str) -> None:
    assert read_choice(reply, GRADE) is None


@pytest.mark.parametrize("reply", ['{"reason": "It is so.", "verdict": "A"}', "It is so.\n[[A]]"])
def test_the_reason_is_kept(reply: str) -> None:
    assert read_choice(reply, PAIRWISE) == Choice("A", "It is so.")


@pytest.mark.parametrize("kind", [PAIRWISE, GRADE])
@pytest.mark.parametrize("bounded", [True, False])
def test_the_schema_takes_what_the_parser_takes(kind: Kind, bounded: bool) -> None:
    import jsonschema

    for choice in kind.choices:
        jsonschema.validate({"reason": "x", kind.field: choice}, kind.schema(bounded=bounded))
    for wrong in ("D", 0, 11, None):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"reason": "x", kind.field: wrong}, kind.schema(bounded=bounded))


def test_only_the_bounded_schema_limits_the_reason() -> None:
    assert "maxLength" in str(PAIRWISE.schema(bounded=True))
    assert "maxLength" not in str(PAIRWISE.schema(bounded=False))


@settings(deadline=None)
@given(st.text(), st.sampled_from("ABC"))
def test_whatever_is_quoted_the_verdict_is_the_judges_own(quoted: str, choice: str) -> None:
    for reply in (verdict(choice, quoted), f"It says: {quoted}\n[[{choice}]]"):
        found = read_choice(reply, PAIRWISE)
        assert found is not None
        assert found.value == choice
