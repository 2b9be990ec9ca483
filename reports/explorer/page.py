"""What the pages take of the explorer: its script and style, and what is said of its size once a report is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from mplus_eval.reports.explorer.explorer import Explorer

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
ITEMS_PAGE = "items.html"
SCRIPTS = ("text", "store", "diff", "search", "list", "item", "main")
"""The script's files, each of which uses those before it."""


@dataclass(frozen=True)
class WrittenReport:
    """The page of a report as it was written, with its sizes in bytes.

    Attributes:
        page: the report.
        size: of the report.
        items_size: of the packed items, in it or beside it.
        items_page: the page of the items, where they are too large for the report.
    """

    page: Path
    size: int
    items_size: int
    items_page: Path | None = None

    @classmethod
    def of(cls, run_directory: Path, items_size: int, *, is_beside: bool) -> Self:
        """The report that lies in a run directory."""
        page = run_directory / "report.html"
        return cls(page, page.stat().st_size, items_size, run_directory / ITEMS_PAGE if is_beside else None)

    def __str__(self) -> str:
        """Where it lies, and how large it is.

        >>> str(WrittenReport(Path("run/report.html"), 3_100_000, 2_600_000))
        'run/report.html, 3.1 MB, of which items 2.6 MB'
        """
        said = f"{self.page}, {megabytes(self.size)}"
        if self.items_page:
            return f"{said}; its items, {megabytes(self.items_size)}, lie beside it in {self.items_page.name}"
        return f"{said}, of which items {megabytes(self.items_size)}" if self.items_size else said


def megabytes(n_bytes: int) -> str:
    """Write a size with one decimal, and no less than 0.1 MB."""
    return f"{max(n_bytes / 1e6, 0.1):.1f} MB"


def explorer_script(explorer: Explorer | None, *, is_beside: bool) -> str:
    """The script of a page: the explorer itself, what leads to it where it lies beside the report, or nothing.

    Args:
        explorer: of the report.
        is_beside: whether the page is the one that lies beside the report.
    """
    if explorer is None:
        return ""
    return _text("beside") if explorer.is_beside and not is_beside else _whole_script()


@cache
def _whole_script() -> str:
    # Within a function, so that its names are its own.
    return f"(() => {{\n{''.join(map(_text, SCRIPTS))}}})();\n"


def _text(name: str) -> str:
    return (TEMPLATES / "explorer" / f"{name}.js").read_text(encoding="utf-8")


@cache
def explorer_style() -> str:
    """The explorer's style, of the page's own tokens."""
    return (TEMPLATES / "explorer.css").read_text(encoding="utf-8")
