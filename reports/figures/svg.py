"""matplotlib's SVG made fit for the page: colours as CSS variables, text as text, no style attributes.

The page's Content-Security-Policy forbids style attributes, so every declaration becomes a presentation attribute. Each
token is drawn in a colour of its own that stands for it, and is replaced by `var(--token)` here.
"""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from mplus_eval.reports.palette import DARK, LIGHT, declarations

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_STAND_IN = 0xAB0000
_COLOURS = {name: f"#{_STAND_IN + place:06x}" for place, name in enumerate(LIGHT)}
_VARIABLES = {colour: f"var(--{name})" for name, colour in _COLOURS.items()}
FONT = "system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, Liberation Sans, Arial, sans-serif"
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mplus-eval",
    "font.size": 11,
    "path.simplify": False,
    "text.parse_math": False,
}


def colour(token: str) -> str:
    """The colour that stands for a token while a figure is drawn."""
    return _COLOURS[token]


def to_svg(drawing: Drawing, name: str, label: str) -> str:
    """Write a drawing as an SVG element that can be put into a page.

    Args:
        drawing: a figure sized at 72 units an inch, drawn under `SETTINGS` in stand-in colours.
        name: prefix of every id, so that several figures fit into one page.
        label: what the figure shows, for who cannot see it.
    """
    text = StringIO()
    drawing.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    root = ElementTree.fromstring(text.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        for declaration in element.attrib.pop("style", "").split(";"):
            key, separator, value = declaration.partition(":")
            if separator:
                element.attrib |= _attributes(key.strip(), value.strip())
        if _XLINK in element.attrib:
            element.attrib["href"] = element.attrib.pop(_XLINK)
        for key, value in list(element.attrib.items()):
            if key == "id":
                element.attrib[key] = f"{name}-{value}"
            elif value.startswith("#") and key == "href":
                element.attrib[key] = f"#{name}-{value[1:]}"
            else:
                named = re.sub(r"url\(#", f"url(#{name}-", value)
                element.attrib[key] = re.sub(r"#[0-9a-f]{6}", lambda hit: _VARIABLES.get(hit[0], hit[0]), named)
    width, height = (size.removesuffix("pt") for size in (root.attrib["width"], root.attrib["height"]))
    root.attrib.clear()
    root.attrib |= {"viewBox": f"0 0 {width} {height}", "class": "f", "role": "img", "aria-label": label}
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(root, encoding="unicode")


def standalone(svg: str) -> str:
    """An inlined SVG as a file of its own, on its own ground, light or dark by the reader's preference."""
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", svg)) | {"bg"}
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0]
    opening, rest = svg.split(">", 1)
    light, dark = (
        declarations({name: value for name, value in tokens.items() if name in used}) for tokens in (LIGHT, DARK)
    )
    sheet = f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    ground = f'<style>{sheet}</style><rect width="{width}" height="{height}" fill="var(--bg)" />'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{opening} width="{width}" height="{height}">{ground}{rest}\n'


def _attributes(key: str, value: str) -> dict[str, str]:
    """A CSS declaration as presentation attributes; `font` is a shorthand that has none."""
    if key == "font-size":
        return {key: value.removesuffix("px")}
    if key == "font-family":
        return {key: FONT}
    if key != "font":
        return {key: value}
    size = re.search(r"([\d.]+)px", value)
    weight = re.search(r"\b(700|bold)\b", value)
    attributes = {"font-size": size[1] if size else "11", "font-family": FONT}
    return attributes | ({"font-weight": "600"} if weight else {})
