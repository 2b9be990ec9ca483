"""Colours and shapes: the page's tokens for light and dark, and how a model looks everywhere it stands.

Colour never speaks alone: a model has a shape and its name, a verdict a mark and a word (`verdicts`). Blue and orange,
never green and red.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi, sin

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.verdicts import VERDICTS

Vertices = tuple[tuple[float, float], ...]

_PAIRS = {
    "bg": ("#fcfcfb", "#14171a"),
    "surface": ("#f3f3f1", "#1e2226"),
    "ink": ("#1b1f23", "#e6e8ea"),
    "muted": ("#555c63", "#a6aeb6"),
    "line": ("#d8dadb", "#343a40"),
    "strong": ("#858c92", "#7b858e"),
    "link": ("#0b5cad", "#7fb8f0"),
    **{told.mark.key: told.colours for told in VERDICTS.values() if told.colours},
    **{f"{told.mark.key}-tint": told.tint for told in VERDICTS.values() if told.tint},
    "loss-3": ("#efb48f", "#7a3f18"),
    "loss-2": ("#f6cfb6", "#5c3014"),
    "loss-1": ("#fae6da", "#3a2416"),
    "gain-1": ("#e2edf8", "#182a3d"),
    "gain-2": ("#c3daf0", "#1c3e60"),
    "gain-3": ("#9cc2e8", "#22548a"),
    "base": ("#3d4852", "#c4ccd4"),
    "instruct": ("#8a22c8", "#b87ad6"),
    "sft": ("#985a0a", "#f2b544"),
    "chosen": ("#560a1c", "#dd6a84"),
    "plus": ("#007b4c", "#2eeba0"),
    "further-1": ("#00707a", "#4fd0dc"),
    "further-2": ("#b3127d", "#ff8ad0"),
    "further-3": ("#5c6b00", "#c3d15a"),
    "further-4": ("#3b3fb6", "#a3a6ff"),
    "further-5": ("#7a4a2b", "#d6a98a"),
    "further-6": ("#c01f3a", "#ff8595"),
    "further-7": ("#4f6272", "#9fb4c6"),
    "further-8": ("#2d6b2f", "#86d086"),
    "further-9": ("#7b5a8e", "#cdb0e0"),
    "further-10": ("#12355b", "#8fb7e6"),
    "further-11": ("#a13f94", "#f0a6e6"),
    "further-12": ("#6e6200", "#e6d27a"),
}

LIGHT = {name: light for name, (light, _) in _PAIRS.items()}
DARK = {name: dark for name, (_, dark) in _PAIRS.items()}


def _regular(corners: int, turn: float = 0.0, radius: float = 1.0) -> Vertices:
    angles = [2 * pi * corner / corners + turn for corner in range(corners)]
    return tuple((round(radius * sin(angle), 3), round(radius * cos(angle), 3)) for angle in angles)


def _star(points: int, inner: float) -> Vertices:
    outside, inside = _regular(points), _regular(points, pi / points, inner)
    return tuple(vertex for pair in zip(outside, inside, strict=True) for vertex in pair)


_CROSS: Vertices = (
    (-0.35, 1), (0.35, 1), (0.35, 0.35), (1, 0.35), (1, -0.35), (0.35, -0.35),
    (0.35, -1), (-0.35, -1), (-0.35, -0.35), (-1, -0.35), (-1, 0.35), (-0.35, 0.35),
)  # fmt: skip

ROLE_SHAPES: dict[str, Vertices] = {
    "base": _regular(24, radius=0.85),
    "instruct": _regular(4, pi / 4, 1.05),
    "sft": _regular(3, 0, 1.1),
    "chosen": _regular(3, pi, 1.1),
    "plus": _regular(4, 0, 1.1),
}
FURTHER_SHAPES: dict[str, Vertices] = {
    "pentagon": _regular(5),
    "star": _star(5, 0.42),
    "left": _regular(3, -pi / 2, 1.1),
    "right": _regular(3, pi / 2, 1.1),
    "hexagon": _regular(6),
    "cross": _CROSS,
    "hourglass": ((-0.9, 0.95), (0.9, 0.95), (-0.9, -0.95), (0.9, -0.95)),
    "sparkle": _star(4, 0.4),
    "tall": ((0, 1.2), (0.6, 0), (0, -1.2), (-0.6, 0)),
    "bow": ((-0.95, 0.9), (-0.95, -0.9), (0.95, 0.9), (0.95, -0.9)),
    "house": ((0, 1.1), (0.9, 0.2), (0.9, -0.9), (-0.9, -0.9), (-0.9, 0.2)),
    "oblique": tuple((round(0.71 * (x - y), 3), round(0.71 * (x + y), 3)) for x, y in _CROSS),
}
SHAPES = ROLE_SHAPES | FURTHER_SHAPES
PATHS = {
    name: f"M{'L'.join(f'{round(4.5 * x, 2):g} {round(-4.5 * y, 2):g}' for x, y in corners)}Z"
    for name, corners in SHAPES.items()
}
"""The shapes as data of SVG paths, 9 units wide, y downwards."""
FURTHER = tuple(name for name in LIGHT if name.startswith("further-"))
MODEL_TOKENS = (*ROLE_SHAPES, *FURTHER)


@dataclass(frozen=True)
class ModelStyle:
    """How one model looks: a colour token and a shape."""

    token: str
    shape: str


def model_styles(comparison: Comparison) -> dict[str, ModelStyle]:
    """Give every model a style of its own.

    The first model of a known role has the role's style, and a baseline without one looks like a base; the others take
    the further colours and shapes in order, so that no two models share both.
    """
    styles: dict[str, ModelStyle] = {}
    for name, model in comparison.models.items():
        of_role = ModelStyle(model.role, model.role)
        if model.role in ROLE_SHAPES and of_role not in styles.values():
            styles[name] = of_role
    base = ModelStyle("base", "base")
    if comparison.baseline not in styles and base not in styles.values():
        styles[comparison.baseline] = base
    others = [name for name in comparison.models if name not in styles]
    shapes = tuple(FURTHER_SHAPES)
    for place, name in enumerate(others):
        turn, colour = divmod(place, len(FURTHER))
        styles[name] = ModelStyle(FURTHER[colour], shapes[(colour + turn) % len(shapes)])
    return styles


def declarations(tokens: Mapping[str, str]) -> str:
    """Tokens as CSS declarations."""
    return "".join(f"--{name}:{value};" for name, value in tokens.items())
