"""Functions of a user's, named as `module:function`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from traceback import walk_tb
from typing import Any

from mplus_eval.errors import SpecError


def load_function(path: str) -> Callable[..., Any]:
    """Find the function that a recipe names as `module:function`.

    Raises:
        SpecError: when there is no such module or function, or the module cannot be imported; the line names the
            exception and where in the module it was raised.
    """
    module, _, name = path.partition(":")
    # The installed command does not look into the working directory, where a user's own module lies.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        imported = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a user's module may raise anything, and is the user's to mend
        reason = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
        if (place := _place(error, module)) is None:
            raise SpecError([f"{path!r}: write module:function of something importable ({reason})"]) from None
        kind = type(error).__name__
        raise SpecError([f"{path!r}: module {module} cannot be imported: {place}: {kind}: {reason}"]) from error
    try:
        function = getattr(imported, name)
    except AttributeError as error:
        raise SpecError([f"{path!r}: write module:function of something importable ({error})"]) from None
    if not callable(function):
        raise SpecError([f"{path!r}: is not a function"])
    return function  # type: ignore[no-any-return]


def _place(error: BaseException, module: str) -> str | None:
    """File and line of a module where its import failed; None where there is no such module."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    own, others = [], []
    for frame, line in walk_tb(error.__traceback__):
        name, place = str(frame.f_globals.get("__name__")), f"{frame.f_code.co_filename}, line {line}"
        if name == module:
            own.append(place)
        elif name != __name__ and not name.startswith("importlib"):
            others.append(place)
    return next(reversed(own or others), None)
