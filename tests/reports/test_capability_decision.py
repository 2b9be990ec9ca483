from __future__ import annotations

from mplus_eval.records.comparison import Comparison, Summary
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.capability_decision import (
    capability_finding,
    capability_headline,
    capability_measure,
)
from mplus_eval.reports.finding import Headline
from tests.reports import build


def with_summaries(**summaries: Summary) -> Comparison:
    """Models with these verdicts, of which no single task is lost."""
    comparison = build.of_size(len(summaries) + 1, 2)
    names = dict(zip(comparison.models, ("base", *summaries), strict=True))
    tasks = {
        task: entry.model_copy(
            update={"contrasts": {names[name]: build.contrast(0.0, 0.1, Verdict.UNDECIDED) for name in entry.contrasts}}
        )
        for task, entry in comparison.tasks.items()
    }
    changed = {
        "baseline": "base",
        "models": {name: build.model("m") for name in names.values()},
        "tasks": tasks,
        "summary": {"base": Summary(macro_average=0.55, ci=(0.54, 0.56)), **summaries},
    }
    return comparison.model_copy(update=changed)


def headline(comparison: Comparison) -> Headline:
    others = [name for name in comparison.models if name != "base"]
    return capability_headline({name: capability_finding(name, comparison) for name in others}, comparison)


def undecided(tax: float, items: int | None = None, detectable: float | None = 0.013) -> Summary:
    return build.summary(
        0.5, tax, 0.01, Verdict.UNDECIDED, items_to_settle=items, smallest_detectable_difference=detectable
    )


def test_a_cell_has_the_difference_with_minus_for_a_loss() -> None:
    found = capability_finding("sft", build.full())
    assert (found.mark.letter, found.word, found.value, found.interval) == ("−", "degraded", "−3.2", "[−3.8, −2.6]")
    assert found.href == "#matrix"


def test_a_gain_within_the_margin_is_called_small() -> None:
    small, large = (build.summary(0.5, -gain, 0.004, Verdict.IMPROVED) for gain in (0.008, 0.012))
    comparison = with_summaries(small=small, large=large)
    assert [capability_finding(name, comparison).word for name in ("small", "large")] == [
        "slightly improved",
        "improved",
    ]


def test_a_withheld_suite_gives_its_cause_and_no_figure() -> None:
    found = capability_finding("chosen", build.full())
    assert (found.word, found.value) == ("no verdict", "")
    assert found.reason == "drop failed; it is given over all 11 tasks or not at all"


def test_what_is_not_comparable_gives_its_reason() -> None:
    withheld = build.summary(0.5, 0.1, 0.01, Verdict.NOT_COMPARABLE, reasons=("asked otherwise.", "more", "yet more"))
    found = capability_finding("plus", with_summaries(plus=withheld))
    assert (found.word, found.reason) == ("not comparable", "asked otherwise and 2 more reasons")


def test_a_task_that_was_lost_leads_to_the_items_that_were() -> None:
    (note,) = capability_finding("instruct", build.full()).notes
    assert (note.text, note.is_warning) == ("degraded on drop (−2.9) and 2 more tasks", True)
    assert note.href == "#items?task=drop&model=instruct&show=lost"


def test_nothing_settled_is_told_with_what_was_measured_and_what_would_settle() -> None:
    comparison = with_summaries(
        instruct=undecided(0.004, 6300),
        sft=undecided(0.005, 6100),
        chosen=undecided(0.008, 3100, 0.02),
        plus=undecided(0.011, 3200),
    )
    told = headline(comparison)
    assert told.lead == "Capability: not settled for any model"
    # Two tasks of 1,000 pairs each.
    assert told.rest == (
        ". Measured loss: 0.4 to 1.1 points; 2,000 items can only show losses of 1.3 points or more. About 3,200 items "
        "would settle chosen and plus, about 6,300 all 4."
    )


def test_where_not_all_lost_differences_are_told() -> None:
    told = headline(with_summaries(sft=undecided(0.005), plus=undecided(-0.002, detectable=None)))
    assert told.facts.startswith("Measured difference: −0.5 to +0.2 points; 2,000 items")
    assert headline(with_summaries(plus=undecided(-0.002, detectable=None))).facts == (
        "Measured difference: +0.2 points."
    )


def test_losses_come_first_and_each_verdict_has_its_figures() -> None:
    comparison = with_summaries(
        plus=build.summary(0.5, 0.0002, 0.003, Verdict.PRESERVED),
        sft=build.summary(0.5, 0.032, 0.006, Verdict.DEGRADED),
        chosen=build.summary(0.5, 0.021, 0.006, Verdict.DEGRADED),
        instruct=undecided(0.006),
    )
    assert headline(comparison).clauses == (
        "sft and chosen are degraded (−3.2 to −2.1 points)",
        "plus is preserved (0.0 points [−0.3, +0.3])",
        "instruct is not settled",
    )


def test_single_tasks_that_were_lost_are_told_where_the_suite_does_not_say_so() -> None:
    (told,) = headline(build.full()).warnings
    assert told == ("But single tasks are degraded: drop (instruct −2.9), mmlu (instruct −1.6) and 2 more tasks.")


def test_the_measure_says_of_what_the_points_are() -> None:
    assert capability_measure(build.full()) == "points from base (58.0 %) [95 % CI]"
    assert capability_measure(build.full().model_copy(update={"level": 0.1, "summary": {}})) == (
        "points from base [90 % CI]"
    )
