"""Evaluation while training goes on, or after it: what it needs, and the command that does it.

How it is done is handed in, so that training knows nothing of the line from plan to report.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mplus_eval.training.launch import environment_outside_the_group
from mplus_eval.training.recipe import Recipe

EVALUATION = "evaluation"
_MOST_LINES_OF_A_CAUSE = 3


class EvaluationProcess:
    """Evaluates saved steps by the command line, in a process of its own, one at a time.

    What is asked for while one runs waits for the next, which takes all steps that were saved meanwhile.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, log: Path | None = None
    ) -> None:
        """Take what follows `mplus-eval`, what the environment has besides, and where the process writes its errors."""
        self._command, self._environment, self._log = list(command), dict(environment or {}), log
        self._running: subprocess.Popen[bytes] | None = None
        self._waits = False

    def ask(self) -> None:
        """Evaluate what is saved now; where a process runs, when it has ended and `go_on` is called."""
        self._waits = True
        self.go_on()

    def go_on(self) -> bool:
        """Start what waits, if anything does and nothing runs; tell whether something was started."""
        if not self._waits or self._running is not None:
            return False
        self._waits = False
        command = [sys.executable, "-m", "mplus_eval", *self._command]
        environment = {**environment_outside_the_group(), **self._environment}
        if self._log is None:
            self._running = subprocess.Popen(command, env=environment)
        else:
            with self._log.open("wb") as errors:
                self._running = subprocess.Popen(command, env=environment, stdout=errors, stderr=errors)
        return True

    def ended(self, *, wait: bool = False) -> int | None:
        """The exit code of a process that has ended since the last time; None where none has."""
        if self._running is None:
            return None
        code = self._running.wait() if wait else self._running.poll()
        if code is not None:
            self._running = None
        return code

    @property
    def cause(self) -> str:
        """What the last process said of its failure, in one line."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines() if self._log else []
        own = [line.removeprefix("mplus-eval: ") for line in lines if line.startswith("mplus-eval: ")]
        return "; ".join((own or lines[-1:])[:_MOST_LINES_OF_A_CAUSE])


def check_evaluation(recipe: Recipe) -> None:
    """Look at what an evaluation after hours of training would need, before them.

    Raises:
        SpecError: there is no such suite, or a scorer of it cannot be had.
    """
    from mplus_eval.errors import SpecError
    from mplus_eval.harmlessness.scorers import scorer_faults
    from mplus_eval.spec.suite import load_suite

    settings = load_suite(recipe.compare.suite).harmlessness
    if faults := [fault for scorer in (settings.scorers if settings else ()) for fault in scorer_faults(scorer)]:
        raise SpecError(f"compare: suite {recipe.compare.suite!r}: {fault}" for fault in faults)


def trajectory_command(recipe: Recipe, directory: Path) -> list[str]:
    """The command line that evaluates the saved steps of a model that is being trained."""
    evaluation = recipe.compare
    limit = evaluation.trajectory_limit or evaluation.limit
    return [
        "compare",
        *("--trajectory", str(directory), "--suite", evaluation.suite, "--output", str(directory / EVALUATION)),
        *(("--limit", str(limit)) if limit else ()),
        *(("--data-dir", str(evaluation.data_dir)) if evaluation.data_dir else ()),
        "--quiet",
    ]
