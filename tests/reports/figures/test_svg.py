from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing

from mplus_eval.reports.figures.svg import SETTINGS, colour, standalone, to_svg


@pytest.fixture
def svg() -> str:
    with mpl.rc_context(SETTINGS):
        drawing = Drawing(figsize=(1, 1), dpi=72)
        FigureCanvasSVG(drawing)
        axes = drawing.add_axes((0, 0, 1, 1))
        axes.plot([0, 1], color=colour("plus"))
        axes.text(0, 0, "a < $b$", color=colour("ink"), weight="bold")
        return to_svg(drawing, "one", 'say "x" & <y>')


def test_colours_become_variables(svg: str) -> None:
    assert 'stroke="var(--plus)"' in svg
    assert 'fill="var(--ink)"' in svg
    assert "#ab00" not in svg


def test_nothing_the_content_policy_forbids_is_left(svg: str) -> None:
    assert " style=" not in svg
    assert "<style" not in svg


def test_text_stays_text(svg: str) -> None:
    texts = [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]
    assert "a < $b$" in texts


def test_ids_carry_the_name_of_the_figure_and_references_follow(svg: str) -> None:
    root = ElementTree.fromstring(svg)
    ids = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
    references = {element.attrib["href"][1:] for element in root.iter() if "href" in element.attrib}
    assert all(name.startswith("one-") for name in ids)
    assert references
    assert references <= ids


def test_the_label_is_kept_for_who_cannot_see(svg: str) -> None:
    attributes = ElementTree.fromstring(svg).attrib
    assert (attributes["role"], attributes["aria-label"]) == ("img", 'say "x" & <y>')


def test_a_file_of_its_own_defines_its_colours_for_light_and_dark(svg: str) -> None:
    text = standalone(svg)
    ElementTree.fromstring(text.encode())
    assert "--plus:#007b4c" in text
    assert "@media(prefers-color-scheme:dark){:root{" in text
    assert "--plus:#2eeba0" in text
    assert "--sft" not in text
