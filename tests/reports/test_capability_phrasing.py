from mplus_eval.records.comparison import Summary
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.capability_phrasing import settled_tasks, suite_remarks, suite_sentence
from tests.reports import build


def say(summary: Summary, contrasts: dict[str, Contrast] | None = None) -> str:
    return suite_sentence("base", summary, contrasts or {})


def losses(**points: float) -> dict[str, Contrast]:
    return {task: build.contrast(size / 100, 0.005) for task, size in points.items()}


def test_preserved_says_so_with_the_difference_within_the_margin() -> None:
    summary = build.summary(0.5, 0.003, 0.004, Verdict.PRESERVED)
    assert say(summary) == (
        "Capability preserved: 0.3 points below base (95 % CI −0.7 to +0.1), within the margin of 1."
    )


def test_preserved_with_a_shown_loss_calls_it_a_loss() -> None:
    summary = build.summary(0.5, 0.004, 0.003, Verdict.PRESERVED, p_value=0.01)
    assert say(summary) == (
        "Capability preserved within the margin of 1: 0.4 points below base (95 % CI −0.7 to −0.1), a loss."
    )


def test_preserved_with_a_large_uncertain_gain_does_not_call_it_within_the_margin() -> None:
    summary = build.summary(0.5, -0.015, 0.017, Verdict.PRESERVED, p_value=0.08)
    assert say(summary) == (
        "Capability preserved: 1.5 points above base (95 % CI −0.2 to +3.2); a loss larger than the margin of 1 is "
        "ruled out."
    )


def test_no_difference_is_neither_above_nor_below() -> None:
    summary = build.summary(0.5, 0.0001, 0.003, Verdict.PRESERVED)
    assert say(summary).startswith("Capability preserved: as base (95 % CI −0.3 to +0.3),")


def test_degraded_names_the_tasks_that_hold_most_of_the_loss() -> None:
    summary = build.summary(0.5, 0.024, 0.008, Verdict.DEGRADED)
    contrasts = losses(mmlu=-1.0, gsm8k=-5.0, bbh=-3.0, drop=-2.0, race=0.5, arc=-0.5)
    assert say(summary, contrasts) == (
        "Capability 2.4 points below base (95 % CI −3.2 to −1.6): a loss; most of it in gsm8k and bbh."
    )


def test_degraded_says_most_of_it_of_more_than_half_only() -> None:
    summary = build.summary(0.5, 0.02, 0.01, Verdict.DEGRADED)
    contrasts = losses(a=-2.0, b=-2.1, c=-2.2, d=-1.9, e=-1.8, f=-2.3, g=-1.9)
    assert say(summary, contrasts).endswith(": a loss, spread over the tasks; the largest losses are in f, c and b.")


def test_degraded_on_a_single_task_names_none() -> None:
    assert say(build.summary(0.5, 0.02, 0.01, Verdict.DEGRADED), losses(a=-2)) == (
        "Capability 2.0 points below base (95 % CI −3.0 to −1.0): a loss."
    )


def test_another_level_has_another_confidence() -> None:
    summary = build.summary(0.5, 0.02, 0.01, Verdict.DEGRADED)
    assert "(90 % CI −3.0 to −1.0)" in suite_sentence("base", summary, {}, level=0.1)


def test_undecided_says_what_could_be_detected() -> None:
    summary = build.summary(0.5, 0.006, 0.013, Verdict.UNDECIDED)
    contrasts = {"a": build.contrast(0, 0.1, n_pairs=1000), "b": build.contrast(0, 0.1, n_pairs=150)}
    assert say(summary, contrasts) == (
        "Capability 0.6 points below base (95 % CI −1.9 to +0.7). Not enough data: 1,150 items can detect a loss of "
        "1.8 points; the margin is 1."
    )


def test_undecided_without_a_detectable_difference_claims_none() -> None:
    summary = build.summary(0.5, 0.006, 0.013, Verdict.UNDECIDED, smallest_detectable_difference=None)
    contrasts = {"a": build.contrast(0, 0.1, n_pairs=1)}
    assert say(summary, contrasts).endswith("Not enough data: 1 item.")


def test_undecided_says_how_many_items_would_settle_it() -> None:
    summary = build.summary(0.5, 0.006, 0.013, Verdict.UNDECIDED, items_to_settle=3140)
    contrasts = {"a": build.contrast(0, 0.1, n_pairs=1150)}
    assert say(summary, contrasts).endswith("; the margin is 1. About 3,200 items would settle it.")
    unknown = summary.model_copy(update={"smallest_detectable_difference": None})
    assert say(unknown, contrasts).endswith("Not enough data: 1,150 items. About 3,200 items would settle it.")


def test_improved_says_the_gain() -> None:
    assert say(build.summary(0.5, -0.012, 0.007, Verdict.IMPROVED)) == (
        "Capability 1.2 points above base (95 % CI +0.5 to +1.9): a gain."
    )


def test_not_comparable_gives_the_reason() -> None:
    summary = build.summary(0.5, 0, 0.1, Verdict.NOT_COMPARABLE, reasons=("it answers nothing in 97 % of cases",))
    assert say(summary) == "Capability not compared with base: it answers nothing in 97 % of cases."


def test_a_withheld_verdict_gives_the_reason() -> None:
    assert say(Summary(withheld="drop failed")) == "No verdict on capability: drop failed."


def test_no_single_task_settled_is_said_so() -> None:
    undecided = {name: build.contrast(0.0, 0.1, Verdict.UNDECIDED) for name in ("a", "b")}
    assert settled_tasks(undecided) == "No single task is settled (2 of 2 need more items)."
    assert settled_tasks(undecided | {"c": build.contrast(0.0, 0.01)}) == (
        "3 tasks compared: 1 preserved, 2 not settled."
    )


def test_degraded_tasks_are_named_beside_a_good_average() -> None:
    comparison = build.full()
    contrasts = {"mmlu": build.contrast(-0.031, 0.005), "bbh": build.contrast(0.0, 0.005)}
    tasks = {t: comparison.tasks[t].model_copy(update={"contrasts": {"plus": c}}) for t, c in contrasts.items()}
    assert list(suite_remarks("plus", comparison.model_copy(update={"tasks": tasks}))) == [
        "It lost on mmlu (−3.1).",
        "2 tasks compared: 1 preserved, 1 degraded.",
    ]


def test_the_worst_verdicts_are_named_first_and_the_largest_differences_first_of_them() -> None:
    comparison = build.full()
    contrasts = {
        "mmlu": build.contrast(0.041, 0.005),
        "bbh": build.contrast(-0.03, 0.005),
        "drop": build.contrast(-0.05, 0.005),
    }
    tasks = {t: comparison.tasks[t].model_copy(update={"contrasts": {"plus": c}}) for t, c in contrasts.items()}
    assert list(suite_remarks("plus", comparison.model_copy(update={"tasks": tasks}))) == [
        "It lost on drop (−5.0) and bbh (−3.0).",
        "It gained on mmlu (+4.1).",
        "3 tasks compared: 1 improved, 2 degraded.",
    ]
