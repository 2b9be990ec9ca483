"""How results are told: view, figures, HTML and Markdown."""

from __future__ import annotations

from pathlib import Path


def write_report(run_directory: Path) -> None:
    """Write `report.html`, `report.md` and `figures/*.svg` from what a run directory holds.

    Args:
        run_directory: holds `comparison.json`, and where there are any, `manifest.json` and `outcomes/`.

    Raises:
        UsageError: where the directory holds no readable comparison.
    """
    from mplus_eval.reports.render import write_report as write

    write(Path(run_directory))
