from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_eval.errors import UsageError
from mplus_eval.spec.draft import draft_spec
from mplus_eval.spec.model import MODEL_KEYS, ModelSpec, is_url, parse_model, thinking_texts


def test_a_model_on_the_command_line_has_a_name_a_source_and_keys() -> None:
    name, fields = parse_model("plus=./runs/plus,role=plus,batch_size=8,trust_remote_code=True")
    assert name == "plus"
    assert fields == {"source": "./runs/plus", "role": "plus", "batch_size": "8", "trust_remote_code": True}


def test_a_source_may_hold_an_equals_sign() -> None:
    assert parse_model("a=http://host/v1?key=value")[1] == {"source": "http://host/v1?key=value"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base", "write NAME=SOURCE"),
        ("base=", "write NAME=SOURCE"),
        ("base=./x,y", "'y' is not key=value"),
        ("base=./x,role=a,role=b", "key 'role' is given twice"),
        ("base=./x,source=./y", "key 'source' is given twice"),
    ],
)
def test_what_is_no_model_is_refused_with_the_way_to_write_it(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=r".") as caught:
        parse_model(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="abc=,./:1"), st.text(alphabet="abc=,"))
def test_any_text_is_either_a_model_or_a_usage_error(name: str, rest: str) -> None:
    try:
        parsed, fields = parse_model(f"{name}={rest}")
    except UsageError:
        return
    assert f"{name}={rest}".startswith(f"{parsed}={fields['source']}")


def test_the_role_is_the_one_given_or_a_name_that_is_one() -> None:
    roles = [
        ModelSpec(name=name, source="x", role=role).model_role
        for name, role in [("base", "sft"), ("base", ""), ("mine", "")]
    ]
    assert roles == ["sft", "base", "model"]


@pytest.mark.parametrize(
    ("source", "expected"), [("http://h:1/v1", True), ("https://h/v1", True), ("httpd/name", False), ("./a", False)]
)
def test_a_servers_address_is_told_by_its_scheme(source: str, expected: bool) -> None:
    assert is_url(source) is expected


def test_a_name_a_source_and_a_trajectory_are_no_keys_of_the_command_line() -> None:
    assert set(ModelSpec.model_fields) - set(MODEL_KEYS) == {"name", "source", "trajectory", "step"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<think>…</think>", ("<think>", "</think>")),
        ("[THINK]...[/THINK]", ("[THINK]", "[/THINK]")),
        ("Hm... so…Thus:", ("Hm... so", "Thus:")),
        ("auto", None),
        ("<think>", None),
        ("…</think>", None),
        ("<think>…", None),
        ("x…x", None),
        ("a…b…c", None),
    ],
)
def test_the_texts_around_reasoning_are_two_that_differ(value: str, expected: tuple[str, str] | None) -> None:
    assert thinking_texts(value) == expected


@pytest.mark.parametrize("value", ["yes", "<think>", "…", False])
def test_what_names_no_texts_around_reasoning_is_refused_in_one_line(value: object) -> None:
    _, faults = draft_spec({"a": {"source": "./a", "thinking": value}})
    accepted = "auto, none, or the two texts around reasoning as START…END, as <think>…</think>"
    assert faults == [f"model 'a': thinking {value!r}: {accepted}"]
