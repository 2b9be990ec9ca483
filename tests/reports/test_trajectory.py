from __future__ import annotations

from pathlib import Path

from mplus_eval.records.comparison import Missing
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.trajectory import without_steps
from mplus_eval.reports.view import build_report
from tests.reports import build
from tests.reports.figures.test_trajectory import toxic_steps


def test_saved_steps_stand_in_the_trajectory_only(tmp_path: Path) -> None:
    comparison = build.trained()
    report = build_report(comparison, {}, tmp_path)
    plain = build_report(build.full(), {}, tmp_path)
    assert report.models == plain.models
    assert (report.fields, report.matrix) == (plain.fields, plain.matrix)
    assert [decision.axes for decision in report.decisions] == [decision.axes for decision in plain.decisions]
    assert without_steps(build.full()) == build.full()


def test_the_missing_cell_of_a_step_is_listed_and_not_counted(tmp_path: Path) -> None:
    comparison = build.trained()
    lost = Missing(model="plus@10", task="mmlu", cause="out of memory")
    report = build_report(comparison.model_copy(update={"missing": (*comparison.missing, lost)}), {}, tmp_path)
    assert "plus@10" in [cell.model for cell in report.missing]
    assert report.fields == build_report(build.full(), {}, tmp_path).fields


def test_saved_steps_are_no_part_of_the_section_on_harmlessness(tmp_path: Path) -> None:
    report = build_report(toxic_steps(Verdict.NOT_COMPARABLE), {}, tmp_path)
    assert report.harmlessness is not None
    assert [column.model for column in report.harmlessness.sets[0].summary.columns[1:]] == ["base", "plus"]
    assert report.harmlessness.withheld == ()
