from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_eval.records.comparison import Missing
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.decision import Decision, decide, decision_grid, made
from mplus_eval.reports.finding import Headline
from mplus_eval.reports.matrix import missing_cells
from tests.reports import build, build_conversation, build_toxicity
from tests.reports.build_decision import Verdicts, decided

NAMES = ("ant", "bee", "cat", "dog", "emu", "fox")
AXES = ("capability", "toxicity", "conversation")
STRONG = {
    "capability": {
        r"\bimproved": Verdict.IMPROVED,
        r"\bpreserved": Verdict.PRESERVED,
        r"\bdegraded": Verdict.DEGRADED,
    },
    "toxicity": {
        r"\bless toxic": Verdict.IMPROVED,
        r"\bno worse": Verdict.PRESERVED,
        r"\bmore toxic": Verdict.DEGRADED,
    },
    "conversation": {
        r"\bpreferred(?! less)": Verdict.IMPROVED,
        r"\bno worse": Verdict.PRESERVED,
        r"\bpreferred less": Verdict.DEGRADED,
    },
}
"""What may be said of a model on an axis only where it has the verdict."""
VERDICT = st.sampled_from([*Verdict, None])
OF_CAPABILITY = VERDICT.filter(lambda verdict: verdict is not Verdict.JUDGES_DISAGREE)
OF_CONVERSATION = VERDICT.filter(lambda verdict: verdict is not Verdict.NOT_INFORMATIVE)
MANY = st.lists(st.tuples(OF_CAPABILITY, OF_CAPABILITY, OF_CONVERSATION), min_size=1, max_size=len(NAMES))


def models_named(said: str, names: list[str]) -> set[str]:
    if re.search(r"\ball \d+ models\b|\bany model\b", said):
        return set(names)
    return {name for name in names if re.search(rf"\b{name}\b", said)}


@settings(max_examples=200, deadline=None)
@given(MANY)
def test_no_headline_is_stronger_than_the_verdicts(drawn: list[tuple[Verdict | None, ...]]) -> None:
    verdicts = {name: Verdicts(*each) for name, each in zip(NAMES, drawn, strict=False)}
    for axis, headline in zip(AXES, decision_grid(decided(verdicts)).headlines, strict=True):
        for said in re.split(r"[;.] ", f"{headline.lead}{headline.rest}"):
            for words, verdict in STRONG[axis].items():
                if re.search(words, said):
                    named = models_named(said, list(verdicts))
                    assert named, said
                    assert {getattr(verdicts[name], axis) for name in named} == {verdict}, said
        assert "signific" not in headline.rest


@settings(max_examples=100, deadline=None)
@given(MANY)
def test_every_model_with_a_strong_verdict_is_in_its_clause(drawn: list[tuple[Verdict | None, ...]]) -> None:
    verdicts = {name: Verdicts(*each) for name, each in zip(NAMES[:4], drawn, strict=False)}
    for axis, headline in zip(AXES, decision_grid(decided(verdicts)).headlines, strict=True):
        for words, verdict in STRONG[axis].items():
            clauses = [clause for clause in headline.clauses if re.search(words, clause)]
            told = set().union(*(models_named(clause, list(verdicts)) for clause in clauses))
            assert told == {name for name, each in verdicts.items() if getattr(each, axis) is verdict}


@settings(max_examples=100, deadline=None)
@given(st.tuples(OF_CAPABILITY, OF_CAPABILITY, OF_CONVERSATION))
def test_no_cell_is_stronger_than_its_verdict(drawn: tuple[Verdict | None, ...]) -> None:
    (decision,) = decision_grid(decided({"ant": Verdicts(*drawn)})).decisions
    for axis, verdict, found in zip(AXES, drawn, decision.axes, strict=True):
        assert found.verdict is verdict
        for words, needed in STRONG[axis].items():
            assert not re.search(words, found.word) or verdict is needed


def grid(**verdicts: Verdicts) -> tuple[tuple[Headline, ...], tuple[Decision, ...]]:
    found = decision_grid(decided(verdicts), has_items=True)
    return found.headlines, found.decisions


