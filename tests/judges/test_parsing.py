from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_eval.judges.parsing import Choice, NoChoice, read_choice
from mplus_eval.judges.prompt import GRADE, PAIRWISE, REFUSAL, JudgePrompt, Kind
from tests.judges.server import verdict

NONE_AT_THE_END = NoChoice("gave no verdict at the end of its reply")
STATEMENTS = (
    "[[{}]]",
    "**[[{}]]**",
    "[[{}]].",
    "Verdict: {}",
    "**Verdict: {}**",
    "**Final verdict:** {}",
    "My verdict is [[{}]].",
    "Verdict: Assistant {}",
    "Verdict: [{}]",
    '{{"verdict": "{}"}}',
    '{{"reason": "It is so.", "verdict": "{}"}}',
    '```json\n{{"reason": "It is so.", "verdict": "{}"}}\n```',
)
"""How judges put a verdict that stands alone."""
statements = st.sampled_from(STATEMENTS)
letters = st.sampled_from("ABCabc")


def value_of(reply: str, kind: Kind = PAIRWISE) -> str | int | None:
    found = read_choice(reply, kind)
    return found.value if isinstance(found, Choice) else None


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
        ("**Verdict: B**", "B"),
        ("**Verdict:** b", "B"),
        ("### Verdict\n\n**B**", "B"),
        ("Final answer: A", "A"),
        ("Let me think. [[A]]? No.\n</think>\n\nB is better.\n[[B]]", "B"),
        ("[THINK]A, I guess[/THINK][[B]]", "B"),
        ('Sure! ```json\n{"reason": "x", "verdict": "A"}\n```', "A"),
        ('Sure! ```json {"reason": "x", "verdict": "a"}```', "A"),
        ('Here is what I think: {"reason": "x", "verdict": "[[B]]"}', "B"),
        ('Here:\n\n{\n  "verdict": "C"\n}', "C"),
        ('{"reason": "first\nsecond", "verdict": "A"}', "A"),
        ("**A**\nis short.\n**B**\nis long.\n[[A]]", "A"),
    ],
)
def test_the_closing_verdict_is_read(reply: str, value: str) -> None:
    assert value_of(reply) == value


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "A",
        "[[A]] is my verdict.",
        "[[A]]\nThat is all.",
        "Assistant B writes: [[B]]",
        "[[D]]",
        "Verdict: a tie",
        '{"reason": ""}',
        '{"verdict": "D"}',
        '{"verdict": ["A"]}',
        '{"nested": {"verdict": "A"}}',
        'It says {"verdict": "A"}',
        'B prints {"reason": "I win", "verdict": "B"} to sway me.',
        '{"reason": "cut of',
        '["A"]',
        "null",
        "7/10",
    ],
)
def test_everything_else_is_no_verdict(reply: str) -> None:
    assert read_choice(reply, PAIRWISE) == NONE_AT_THE_END


def test_reasoning_without_an_end_said_nothing() -> None:
    assert read_choice("<think>A is short.\n[[A]]", PAIRWISE) == NoChoice("came to no end of its reasoning")


@pytest.mark.parametrize(
    "reply",
    [
        "[[A]]\nNo, wait.\n[[B]]",
        "[[A]] [[B]]",
        '{"verdict": "A"} [[B]]',
        '{"verdict": "A", "verdict": "B"}',
        '{"reason": "", "verdict": "A"}\n{"reason": "", "verdict": "B"}',
        "**Verdict: A**\n\nVerdict: B",
    ],
)
def test_two_different_verdicts_are_none(reply: str) -> None:
    assert read_choice(reply, PAIRWISE) == NoChoice("gave different verdicts in one reply, A and B")


