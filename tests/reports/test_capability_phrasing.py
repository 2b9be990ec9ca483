from mplus_eval.records.comparison import Summary
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.capability_phrasing import suite_remarks, suite_sentence
from tests.reports import build


def say(summary: Summary, contrasts: dict[str, Contrast] | None = None, name: str = "plus") -> str:
    return suite_sentence(name, "base", summary, contrasts or {})


def losses(**points: float) -> dict[str, Contrast]:
    return {task: build.contrast(size / 100, 0.005) for task, size in points.items()}


def test_preserved_says_that_the_model_keeps_what_the_baseline_knew() -> None:
    summary = build.summary(0.5, 0.003, 0.004, Verdict.PRESERVED)
    assert say(summary) == "plus keeps what base knew: −0.3 points (95 % −0.7 to +0.1), inside the margin of 1."


def test_preserved_with_a_shown_loss_says_its_size() -> None:
    summary = build.summary(0.5, 0.004, 0.003, Verdict.PRESERVED, p_value=0.01)
    assert say(summary) == "plus keeps what base knew within the margin of 1: it lost 0.4 points (0.1 to 0.7)."


def test_preserved_with_a_large_uncertain_gain_does_not_call_it_inside_the_margin() -> None:
    summary = build.summary(0.5, -0.015, 0.017, Verdict.PRESERVED, p_value=0.08)
    assert say(summary) == (
        "plus keeps what base knew: +1.5 points (95 % −0.2 to +3.2), a loss over the margin of 1 is ruled out."
    )


def test_degraded_names_the_tasks_that_hold_most_of_the_loss() -> None:
    summary = build.summary(0.5, 0.024, 0.008, Verdict.DEGRADED)
    contrasts = losses(mmlu=-1.0, gsm8k=-5.0, bbh=-3.0, drop=-2.0, race=0.5, arc=-0.5)
    assert say(summary, contrasts, "sft") == "sft lost 2.4 points (1.6 to 3.2); most of it in gsm8k and bbh."


def test_degraded_says_most_of_it_of_more_than_half_only() -> None:
    summary = build.summary(0.5, 0.02, 0.01, Verdict.DEGRADED)
    contrasts = losses(a=-2.0, b=-2.1, c=-2.2, d=-1.9, e=-1.8, f=-2.3, g=-1.9)
    assert say(summary, contrasts, "sft") == (
        "sft lost 2.0 points (1.0 to 3.0), spread over the tasks; the largest losses are in f, c and b."
    )


def test_degraded_on_a_single_task_names_none() -> None:
    assert say(build.summary(0.5, 0.02, 0.01, Verdict.DEGRADED), losses(a=-2)) == "plus lost 2.0 points (1.0 to 3.0)."


def test_undecided_says_what_could_be_shown() -> None:
    summary = build.summary(0.5, 0.006, 0.013, Verdict.UNDECIDED)
    contrasts = {"a": build.contrast(0, 0.1, n_pairs=1000), "b": build.contrast(0, 0.1, n_pairs=150)}
    assert say(summary, contrasts, "instruct") == (
        "instruct: −0.6 points (−1.9 to +0.7). These 1,150 items cannot tell; they could show a loss of 1.8 or more."
    )


def test_undecided_without_a_detectable_difference_claims_none() -> None:
    summary = build.summary(0.5, 0.006, 0.013, Verdict.UNDECIDED, smallest_detectable_difference=None)
    contrasts = {"a": build.contrast(0, 0.1, n_pairs=1)}
    assert say(summary, contrasts) == "plus: −0.6 points (−1.9 to +0.7). This 1 item cannot tell."


def test_undecided_says_how_many_items_would_settle_it() -> None:
    summary = build.summary(0.5, 0.006, 0.013, Verdict.UNDECIDED, items_to_settle=3140)
    contrasts = {"a": build.contrast(0, 0.1, n_pairs=1150)}
    said = "they could show a loss of 1.8 or more. About 3,200 items would settle it."
    assert say(summary, contrasts).endswith(said)
    unknown = summary.model_copy(update={"smallest_detectable_difference": None})
    assert say(unknown, contrasts).endswith("These 1,150 items cannot tell. About 3,200 items would settle it.")


def test_improved_says_the_gain() -> None:
    assert say(build.summary(0.5, -0.012, 0.007, Verdict.IMPROVED)) == "plus gained 1.2 points (0.5 to 1.9)."


def test_not_comparable_gives_the_reason() -> None:
    summary = build.summary(0.5, 0, 0.1, Verdict.NOT_COMPARABLE, reasons=("it answers nothing in 97 % of cases",))
    assert say(summary, name="mute") == "mute is not compared with base: it answers nothing in 97 % of cases."


def test_a_withheld_verdict_gives_the_reason() -> None:
    assert say(Summary(withheld="drop failed")) == "plus has no verdict over the suite: drop failed."


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
