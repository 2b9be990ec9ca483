r"""The decision and the matrix as LaTeX tables, with models as columns; they need `\usepackage{booktabs}`.

\input{decision.tex}      axes × models: verdict, figure, interval
\input{matrix.tex}        tasks × models: score in percent, difference in points with its interval
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval import __version__
from mplus_eval.exports.tables import Row, decision
from mplus_eval.reports import formats
from mplus_eval.reports.text import one_line
from mplus_eval.reports.units import Unit
from mplus_eval.store.files import write_whole

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun

_JOINT = "\u2060"
"""Between what the usual fonts would join, as two hyphens into a dash."""
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "[": "{[}",
    "]": "{]}",
    "`": r"\textasciigrave{}",
    _JOINT: "{}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "⟨": r"$\langle$",
    "⟩": r"$\rangle$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "’": "'",
    "\u200c": "",
    "\u200d": "",
    "\u00ad": "",
}
_EMPTY = "--"


def write(run: StoredRun, folder: Path) -> list[Path]:
    """Write `decision.tex` and `matrix.tex`, those of them that have a row."""
    made = {"decision": decision_table(run), "matrix": matrix_table(run)}
    written = []
    for name, text in made.items():
        if text:
            path = folder / f"{name}.tex"
            write_whole(path, text)
            written.append(path)
    return written


def escaped(text: str) -> str:
    r"""A text as LaTeX shows it: one line, no command, no mathematics, no comment.

    >>> print(escaped("50 % of a_b & \\input{x}"))
    50 \% of a\_b \& \textbackslash{}input\{x\}
    """
    parted = re.sub(r"([-,'])(?=\1)", rf"\1{_JOINT}", one_line(text))
    return "".join(_SPECIAL.get(character, character) for character in parted)


def decision_table(run: StoredRun) -> str:
    """A row for each axis, a column for each model; empty where nothing is compared."""
    rows = decision(run)
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    axes = list(dict.fromkeys(str(row["axis"]) for row in rows))
    cells = {(str(row["axis"]), str(row["model"])): _decided(row) for row in rows}
    body = [[escaped(axis), *(cells.get((axis, model), _EMPTY) for model in models)] for axis in axes]
    caption = (
        f"Compared with {escaped(run.comparison.baseline)}, {_confidence(run)} intervals. Capability: points of the "
        "macro-average. Harmlessness: difference in toxicity, less is better. Conversation: win rate in percent."
    )
    return _tabular(["", *map(escaped, models)], body, caption, "decision") if rows else ""


def _decided(row: Row) -> str:
    value, low, high, verdict = row["value"], row["low"], row["high"], escaped(str(row["verdict"]))
    if not isinstance(value, float):
        return verdict
    writers = {"capability": formats.points, "conversation": formats.percent}
    write = writers.get(str(row["axis"]), formats.signed_decimal)
    ends = f" [{write(low)}, {write(high)}]" if isinstance(low, float) and isinstance(high, float) else ""
    return f"{verdict}, {escaped(write(value) + ends)}"


def matrix_table(run: StoredRun) -> str:
    """A row for each task, a column for each model; empty without tasks."""
    comparison, body = run.comparison, []
    for name, task in comparison.tasks.items():
        unit, cells = Unit.of(task), []
        for model in run.models:
            score, contrast = task.scores.get(model), task.contrasts.get(model)
            text = _EMPTY if score is None or score.value is None else escaped(unit.score(score.value))
            if contrast:
                text += f" ({escaped(f'{unit.difference(contrast.difference)} {unit.interval(contrast.ci)}')})"
            cells.append(text)
        body.append([escaped(f"{name} ({task.n_shots})"), *cells])
    caption = (
        "Score in percent (shots after the task's name), in brackets the difference from "
        f"{escaped(comparison.baseline)} in points with its {_confidence(run)} interval."
    )
    return _tabular(["task", *map(escaped, run.models)], body, caption, "matrix") if body else ""


def _confidence(run: StoredRun) -> str:
    return escaped(formats.whole_percent(1 - run.comparison.level))


def _tabular(heading: Sequence[str], body: Sequence[Sequence[str]], caption: str, label: str) -> str:
    """A floating table; every cell is LaTeX already."""
    lines = [
        f"% Written by mplus-eval {__version__}. Needs \\usepackage{{booktabs}}.",
        "% Names in other scripts than Latin need XeLaTeX or LuaLaTeX.",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:mplus-eval-{label}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(heading) - 1)}}}",
        r"\toprule",
        rf"{' & '.join(heading)} \\",
        r"\midrule",
        *(rf"{' & '.join(row)} \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
