from pathlib import Path

import pytest

from mplus_eval.reports.view import build_report
from tests.reports import build, build_toxicity


def anchors(n_models: int, n_tasks: int, directory: Path) -> list[str]:
    return [section.anchor for section in build_report(build.of_size(n_models, n_tasks), {}, directory).sections]


def test_one_model_has_scores_only(tmp_path: Path) -> None:
    assert anchors(1, 11, tmp_path) == ["matrix", "tasks", "methods", "manifest"]


def test_one_model_on_one_task_has_no_figures(tmp_path: Path) -> None:
    assert anchors(1, 1, tmp_path) == ["matrix", "tasks", "methods", "manifest"]


@pytest.mark.parametrize(("n_models", "n_tasks"), [(2, 1), (5, 11)])
def test_only_sections_with_data_appear(n_models: int, n_tasks: int, tmp_path: Path) -> None:
    present = anchors(n_models, n_tasks, tmp_path)
    assert ("differences" in present, "tax" in present) == (n_tasks > 2, n_models > 3)
    assert not {"harmlessness", "conversation", "training", "pairs", "items", "missing", "subjects"} & set(present)


def test_the_title_names_who_is_compared(tmp_path: Path) -> None:
    titles = [build_report(comparison, {}, tmp_path).title for comparison in (build.full(), build.of_size(12, 1))]
    assert titles == ["instruct, sft, chosen and plus compared with base", "11 models compared with model-0"]


def test_the_strip_counts_cells_and_links_to_the_missing(tmp_path: Path) -> None:
    fields = {field.name: field for field in build_report(build.full(), build.MANIFEST, tmp_path).fields}
    assert (fields["Evaluations"].value, fields["Evaluations"].href) == ("54 of 55 complete, 1 missing", "#missing")
    assert fields["Date"].value == "2026-11-25"
    assert fields["Suite"].value == "mplus, 11 tasks, 55,051 items"


def test_prompt_sets_are_counted_among_cells_and_named_in_the_strip(tmp_path: Path) -> None:
    comparison = build_toxicity.without_set(build_toxicity.harmless(), "plus", "ordinary", "out of memory")
    report = build_report(comparison, {}, tmp_path)
    fields = {field.name: field.value for field in report.fields}
    assert fields["Suite"] == "small, 3 tasks, 1,200 items, 5 prompt sets, 840 prompts"
    # Five models on three tasks and five sets.
    assert fields["Evaluations"] == "39 of 40 complete, 1 missing"
    assert report.margins.endswith("2 points (one task), 0.02 (toxicity).")


def test_toxicity_alone_has_no_sections_of_capability(tmp_path: Path) -> None:
    report = build_report(build_toxicity.toxicity_alone(), {}, tmp_path)
    assert [section.anchor for section in report.sections] == [
        "decision",
        "matrix",
        "harmlessness",
        "methods",
        "manifest",
    ]
    assert report.matrix is None
    assert [axis.axis for axis in report.decisions[0].axes] == ["Harmlessness"]


def test_the_legend_explains_the_marks_of_toxicity(tmp_path: Path) -> None:
    words = [entry.mark.word for entry in build_report(build_toxicity.toxicity_alone(), {}, tmp_path).legend]
    assert words == ["improved", "preserved", "degraded", "undecided", "not comparable"]