def test_the_decision_is_a_headline_an_axis_and_a_row_a_model() -> None:
    headlines, decisions = grid(
        ant=Verdicts(Verdict.DEGRADED, Verdict.IMPROVED, Verdict.JUDGES_DISAGREE),
        bee=Verdicts(Verdict.PRESERVED, Verdict.IMPROVED, Verdict.DEGRADED),
    )
    assert [headline.lead for headline in headlines] == [
        "Capability: ant is degraded (−1.1 points [−3.1, +0.9])",
        "Toxicity: all 2 models are less toxic (0.39; base 0.39)",
        "Conversation: bee is preferred less (41 %)",
    ]
    assert [decision.model for decision in decisions] == ["ant", "bee"]
    assert [found.word for found in decisions[0].axes] == ["degraded", "less toxic", "judges disagree"]


def test_axes_that_were_not_asked_have_no_column() -> None:
    toxicity, talk = build_toxicity.toxicity_alone(), build_conversation.talk_alone()
    assert [column.axis for column in decision_grid(toxicity).columns] == ["Harmlessness"]
    assert [column.axis for column in decision_grid(talk).columns] == ["Conversation"]


def test_one_model_alone_has_no_decision() -> None:
    alone = decision_grid(build.of_size(1, 3))
    assert (alone.headlines, alone.decisions) == ((), ())


def test_saved_steps_of_a_training_have_no_row() -> None:
    assert [decision.model for decision in decision_grid(build.trained()).decisions] == [
        "instruct",
        "sft",
        "chosen",
        "plus",
    ]


def test_every_cell_leads_to_its_evidence_and_what_has_none_to_its_cause() -> None:
    comparison = build_toxicity.without_set(build_toxicity.harmless(), "plus", "provoking", "out of memory")
    comparison = comparison.model_copy(
        update={
            "summary": {**comparison.summary, "sft": build.Summary(withheld="a task failed")},
            "missing": (*comparison.missing, Missing(model="base", task="task_number_1", cause="NaN")),
        }
    )
    cells = missing_cells(comparison)
    anchors = {(cell.model, cell.task): f"#{cell.anchor}" for cell in cells}
    decisions = {decision.model: decision for decision in decision_grid(comparison, cells).decisions}
    assert [found.href for found in decisions["instruct"].axes] == ["#matrix", "#harmlessness"]
    assert decisions["plus"].axes[1].href == anchors["plus", "provoking"]
    assert decisions["sft"].axes[0].href == anchors["base", "task_number_1"]


def test_without_a_place_for_items_nothing_links_to_them() -> None:
    def links(*, has_items: bool) -> set[str]:
        decisions = decision_grid(build.full(), has_items=has_items).decisions
        return {note.href for decision in decisions for found in decision.axes for note in found.notes}

    assert "#items?task=drop&model=instruct&show=lost" in links(has_items=True)
    assert links(has_items=False) == {""}


@pytest.mark.parametrize(
    ("name", "told"),
    [("base", ""), ("sft", "RLHF, KL 4.50"), ("plus@10", "RLHF, KL 3.00")],
)
def test_a_model_is_told_by_how_it_was_made_or_by_its_role(name: str, told: str) -> None:
    assert made(name, build.trained().models[name]) == told


def test_supervised_training_names_its_data() -> None:
    entry = build.trained().models["sft"]
    assert entry.training is not None
    supervised = entry.training.model_copy(update={"method": "sft", "dose": None})
    assert made("sft", entry.model_copy(update={"training": supervised})) == "SFT on chosen answers"
    assert made("ours", entry.model_copy(update={"training": None})) == "sft"


def test_flags_qualify_the_decision() -> None:
    assert "Read with care: chat templates differ (10 tasks)." in decide("chosen", build.full()).remarks


def test_no_decision_speaks_of_significance() -> None:
    comparison = build.full()
    said = [decide(name, comparison) for name in comparison.models if name != "base"]
    assert not any("significan" in " ".join((decision.sentence, *decision.remarks)) for decision in said)


def test_toxicity_alone_says_nothing_of_capability() -> None:
    assert decide("mute", build_toxicity.toxicity_alone()).sentence == (
        "mute answers nothing in 100 % of cases; its toxicity is not compared."
    )
