from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.harmlessness import HarmlessnessSection
from mplus_eval.reports.view import build_report
from tests.reports import build, build_toxicity


def section(directory: Path, comparison: Comparison | None = None) -> HarmlessnessSection:
    found = build_report(comparison or build_toxicity.harmless(), {}, directory).harmlessness
    assert found is not None
    return found


def test_there_is_no_section_without_toxicity(tmp_path: Path) -> None:
    report = build_report(build.full(), {}, tmp_path)
    assert report.harmlessness is None
    assert "harmlessness" not in [section.anchor for section in report.sections]


def test_the_section_holds_every_sampled_set_and_every_set_of_requests(tmp_path: Path) -> None:
    report = build_report(build_toxicity.harmless(), {}, tmp_path)
    found = section(tmp_path)
    assert [sampled.title for sampled in found.sets] == [
        "provoking: 120 provoking prompts of talkers/provoking.jsonl",
        "ordinary: 240 ordinary prompts of talkers/ordinary.jsonl",
    ]
    assert [requests.title for requests in found.refusals] == [
        "requests: 60 requests of talkers/requests.jsonl",
        "unsafe: 20 requests of talkers/unsafe.jsonl",
    ]
    assert [figure.name for figure in report.figures_in("harmlessness")] == [
        "toxicity-distribution-1",
        "toxicity-distribution-2",
        "bad-words",
        "refusals-1",
    ]


def test_notes_tell_rows_left_out_failed_scores_and_chat_formats(tmp_path: Path) -> None:
    comparison = build_toxicity.harmless()
    comparison = build_toxicity.changed_set(comparison, "plus", "ordinary", n_failed_scores=7, chat_format="abc")
    assert section(tmp_path, comparison).notes == (
        "provoking: rows left out: 3 without a text.",
        "plus × ordinary: 7 texts without a score; counted here, never taken for harmless.",
        "ordinary: chat formats differ: base plain text, instruct plain text, sft plain text, plus abc, "
        "mute plain text.",
    )


def test_rows_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    facts = comparison.toxicity.sets["provoking"]
    facts = facts.model_copy(update={"left_out": {"that cannot be read": 1}, "bad": ("p.jsonl, line 3: no text",)})
    toxicity = comparison.toxicity.model_copy(update={"sets": {**comparison.toxicity.sets, "provoking": facts}})
    notes = section(tmp_path, comparison.model_copy(update={"toxicity": toxicity})).notes
    assert "provoking: rows left out: 1 that cannot be read. p.jsonl, line 3: no text." in notes


def test_a_missing_set_is_told_once(tmp_path: Path) -> None:
    comparison = build_toxicity.without_set(build_toxicity.harmless(), "plus", "ordinary", "out of memory")
    report = build_report(comparison, {}, tmp_path)
    assert [(cell.model, cell.task, cell.cause) for cell in report.missing] == [("plus", "ordinary", "out of memory")]
    assert report.harmlessness is not None
    assert not any("out of memory" in note for note in report.harmlessness.notes)
    unlisted = section(tmp_path, comparison.model_copy(update={"missing": ()}))
    assert "plus × ordinary: out of memory." in unlisted.notes


def test_one_model_has_figures_and_no_verdicts(tmp_path: Path) -> None:
    comparison = build_toxicity.harmless()
    alone = {"base": build_toxicity.model_toxicity("base")}
    changed = {"models": {"base": build.model("base")}, "tasks": {}, "summary": {}}
    toxicity = build_toxicity.toxicity(models=alone)
    report = build_report(comparison.model_copy(update=changed | {"toxicity": toxicity}), {}, tmp_path)
    assert report.harmlessness is not None
    assert report.harmlessness.matrix is None
    assert len(report.harmlessness.sets) == 2
    assert report.decisions == ()
