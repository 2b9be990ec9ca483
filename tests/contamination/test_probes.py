from __future__ import annotations

from mplus_eval.contamination.item_texts import ItemText
from mplus_eval.contamination.probes import N_VERSIONS, ProbeSettings, probe


def items(n: int, choices: tuple[str, ...] = (), name: str = "a") -> list[ItemText]:
    listed = "".join(f"\n{choice}" for choice in choices)
    return [ItemText(f"{name}/{number}", None, f"{name} {number}?{listed}\n", " yes", choices) for number in range(n)]


def everything(_: str) -> bool:
    return True


def test_every_row_has_as_many_texts() -> None:
    made = probe({"a": items(60, ("x", "y", "z"))}, everything, ProbeSettings())
    assert {len(row) for row in made.rows["order"].texts} == {21}
    assert {len(row) for row in made.rows["min_k"].texts} == {N_VERSIONS + 1}
    assert made.rows["min_k"].texts[0][0] == "a 0?\nx\ny\nz\n"
    assert made.withheld == {}


def test_subtasks_take_turns_and_no_more_is_asked_than_was_said() -> None:
    made = probe({"a": items(60), "b": items(60, name="b")}, everything, ProbeSettings(n_shards=3, n_orders=4))
    assert [row[0][0] for row in made.rows["order"].texts] == ["a", "b", "a"]
    assert {len(row) for row in made.rows["order"].texts} == {5}
    some = probe({"a": items(60, ("x", "y", "z"))}, everything, ProbeSettings(n_items=4))
    assert [row[0].split("?")[0] for row in some.rows["min_k"].texts] == ["a 0", "a 15", "a 30", "a 45"]


def test_a_test_that_a_task_does_not_allow_is_withheld_with_the_reason() -> None:
    made = probe({"a": items(3)}, everything, ProbeSettings())
    assert made.rows == {}
    assert made.withheld == {
        "order": "no 4 neighbouring items fit into 1,024 tokens",
        "min_k": "its questions list no choices, and no paraphrases are given",
    }


def test_most_questions_of_two_choices_have_one_other_version() -> None:
    mixed = [*items(9, ("yes", "no")), *items(2, ("x", "y", "z"), "b")]
    made = probe({"a": mixed}, everything, ProbeSettings())
    assert {len(row) for row in made.rows["min_k"].texts} == {2}
    assert len(made.rows["min_k"].texts) == 11


def test_paraphrases_take_the_place_of_other_orders() -> None:
    made = probe({"a": items(60, ("x", "y", "z"))}, everything, ProbeSettings(), {"a/3": "Say it otherwise?"})
    assert made.rows["min_k"].texts == (("a 3?\nx\ny\nz\n", "Say it otherwise?"),)
    assert made.rows["min_k"].reference == "paraphrases"


def test_the_same_seed_gives_the_same_texts() -> None:
    first, second, other = (probe({"a": items(60)}, everything, ProbeSettings(seed)) for seed in (1, 1, 2))
    assert first == second
    assert first != other
