import re

from mplus_eval.reports.figures.curves import CurveChart, ModelCurve
from mplus_eval.reports.figures.figure import Figure
from mplus_eval.reports.figures.registry import draw
from mplus_eval.reports.palette import ModelStyle

STYLES = (ModelStyle("base", "base"), ModelStyle("plus", "plus"), ModelStyle("further-1", "star"))


def curves(*, values: tuple[float, ...] = (0.0, 2.0, 4.0), **changed: bool) -> str:
    made = tuple(
        ModelCurve(f"m{n}", style, (1.0, 2.0, 3.0), values, tuple((v, v + 1) for v in values), is_dashed=n == 1)
        for n, style in enumerate(STYLES)
    )
    chart = CurveChart(made, "layer", "share, percent", (2.0, "here"), **changed)
    return draw(Figure("f", "harmlessness", "A finding", "A description.", chart))


def test_curves_name_models_axes_and_the_line() -> None:
    svg = curves()
    for text in ("m0", "m1", "m2", "layer", "share, percent", "here"):
        assert f">{text}<" in svg
    assert not re.findall(r'(?:fill|stroke)="#[0-9a-f]+"', svg)
    assert {"base", "plus", "further-1"} <= set(re.findall(r"var\(--([a-z0-9-]+)\)", svg))


def test_a_curve_that_is_not_to_be_compared_is_dashed() -> None:
    dashed = re.findall(r'<path [^>]*stroke="var\(--plus\)"[^>]*>', curves())
    assert any("stroke-dasharray" in path for path in dashed)


def test_a_logarithmic_scale_has_a_tick_a_power_of_ten() -> None:
    svg = curves(values=(0.001, 0.1, 5.0), is_logarithmic=True)
    for tick in ("0.001", "0.01", "0.1", "1", "10"):
        assert f">{tick}<" in svg


def test_a_logarithmic_scale_shows_five_powers_of_ten_at_most() -> None:
    svg = curves(values=(1e-9, 0.1, 5.0), is_logarithmic=True)
    assert ">0.0001<" in svg
    assert ">0.00001<" not in svg


def test_a_whole_scale_goes_from_nothing_to_all() -> None:
    assert all(f">{tick}<" in curves(is_whole=True) for tick in (0, 25, 50, 75, 100))
