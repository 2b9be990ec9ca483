"""LaTeX: every text is text, and the tables have the comparison's figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mplus_eval.exports import StoredRun
from mplus_eval.exports.latex import decision_table, escaped, matrix_table, write


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b", r"a\_b"),
        ("50 % & more", r"50 \% \& more"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("$x^2$ ~ #1", r"\$x\textasciicircum{}2\$ \textasciitilde{} \#1"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ('<a> | "q"', r"\textless{}a\textgreater{} \textbar{} \symbol{34}q\symbol{34}"),
        ("−0.3 ±0.1", r"$-$0.3 $\pm$0.1"),
        ("two\nlines\x00", r"two lines$\langle$U+0000$\rangle$"),
        ("[x]", "{[}x{]}"),
    ],
)
def test_special_characters_are_shown(text: str, written: str) -> None:
    assert escaped(text) == written


def test_models_are_columns_and_cells_have_verdict_figure_and_interval(run: StoredRun) -> None:
    table = decision_table(run)
    assert r" & instruct & sft & chosen & plus \\" in table
    assert r"degraded, $-$3.2 {[}$-$3.8, $-$2.6{]}" in table
    assert table.count(r"\toprule") == table.count(r"\midrule") == table.count(r"\bottomrule") == 1


def test_the_matrix_has_a_row_for_each_task(run: StoredRun) -> None:
    table = matrix_table(run)
    assert r"task & base & instruct & sft & chosen & plus \\" in table
    assert r"mmlu (5) & 62.4 & 60.8 ($-$1.6 " in table
    drop = next(line for line in table.splitlines() if line.startswith("drop (5)"))
    assert drop.split(" & ")[4] == "--"


def test_a_hostile_run_gives_balanced_tables_without_a_foreign_command(hostile: StoredRun, tmp_path: Path) -> None:
    own = {"begin", "end", "centering", "caption", "label", "toprule", "midrule", "bottomrule", "usepackage", "pm"}
    own |= {"langle", "rangle", "symbol", "dots"} | {f"text{name}" for name in ("backslash", "less", "greater", "bar")}
    for path in write(hostile, tmp_path):
        body = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("%"))
        assert set(re.findall(r"\\([A-Za-z]+)", body)) <= own
        assert len(re.findall(r"(?<!\\)\{", body)) == len(re.findall(r"(?<!\\)\}", body))
        assert len(re.findall(r"(?<!\\)\$", body)) % 2 == 0
        columns = {len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines() if line.endswith(r"\\")}
        assert len(columns) == 1