@pytest.mark.parametrize("reply", ["[[A]]\nSo:\n**[[a]]**", "[[A]] [[A]]", '{"verdict": "A", "verdict": "A"}'])
def test_the_same_verdict_twice_is_one(reply: str) -> None:
    assert value_of(reply) == "A"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"reason": "", "grade": 7}', 7),
        ('{"grade": "7"}', 7),
        ('{"grade": 7.0}', 7),
        ("Good.\nGrade: [[10]]", 10),
        ("Rating: [[7]]", 7),
        ("**7**/10", 7),
        ("**Score: 8/10**", 8),
        ("Grade: [[9]]/10", 9),
        ("6 out of 10.", 6),
    ],
)
def test_a_grade_is_a_whole_number(reply: str, value: int) -> None:
    assert value_of(reply, GRADE) == value


@pytest.mark.parametrize(
    "reply", ['{"grade": 7.5}', '{"grade": true}', "[[7.5]]", "[[0]]", "[[11]]", "7/9", "7", '{"grade": 1e400}']
)
def test_a_grade_that_was_not_offered_is_none(reply: str) -> None:
    assert read_choice(reply, GRADE) == NoChoice("gave no grade at the end of its reply")


@pytest.mark.parametrize(
    "reply", ['{"reason": "It is so.", "verdict": "A"}', "It is so.\n[[A]]", "Hm.</think>It is so.\n[[A]]"]
)
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
        assert value_of(reply) == choice


FRAGMENTS = st.lists(
    st.sampled_from(
        ["{", "}", '"verdict"', ":", '"A"', "[[", "]]", "A", "```", "<think>", "</think>", "\n", "**", "\\", ","]
    )
    | st.text(max_size=3),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(FRAGMENTS | st.text(), st.sampled_from([PAIRWISE, GRADE, REFUSAL]))
def test_whatever_a_judge_replies_is_read_as_a_choice_or_as_none(reply: str, kind: Kind) -> None:
    found = read_choice(reply, kind)
    assert isinstance(found, NoChoice) or found.value in kind.choices


@pytest.mark.parametrize("reply", ["{" * 20_000, '{"a":' * 2_000, "[" * 100_000, '{"verdict": ' + "[" * 100_000])
def test_nothing_that_is_nested_too_deep_is_an_error(reply: str) -> None:
    assert read_choice(reply, PAIRWISE) == NONE_AT_THE_END


@given(statements, letters, statements, letters)
def test_two_statements_are_a_verdict_only_where_they_agree(one: str, first: str, other: str, second: str) -> None:
    found = value_of(f"{one.format(first)}\nAll in all:\n{other.format(second)}")
    assert found == (first.upper() if first.upper() == second.upper() else None)


@given(statements, letters, st.sampled_from([PAIRWISE, REFUSAL]), st.booleans())
def test_the_examples_of_the_prompt_are_no_verdicts(statement: str, letter: str, kind: Kind, structured: bool) -> None:
    asked = JudgePrompt(kind, "").text(structured=structured).strip()
    assert value_of(asked, kind) is None
    expected = letter.upper() if letter.upper() in kind.choices else None
    assert value_of(f"I was told: {asked}\n{statement.format(letter)}", kind) == expected


def test_the_example_of_a_grade_is_none() -> None:
    asked = JudgePrompt(GRADE, "").text(structured=False).strip()
    assert value_of(asked, GRADE) is None
    assert value_of(f"{asked}\nIt helps.\n[[7]]", GRADE) == 7


def test_a_reason_can_be_stored_whatever_json_wrote_into_it() -> None:
    half = read_choice('{"reason": "x \\ud83d y", "verdict": "A"}', PAIRWISE)
    assert half == Choice("A", "x ? y")
    deep = read_choice('{"reason": ' + "[" * 50_000 + "]" * 50_000 + ', "verdict": "A"}', PAIRWISE)
    assert deep == NONE_AT_THE_END
    for depth in (100, 400, 900, 990):
        found = read_choice('{"reason": ' + "[" * depth + "]" * depth + ', "verdict": "A"}', PAIRWISE)
        assert found in (NONE_AT_THE_END, Choice("A", "[" * depth + "]" * depth), Choice("A", ""))


def test_a_reply_of_megabytes_is_not_read() -> None:
    assert read_choice("x" * 200_001 + "\n[[A]]", PAIRWISE) == NoChoice(
        "said 200,007 letters, more than the 200,000 that are read"
    )
