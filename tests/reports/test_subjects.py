import pytest

from mplus_eval.reports.subjects import heat, subject_tables
from mplus_eval.reports.tables import ModelLabel
from tests.reports import build


@pytest.mark.parametrize(
    ("difference", "css"),
    [(0.0, "heat-0"), (-0.009, "heat-0"), (0.01, "gain-1"), (-0.03, "loss-2"), (0.07, "gain-3"), (-0.5, "loss-3")],
)
def test_shades_step_at_one_three_and_six_points(difference: float, css: str) -> None:
    assert heat(difference) == css


def test_only_tasks_with_subjects_have_a_table_and_stars_mark_what_stands() -> None:
    comparison = build.full()
    (found,) = subject_tables(comparison, {name: ModelLabel(name, "m", "base") for name in comparison.models})
    assert found.title == "mmlu: 4 subjects"
    # sft lost 8.2 points on astronomy, 3.5 on anatomy, 1.0 on abstract algebra and nothing on world religions.
    names = [row.header.text for row in found.table.rows]
    assert names == ["astronomy", "anatomy", "abstract algebra", "world religions"]
    astronomy = found.table.rows[0]
    assert astronomy.anchor == "subject-mmlu-mmlu_astronomy"
    assert [cell.text for cell in astronomy.cells] == ["102", "70.0", "+3.2", "−8.2*", "–", "−0.6"]
