from mplus_eval.reports.decision import decide
from tests.reports import build, build_toxicity


def test_flags_qualify_the_decision() -> None:
    assert "Read with care: chat templates differ (10 tasks)." in decide("chosen", build.full()).remarks


def test_the_axis_carries_verdict_and_figure() -> None:
    (axis,) = decide("sft", build.full()).axes
    assert (axis.axis, axis.mark.word, axis.detail) == ("Capability", "degraded", "−3.2 [−3.8, −2.6]")


def test_no_decision_speaks_of_significance() -> None:
    comparison = build.full()
    said = [decide(name, comparison) for name in comparison.models if name != "base"]
    assert not any("significan" in " ".join((decision.sentence, *decision.remarks)) for decision in said)


def test_toxicity_alone_says_nothing_of_capability() -> None:
    assert decide("mute", build_toxicity.toxicity_alone()).sentence == (
        "mute answers nothing in 100 % of cases; its toxicity is not compared."
    )
