import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.figures.registry import draw
from mplus_eval.reports.verdicts import MARKS
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


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_a_mark_of_its_own(verdict: Verdict, tmp_path: Path) -> None:
    comparison = build.of_size(2, 3)
    tasks = {}
    for name, task in comparison.tasks.items():
        contrast = task.contrasts["model-1"].model_copy(update={"verdict": verdict})
        tasks[name] = task.model_copy(update={"contrasts": {"model-1": contrast}})
    report = build_report(comparison.model_copy(update={"tasks": tasks}), {}, tmp_path)
    (forest,) = report.figures_in("differences")
    svg = draw(forest)
    assert f"var(--{MARKS[verdict].ink})" in svg
    others = [mark for other, mark in MARKS.items() if other is not verdict]
    assert all((mark.marker, mark.sign) != (MARKS[verdict].marker, MARKS[verdict].sign) for mark in others)


def test_a_figures_name_keeps_its_ids_apart_from_others(tmp_path: Path) -> None:
    figure = build_report(build.of_size(4, 5), {}, tmp_path).figures[0]
    ids = [set(re.findall(r'id="([^"]+)"', draw(replace(figure, name=name)))) for name in ("a", "b")]
    assert ids[0]
    assert not ids[0] & ids[1]
