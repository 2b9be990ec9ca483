"""The command line: gathers the commands, and turns expected failures into a line and an exit code."""

from __future__ import annotations

import errno
import io
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, NoReturn

import typer

from mplus_eval import __version__
from mplus_eval.cli.compare import compare
from mplus_eval.cli.contamination import contamination
from mplus_eval.cli.conversation import app as conversation
from mplus_eval.cli.doctor import doctor
from mplus_eval.cli.export import export
from mplus_eval.cli.gate import gate
from mplus_eval.cli.options import spec_command
from mplus_eval.cli.plan import plan
from mplus_eval.cli.power import power
from mplus_eval.cli.report import report
from mplus_eval.cli.tasks import app as tasks
from mplus_eval.cli.toxicity import app as toxicity
from mplus_eval.cli.train import train
from mplus_eval.errors import EXIT_DONE, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_USAGE, MplusError
from mplus_eval.redaction import without_secrets

ISSUES = "the project's issue tracker"
_TYPER_INTERRUPTED = 130
_OF_THE_FILE_SYSTEM = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ELOOP),
    *(errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG),
)
"""Faults of a place that was named, or of what lies there, and not of this program."""

app = typer.Typer(
    name="mplus-eval",
    help="Tells a team what alignment did to its language model.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=spec_command("compare"))(compare)
app.command(cls=spec_command("compare"))(plan)
app.add_typer(toxicity, name="toxicity")
app.add_typer(conversation, name="conversation")
app.command()(power)
app.command()(contamination)
app.command()(report)
app.command()(gate)
app.command()(export)
app.add_typer(tasks, name="tasks")
app.command()(train)
app.command()(doctor)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"mplus-eval {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Tells a team what alignment did to its language model."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; only a bug shows a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What is piped on Windows, or anywhere without a locale, may lack × and –: a mark in their place, and no crash.
        sys.stdout.reconfigure(errors="replace")
    try:
        # Typer answers usage errors itself, with exit code 2, and leaves through SystemExit.
        app(args=list(arguments) if arguments is not None else None, prog_name="mplus-eval")
    except SystemExit as left:
        # So Typer leaves when a KeyboardInterrupt reaches it, without a word.
        if left.code == _TYPER_INTERRUPTED:
            return _stopped()
        return left.code if isinstance(left.code, int) else EXIT_DONE
    except MplusError as error:
        _print_error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:
        return EXIT_DONE
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _print_error("the disk is full; free some and run the same command, which goes on from there")
            return EXIT_INTERRUPTED
        if error.errno in _OF_THE_FILE_SYSTEM and (path := error.filename2 or error.filename) is not None:
            _print_error(f"{path}: {error.strerror}")
            return EXIT_USAGE
        return _bug()
    except Exception:  # noqa: BLE001 - the one handler at the top: a bug keeps its traceback and gets its own exit code
        return _bug()
    return EXIT_DONE


def _print_error(message: str) -> None:
    for line in without_secrets(message).splitlines():
        print(f"mplus-eval: {line}", file=sys.stderr)


def _stopped() -> int:
    _print_error("stopped; everything finished is stored, and the same command goes on from there")
    return EXIT_INTERRUPTED


def _bug() -> int:
    print(without_secrets(traceback.format_exc()), file=sys.stderr, end="")
    _print_error(f"this is a bug in mplus-eval {__version__}; please report it, with the lines above, to {ISSUES}")
    return EXIT_INTERNAL


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
