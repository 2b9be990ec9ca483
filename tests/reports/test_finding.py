from __future__ import annotations

from collections.abc import Sequence

import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.finding import Finding, Headline, clauses, settling
from mplus_eval.reports.verdicts import MARKS, NO_VERDICT


def finding(verdict: Verdict | None, word: str = "") -> Finding:
    mark = MARKS[verdict] if verdict else NO_VERDICT
    return Finding("Axis", mark, word or mark.word, verdict=verdict)


def told(*verdicts: Verdict | None, spread: str = "") -> tuple[str, ...]:
    def of_group(group: Sequence[Finding]) -> str:
        return spread

    return clauses({name: finding(verdict) for name, verdict in zip("abcde", verdicts, strict=False)}, of_group)


def test_each_verdict_is_a_clause_with_its_models_in_the_order_of_verdicts() -> None:
    found = told(Verdict.DEGRADED, Verdict.IMPROVED, None, Verdict.IMPROVED, Verdict.JUDGES_DISAGREE)
    assert found == ("b and d are improved", "a is degraded", "the judges disagree on e", "c has no verdict")


def test_what_all_models_share_names_none() -> None:
    assert told(Verdict.PRESERVED, Verdict.PRESERVED, Verdict.PRESERVED) == ("all 3 models are preserved",)
    assert told(Verdict.UNDECIDED, Verdict.UNDECIDED) == ("undecided for any model",)
    assert told(None, None) == ("all 2 models have no verdict",)


def test_one_model_is_named() -> None:
    assert told(Verdict.UNDECIDED) == ("a is undecided",)


def test_figures_follow_verdicts_alone() -> None:
    assert told(Verdict.IMPROVED, None, spread=" (1 to 2)") == ("a is improved (1 to 2)", "b has no verdict")


def test_of_one_verdict_the_word_of_most_models_comes_first() -> None:
    findings = {
        "a": finding(Verdict.IMPROVED, "slightly better"),
        "b": finding(Verdict.IMPROVED),
        "c": finding(Verdict.IMPROVED),
    }
    assert clauses(findings, lambda group: "") == ("b and c are improved", "a is slightly better")


def test_of_many_models_the_first_are_named_and_long_names_are_cut() -> None:
    findings = {f"{letter * 60}": finding(Verdict.IMPROVED) for letter in "abcdef"} | {"g": finding(None)}
    (first, _) = clauses(findings, lambda group: "")
    assert first == f"{'a' * 40} …, {'b' * 40} …, {'c' * 40} … and 3 more models are improved"


def test_a_headline_is_its_first_clause_then_the_others_then_sentences() -> None:
    headline = Headline("Axis", ("a is improved", "b is degraded"), "Facts.", "Settle.", ("But this.",))
    assert (headline.lead, headline.rest) == ("Axis: a is improved", "; b is degraded. Facts. Settle. But this.")
    assert headline.short == "Axis: a is improved; b is degraded. But this."
    assert Headline("Axis", ("a is improved",)).rest == "."


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({}, ""),
        ({"a": None}, ""),
        ({"a": 3140}, "About 3,200 items would settle a."),
        # 4,269 is within a tenth of 4,142, so both are told by the greater; 5,281 is not.
        (
            {"a": 5281, "b": 5253, "c": 4269, "d": 4142},
            "About 4,300 items would settle c and d, about 5,300 all 4.",
        ),
        ({"a": 100, "b": 105}, "About 110 items would settle a and b."),
        # Of c it is not known, so a and b are not all.
        ({"a": 100, "b": 900, "c": None}, "About 100 items would settle a, about 900 a and b."),
    ],
)
def test_what_settles_some_models_and_what_settles_all(needs: dict[str, int | None], said: str) -> None:
    assert settling(needs, "item") == said
