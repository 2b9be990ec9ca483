from __future__ import annotations

import random
from collections import Counter

from mplus_eval.demo import everyday


def test_a_situation_ends_in_its_own_ending() -> None:
    endings = dict(everyday.SITUATIONS)
    for number, (opening, ending) in enumerate(everyday.SITUATIONS):
        question = everyday.situation(random.Random(number), number)
        assert question.answer == f"{endings[opening]}." == f"{ending}."
        assert question.answer not in question.distractors


def test_common_situations_come_up_far_more_often_than_rare_ones() -> None:
    rng = random.Random(0)
    counts = Counter(everyday.situation(rng).answer for _ in range(5000))
    assert counts[f"{everyday.SITUATIONS[0][1]}."] > 20 * counts[f"{everyday.SITUATIONS[-1][1]}."] > 0


def test_a_tool_is_that_for_the_purpose() -> None:
    for number, (purpose, tool) in enumerate(everyday.TOOLS):
        question = everyday.tool(random.Random(0), number)
        assert purpose in question.prompt
        assert question.answer == tool


def test_what_is_too_big_is_the_thing_and_what_is_too_small_the_container() -> None:
    for seed in range(300):
        found = everyday.referent_of_things(random.Random(seed))
        first = found.before.split()[1]
        assert (found.answer == first) == (found.clause in ("was too big.", "was too hard."))
        assert {found.answer, found.other} == {first, found.before.split(" because")[0].split()[-1]}


def test_a_clause_about_names_tells_the_one_from_the_other() -> None:
    answers = {"had helped so much.": 1, "had got so much help.": 0, "was very cold.": 1, "could swim well.": 0}
    seen = set()
    for seed in range(500):
        found = everyday.referent_of_names(random.Random(seed))
        if found.clause in answers:
            seen.add(found.clause)
            named = [word for word in found.before.split() if word[0].isupper()]
            assert found.answer == named[answers[found.clause]]
    assert seen == set(answers)
