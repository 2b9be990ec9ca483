"""How results are told: view, figures, HTML and Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mplus_eval.reports.explorer.collection import Choice
    from mplus_eval.reports.explorer.page import WrittenReport

SHORT_REPORT = "report-short.md"
"""The name of the report for a comment on a pull request."""


def write_report(run_directory: Path, items: Choice | None = None, *, is_short: bool = False) -> WrittenReport:
    """Write `report.html`, `report.md` and `figures/*.svg` from what a run directory holds.

    Args:
        run_directory: holds `comparison.json`, and where there are any, `manifest.json` and `outcomes/`.
        items: which of them the page holds; None for what the run was made with, and for all where that is not known.
        is_short: whether to write `report-short.md` too, which fits a comment on a pull request.

    Returns:
        Where the page lies, and how large it and its items are.

    Raises:
        UsageError: where the directory holds no readable comparison.
    """
    from mplus_eval.reports.render import write_report as write
    from mplus_eval.store.collecting import without_collecting

    with without_collecting():
        return write(Path(run_directory), items, is_short=is_short)
