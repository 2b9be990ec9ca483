from __future__ import annotations

from mplus_eval.capability.clusters import Names, joined


def test_a_question_joins_its_items_and_whatever_is_on_their_passages() -> None:
    items = [
        Names("with/p", "1"), Names("with/p", "2"), Names("with/q", "3"),
        Names(None, "1"), Names(None, "3"), Names(None, "4"),
    ]  # fmt: skip
    assert joined(items) == {"with/p": "with/p", "1": "with/p", "2": "with/p", "with/q": "with/q", "3": "with/q"}


def test_two_passages_with_one_question_in_common_are_one_cluster() -> None:
    items = [Names("a/p", "1"), Names("b/p", "2"), Names("b/p", "1"), Names("c/p", "2"), Names("c/q", "9")]
    clusters = joined(items)
    assert {clusters[name] for name in ("a/p", "b/p", "c/p", "1", "2")} == {"a/p"}
    assert clusters["c/q"] == clusters["9"] == "c/q"


def test_what_stands_alone_is_joined_to_nothing() -> None:
    assert joined([Names(None, "1"), Names(None, "2"), Names(), Names("a/p", None)]) == {}
    assert joined([Names(None, "1"), Names(None, "1")]) == {"1": "1"}
