"""Doors out: a finished run in the formats and tools that people already have.

    mplus-eval export RUN_DIR --format csv

Each format is a module with a function `write`; a line of `FORMATS` names it, and it is imported when it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from mplus_eval.errors import UsageError
from mplus_eval.records.comparison import Comparison
from mplus_eval.spec.faults import nearest
from mplus_eval.store.run_directory import RunDirectory

FORMATS = {
    "parquet": "tidy tables of the comparison, and every item of every model",
    "csv": "the tables of the comparison, for a spreadsheet",
    "lm-eval": "results_*.json and samples_*.jsonl, as lm-eval writes them with --log_samples",
    "eee": "every_eval_ever, schema 0.3.0: a file of results for each model, and one of its items",
    "inspect": "logs that inspect_ai reads, one for each model and task",
    "latex": "tables of the decision and the matrix, with booktabs",
}
"""What each format is, in the order of the help."""


@dataclass(frozen=True)
class StoredRun:
    """What an export is made from: a run directory and its comparison."""

    directory: RunDirectory
    comparison: Comparison

    @classmethod
    def read(cls, path: Path) -> StoredRun:
        """Read a run directory.

        Raises:
            UsageError: it holds no comparison.
        """
        directory = RunDirectory(path)
        directory.refuse_foreign()
        if not directory.comparison.is_file():
            raise UsageError(f"{path} holds no comparison.json; a run directory of mplus-eval compare is expected")
        return cls(directory, Comparison.read(directory.comparison))

    @property
    def models(self) -> list[str]:
        """The models that were compared, without the saved steps of a training."""
        entries = self.comparison.models
        return [name for name, model in entries.items() if model.trajectory is None or name == self.comparison.baseline]


def export(run_directory: Path, kind: str, output: Path | None = None) -> list[Path]:
    """Write a run in another format.

    Args:
        run_directory: of a finished run.
        kind: a format.
        output: the folder; `export/<format>` in the run directory when None.

    Returns:
        The files that were written.

    Raises:
        UsageError: no such format, or no finished run.
    """
    if kind not in FORMATS:
        raise UsageError(f"--format {kind!r}: {nearest(kind, list(FORMATS))}")
    run = StoredRun.read(run_directory)
    folder = output or run_directory / "export" / kind
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder}: is a file; a folder is expected")
    written: list[Path] = import_module(f"mplus_eval.exports.{kind.replace('-', '_')}").write(run, folder)
    return written
