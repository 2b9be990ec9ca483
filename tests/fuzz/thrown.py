"""The command line in this process, held to what it promises of any input: a line, an exit code, and no traceback."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mplus_eval import cli

MOST_SECONDS = 20.0
"""Of the processor for one command on a small input, which takes few; whatever hangs meets the test's own limit."""
_BUG = 70


class BrokenError(AssertionError):
    """A command did what none may do."""


def run(arguments: Sequence[str]) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it said.

    Raises:
        BrokenError: it ended in a traceback, took too long, or was wrong usage without a line that says so.
    """
    out, err = io.StringIO(), io.StringIO()
    started = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(arguments)
    said = err.getvalue()
    if code == _BUG or "Traceback" in said:
        raise BrokenError(f"{' '.join(arguments)!r}: {said}")
    if (took := time.process_time() - started) > MOST_SECONDS:
        raise BrokenError(f"{' '.join(arguments)!r} took {took:.0f} s")
    if code == 2 and not any(line.startswith(("mplus-eval: ", "Usage: ")) for line in said.splitlines()):
        raise BrokenError(f"{' '.join(arguments)!r} ended with 2 and said nothing but {said!r}")
    return code, out.getvalue(), said


def throw(inputs: st.SearchStrategy[Any], check: Callable[[Any], object], examples: int) -> None:
    """Hold a check against so many inputs, the same ones every time."""
    collected = os.environ.get("MPLUS_EVAL_FUZZ_COLLECT")

    def each(value: Any) -> None:
        try:
            check(value)
        except Exception as error:
            if not collected:
                raise
            _collect(collected, error, value)

    held = given(inputs)(each)
    profile = settings(
        max_examples=examples,
        deadline=None,
        derandomize=not collected,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,) if collected else (Phase.generate, Phase.shrink),
    )
    profile(held)()


def _collect(path: str, error: Exception, value: Any) -> None:
    """Keep what was broken, one line a kind, instead of ending at the first: MPLUS_EVAL_FUZZ_COLLECT=FILE."""
    text = str(error) if isinstance(error, BrokenError) else "".join(traceback.format_exception(error))
    frames = re.findall(r'File "[^"]*/((?:mplus_eval|training|reports|tasks)/[^"]*)", line (\d+), in (\S+)', text)
    last = [line for line in text.splitlines() if re.match(r"\w[\w.]*(Error|Exception|Warning|Interrupt)\b", line)]
    key = f"{frames[-1] if frames else '?'} {last[-1] if last else text[-300:]}"
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"key": key[:200], "text": text[-3500:], "value": repr(value)[:600]}) + "\n")
