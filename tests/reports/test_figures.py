import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.canvas import fitted, text_width
from mplus_eval.reports.figures import draw
from mplus_eval.reports.view import build_report
from tests.reports import build


def drawn(directory: Path, n_models: int = 4, n_tasks: int = 5) -> dict[str, str]:
    report = build_report(build.of_size(n_models, n_tasks), {}, directory)
    return {figure.name: draw(figure) for figure in report.figures}


def test_the_same_data_give_the_same_figure(tmp_path: Path) -> None:
    assert drawn(tmp_path) == drawn(tmp_path)


def test_every_kind_of_figure_is_drawn_in_variables_only(tmp_path: Path) -> None:
    figures = drawn(tmp_path)
    assert set(figures) == {"differences-model-1", "differences-model-2", "differences-model-3",
                            "alignment-tax", "radar", "scores"}  # fmt: skip
    for svg in figures.values():
        assert not re.findall(r'(?:fill|stroke)="#[0-9a-f]+"', svg)


def test_text_is_readable_at_328_units(tmp_path: Path) -> None:
    for svg in drawn(tmp_path).values():
        root = ElementTree.fromstring(svg)
        assert root.attrib["viewBox"].split()[2] == "328"
        sizes = [float(e.attrib["font-size"]) for e in root.iter() if "font-size" in e.attrib]
        assert min(sizes) >= 11


def test_labels_name_every_task_and_axes_have_units(tmp_path: Path) -> None:
    svg = drawn(tmp_path)["differences-model-1"]
    assert all(f">task_number_{number}<" in svg for number in range(5))
    assert "difference from model-0, points" in svg


@pytest.mark.parametrize("verdict", ["improved", "preserved", "degraded", "undecided", "not comparable"])
def test_every_verdict_has_a_mark(verdict: str, tmp_path: Path) -> None:
    comparison = build.of_size(2, 3)
    tasks = {
        name: task.model_copy(
            update={
                "contrasts": {"model-1": task.contrasts["model-1"].model_copy(update={"verdict": Verdict(verdict)})}
            }
        )
        for name, task in comparison.tasks.items()
    }
    report = build_report(comparison.model_copy(update={"tasks": tasks}), {}, tmp_path)
    token = {"not comparable": "undecided"}.get(verdict, verdict)
    assert f"var(--{token})" in draw(report.forests[0])


def test_a_long_name_loses_its_middle() -> None:
    name = "a_very_long_name_of_a_task_that_nobody_can_fit"
    short = fitted(name, 100)
    assert text_width(short) <= 100
    assert short.startswith("a_very")
    assert short.endswith("fit")
    assert "…" in short


def test_a_short_name_stays_whole() -> None:
    assert fitted("arc_challenge", 128) == "arc_challenge"
