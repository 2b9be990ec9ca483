"""The experiment trackers that a run can be logged to, as `--log-to` names them.

To add one, add a line here, and a module of its name in `mplus_eval.exports.trackers` with a function `log`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

TrackerName = Literal["wandb", "mlflow", "trackio", "tensorboard"]


@dataclass(frozen=True)
class Tracker:
    """A tracker."""

    name: TrackerName
    package: str
    """What pip installs."""

    @property
    def missing(self) -> str | None:
        """Why it cannot be used here, with the command that mends it; None where it can."""
        if find_spec(self.name) is not None:
            return None
        return f"--log-to {self.name}: the package is not installed; pip install '{self.package}'"


TRACKERS: dict[TrackerName, Tracker] = {
    "wandb": Tracker("wandb", "wandb>=0.22"),
    "mlflow": Tracker("mlflow", "mlflow-skinny>=3.5"),
    "trackio": Tracker("trackio", "trackio>=0.43"),
    "tensorboard": Tracker("tensorboard", "tensorboard>=2.19"),
}


def missing_trackers(names: Iterable[TrackerName]) -> list[str]:
    """What is missing of the trackers that were asked for, a line each."""
    return [missing for name in dict.fromkeys(names) if (missing := TRACKERS[name].missing)]
