"""Tells a team what alignment did to its language model.

>>> import mplus_eval
>>> run = mplus_eval.compare({"base": "./base", "plus": "./plus"}, suite="mplus")  # doctest: +SKIP
>>> run.scores, run.contrasts, run.outcomes("plus", "gsm8k")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mplus_eval.errors import MplusError, SpecError, UsageError
    from mplus_eval.pipeline.run import Run, compare, load
    from mplus_eval.records.comparison import Comparison
    from mplus_eval.records.verdict import Verdict

__version__ = "0.1.0"

__all__ = ["Comparison", "MplusError", "Run", "SpecError", "UsageError", "Verdict", "__version__", "compare", "load"]

_HOMES = {
    "Comparison": "records.comparison",
    "MplusError": "errors",
    "Run": "pipeline.run",
    "SpecError": "errors",
    "UsageError": "errors",
    "Verdict": "records.verdict",
    "compare": "pipeline.run",
    "load": "pipeline.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `mplus-eval --help` stays quick."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
