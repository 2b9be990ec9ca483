import re
from itertools import combinations

from mplus_eval.reports.anchors import LONGEST, anchor, items_link
from tests.reports import build


def test_a_name_fit_for_an_id_stands_in_it_as_it_is() -> None:
    assert anchor("task", "arc_easy") == "task-arc_easy"
    assert anchor("model", "llama-3.1-8B") == "model-llama-3.1-8B"
    assert anchor("subject", "mmlu", "anatomy") == "subject-mmlu-anatomy"


def test_any_name_gives_an_id_of_safe_characters() -> None:
    for name in (build.HOSTILE, "a b", "", "\ud800", "é", "x" * 5000, '"><script>'):
        found = anchor("task", name)
        assert re.fullmatch(r"[A-Za-z0-9._-]+", found)
        assert len(found) <= LONGEST + 20


def test_different_names_give_different_ids() -> None:
    names = [("a", "b-c"), ("a-b", "c"), ("a", "b c"), ("a", "b/c"), ("a b", "c"), ("a", "B-c"), ("x" * 90, ""),
             ("x" * 91, "")]  # fmt: skip
    assert all(anchor("subject", *one) != anchor("subject", *other) for one, other in combinations(names, 2))


def test_a_link_to_items_escapes_what_would_end_a_part_of_it() -> None:
    assert items_link("a&b=c", "plus", "lost") == "#items?task=a%26b%3Dc&model=plus&show=lost"
    assert items_link("\ud800", "plus", "lost") == "#items?task=%3F&model=plus&show=lost"
