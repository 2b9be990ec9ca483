from __future__ import annotations

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.spec.judges import ACCEPTED, EXAMPLES, KINDS, REFUSAL_EXAMPLES, judge_kind


def test_messages_list_every_form_and_the_help_an_example_of_most_kinds() -> None:
    forms = "referee, reward, reward:PATH, llm:MODEL@http://HOST:PORT/v1, human:FILE.csv or function:MODULE:NAME"
    assert forms == ACCEPTED
    assert EXAMPLES == "reward:PATH, llm:MODEL@URL, human:FILE"
    assert REFUSAL_EXAMPLES == "llm:MODEL@URL"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("referee", "reward"),
        ("reward", "reward"), ("reward:", "reward"), ("reward:./human", "reward"), ("human:a.csv", "human"),
        ("llm:human@http://host/v1", "llm"), ("llm:org/name:tag@http://host:8000/v1", "llm"),
        ("function:human:judge", "function"),
    ],
)  # fmt: skip
def test_a_judge_is_of_the_kind_in_front_of_the_colon(source: str, name: str) -> None:
    assert judge_kind(source).name == name


@pytest.mark.parametrize(
    "source", ["", "people", "human", "human:", "llm:judge", "function:n_words", "rewards:./a", "referee:./a"]
)
def test_what_is_no_judge_is_told_what_is_accepted(source: str) -> None:
    with pytest.raises(SpecError) as caught:
        judge_kind(source)
    assert caught.value.faults == (f"judge {source!r}: accepted: {ACCEPTED}",)


def test_people_see_a_file_and_language_models_do_more_than_compare() -> None:
    assert [kind.name for kind in KINDS if kind.people] == ["human"]
    assert [kind.name for kind in KINDS if kind.grades and kind.tells_refusals] == ["llm"]
