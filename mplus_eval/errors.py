"""Every failure that a user can meet, and the exit code that tells it to a script.

    MplusError
    ├── UsageError          2   wrong usage or configuration; nothing was evaluated
    │   └── SpecError       2   one or more faults in what was asked for, all reported at once
    └── InterruptedRunError 5   stopped and resumable (interrupt, full disk)

A failed cell or item, or a judge without verdicts, is not an exception that reaches the user: it is stored with its
cause, the others go on, and the command ends with `EXIT_CELLS_MISSING`.
"""

from __future__ import annotations

from collections.abc import Iterable

EXIT_DONE = 0
EXIT_GATE_FAILED = 1
EXIT_USAGE = 2
EXIT_CELLS_MISSING = 3
EXIT_INCONCLUSIVE = 4
EXIT_INTERRUPTED = 5
EXIT_INTERNAL = 70


class MplusError(Exception):
    """Base of every expected failure; its message is one clear line for the user."""

    exit_code = EXIT_USAGE


class UsageError(MplusError):
    """Wrong usage or configuration: names the value, where it stands and what is accepted."""


class SpecError(UsageError):
    """All faults found in what was asked for, each a line of its own."""

    def __init__(self, faults: Iterable[str]) -> None:
        """Keep the faults in order, without repetition."""
        self.faults = tuple(dict.fromkeys(faults))
        super().__init__("\n".join(self.faults))


class InterruptedRunError(MplusError):
    """The run was stopped; everything finished is stored and the same command goes on from there."""

    exit_code = EXIT_INTERRUPTED
