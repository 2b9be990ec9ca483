import re

from mplus_eval.reports.figures.figure import Bar, Figure
from mplus_eval.reports.figures.registry import draw
from mplus_eval.reports.figures.scatter import Path, Point, ScatterChart
from mplus_eval.reports.palette import ModelStyle

STYLES = (ModelStyle("base", "base"), ModelStyle("plus", "plus"), ModelStyle("further-1", "star"))


def scatter(**changed: bool) -> str:
    points = tuple(
        Point(f"m{n}", style, Bar(n, (n - 1, n + 1)), Bar(2.0 * n, (n, 3.0 * n)), is_hollow=n == 2)
        for n, style in enumerate(STYLES)
    )
    chart = ScatterChart(points, "across", "upwards", "right and low", ((0.0, 2.0), (1.0, 1.0)), **changed)
    return draw(Figure("f", "tax", "A finding", "A description.", chart))


def test_a_whole_scale_goes_from_nothing_to_all() -> None:
    assert all(f">{tick}<" in scatter(is_whole=True) for tick in (0, 25, 50, 75, 100))


def test_a_scatter_plot_names_the_better_corner_and_its_axes() -> None:
    svg = scatter()
    for text in ("across", "upwards", "↘ better: right and low", "m0"):
        assert f">{text}<" in svg


def test_a_hollow_mark_is_filled_with_the_ground() -> None:
    assert 'fill="var(--bg)"' in scatter()


def test_a_path_is_a_line_through_its_steps_between_the_ends_that_have_a_place() -> None:
    steps = tuple(Point(f"p@{n}", STYLES[1], Bar(n, None), Bar(3.0 - n, None), is_hollow=n == 2) for n in (1.0, 2.0))
    path = Path(STYLES[1], steps, start=(0.0, 3.0))
    assert path.places == [(0.0, 3.0), (1.0, 2.0), (2.0, 1.0)]
    points = (Point("m0", STYLES[0], Bar(0.0, None), Bar(3.0, None)),)
    chart = ScatterChart(points, "across", "upwards", "right and low", paths=(path,))
    bare = ScatterChart(points, "across", "upwards", "right and low")
    drawn, without = (draw(Figure("f", "tax", "A finding", "A description.", each)) for each in (chart, bare))
    assert "var(--plus)" not in without
    # A dot for each step; the one that is not comparable is hollow.
    dots = [use for use in re.findall("<use [^>]*>", drawn) if 'stroke="var(--plus)"' in use]
    assert [re.findall(' fill="([^"]*)"', dot) for dot in dots] == [["var(--plus)"], ["var(--bg)"]]
