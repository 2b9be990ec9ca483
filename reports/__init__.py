"""How results are told: view, figures, HTML and Markdown."""

from __future__ import annotations

from pathlib import Path

SHORT_REPORT = "report-short.md"
"""The name of the report for a comment on a pull request."""


def write_report(run_directory: Path, *, is_short: bool = False) -> None:
    """Write `report.html`, `report.md` and `figures/*.svg` from what a run directory holds.

    Args:
        run_directory: holds `comparison.json`, and where there are any, `manifest.json` and `outcomes/`.
        is_short: whether to write `report-short.md` too, which fits a comment on a pull request.

    Raises:
        UsageError: where the directory holds no readable comparison.
    """
    from mplus_eval.reports.render import write_report as write

    write(Path(run_directory), is_short=is_short)
