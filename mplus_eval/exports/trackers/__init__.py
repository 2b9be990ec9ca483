"""A run in an experiment tracker: figures, the decision as a table, the page as an artifact, a training as a series.

Each tracker is a module with a function `log`, imported when it is asked for; the table of them is `spec.trackers`.
Whether it sends anything over a network is the tracker's own setting: WANDB_MODE, MLFLOW_TRACKING_URI,
TRACKIO_SPACE_ID.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.exports import StoredRun
from mplus_eval.exports.trackers.content import Logged
from mplus_eval.spec.trackers import TrackerName, missing_trackers


def log_run(run_directory: Path, names: Sequence[TrackerName]) -> list[str]:
    """Log a finished run to trackers.

    Args:
        run_directory: of a run whose report is written.
        names: of trackers.

    Returns:
        A line for each tracker: where it went.

    Raises:
        SpecError: packages are missing; nothing was logged.
        UsageError: no finished run, or a tracker refuses.
    """
    if missing := missing_trackers(names):
        raise SpecError(missing)
    content = Logged.of(StoredRun.read(run_directory))
    lines: list[str] = []
    for name in dict.fromkeys(names):
        try:
            place = import_module(f"mplus_eval.exports.trackers.{name}").log(content)
        except UsageError as error:
            again = f"mplus-eval report {run_directory} --log-to {name}"
            raise UsageError(f"{error}\nThe run is stored; `{again}` logs it.") from None
        lines.append(f"Logged to {name}: {place}")
    return lines
