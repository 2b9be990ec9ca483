"""What a benchmark printed, kept in docs/measured/ under the day, the commit and the command it was measured with.

>>> sys.exit(printed(arguments, measure, "coverage"))  # doctest: +SKIP
"""

from __future__ import annotations

import argparse
import contextlib
import io
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path

from mplus_eval.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("numpy", "torch", "transformers", "lm_eval")


class Tee(io.TextIOBase):
    """Passes text on to the screen, and remembers it."""

    def __init__(self) -> None:
        self.screen, self.text = sys.stdout, io.StringIO()

    def write(self, text: str) -> int:
        """Show, and remember."""
        self.screen.write(text)
        return self.text.write(text)

    def flush(self) -> None:
        """Show at once what was written."""
        self.screen.flush()


def add_write(parser: argparse.ArgumentParser) -> None:
    """Give a benchmark the option --write."""
    parser.add_argument("--write", action="store_true", help="keep the printout in docs/measured as well")


def printed(arguments: argparse.Namespace, measure: Callable[[argparse.Namespace], int], name: str) -> int:
    """Measure, and with --write keep what is printed as docs/measured/NAME.txt; the exit code of the measurement.

    What was asked for wrongly is a line, and the exit code is 2.

    Raises:
        SystemExit: --write together with --quick, whose figures prove nothing.
    """
    try:
        return _printed(arguments, measure, name)
    except UsageError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _printed(arguments: argparse.Namespace, measure: Callable[[argparse.Namespace], int], name: str) -> int:
    if not arguments.write:
        return measure(arguments)
    if getattr(arguments, "quick", False):
        raise SystemExit("--write keeps what was measured in full: leave --quick out")
    tee = Tee()
    with contextlib.redirect_stdout(tee):
        exit_code = measure(arguments)
    place = ROOT / "docs" / "measured" / f"{name}.txt"
    place.write_text(f"{heading()}\n\n{tee.text.getvalue().strip()}\n", encoding="utf-8")
    print(f"written: {place}")
    return exit_code


def heading() -> str:
    """The command, the day, the commit and what it ran on."""
    command = shlex.join(["python", *(argument for argument in sys.argv if argument != "--write")])
    changed = " with changes" if _git("status", "--porcelain", "--untracked-files=no") else ""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES if name in sys.modules)
    return "\n".join(
        [
            f"$ {command}",
            f"measured {date.today().isoformat()} at {_git('rev-parse', '--short', 'HEAD')}{changed}",
            f"{platform.machine()}, Python {platform.python_version()}{', ' * bool(libraries)}{libraries}",
        ]
    )


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
