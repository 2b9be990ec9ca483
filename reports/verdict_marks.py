"""A verdict's mark in a figure: the same shapes and signs as in the page's tables."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.path import Path as Outline

from mplus_eval.reports.svg import colour

MARKERS = {"improved": "o", "preserved": "s", "degraded": "D", "undecided": "o", "not comparable": "s", "failed": "x"}
VERDICT_TOKENS = {"improved": "improved", "preserved": "preserved", "degraded": "degraded"}
_BARS = Outline([(-1, 0.65), (1, 0.65), (-1, -0.65), (1, -0.65)], [1, 2, 1, 2])
_SIGNS: dict[str, Any] = {"improved": "+", "degraded": "_", "preserved": _BARS, "not comparable": "x"}


def verdict_ink(verdict: str) -> str:
    """The colour that stands for a verdict while a figure is drawn."""
    return colour(VERDICT_TOKENS.get(verdict, "undecided"))


def verdict_mark(axes: Axes, x: float, y: float, verdict: str, ink: str) -> None:
    """The verdict's shape: filled and signed, or open where nothing was shown."""
    marker, is_open = MARKERS[verdict], verdict in ("undecided", "not comparable")
    ground = colour("bg")
    size = 8.5 if marker == "D" else 10
    face, sign_ink, edge = (ground, ink, 1.3) if is_open else (ink, ground, 0)
    both: Any = {"ls": "", "color": ink, "clip_on": False}
    axes.plot([x], [y], marker=marker, ms=size, mfc=face, mec=ink, mew=edge, zorder=4, **both)
    if sign := _SIGNS.get(verdict):
        size = 4.4 if verdict == "preserved" else 5.6
        axes.plot([x], [y], marker=sign, ms=size, mfc="none", mec=sign_ink, mew=1.3, zorder=5, **both)
