"""CSV: numbers stay numbers, and no text is a formula."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mplus_eval.exports import StoredRun
from mplus_eval.exports.csv import FORMULA_STARTS, as_csv, cell, write


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_text_that_would_be_a_formula_has_an_apostrophe(start: str) -> None:
    written = str(cell(f"{start}cmd|' /C calc'!A0"))
    assert written.startswith("'")
    assert "cmd|' /C calc'!A0" in written


def test_numbers_stay_numbers() -> None:
    text = as_csv([{"a": -0.25, "b": 3, "c": None, "d": True, "e": "plain"}])
    assert text == "a,b,c,d,e\r\n-0.25,3,,true,plain\r\n"
    (row,) = csv.reader(text.splitlines()[1:])
    assert float(row[0]) == -0.25


def test_what_acts_instead_of_shows_becomes_its_code_point() -> None:
    assert cell("\x1b[31m\u202ered\x00\ud800") == "⟨U+001B⟩[31m⟨U+202E⟩red⟨U+0000⟩⟨U+D800⟩"


def test_quotes_commas_and_lines_stay_in_their_cell() -> None:
    text = as_csv([{"a": 'x,"y"\nz', "b": "1"}])
    assert list(csv.reader(text.splitlines(keepends=True))) == [["a", "b"], ['x,"y"\nz', "1"]]


def test_a_column_of_a_later_row_is_a_column_of_all() -> None:
    assert as_csv([{"a": 1}, {"b": 2}]) == "a,b\r\n1,\r\n,2\r\n"


def test_no_cell_of_a_hostile_run_is_a_formula_and_every_number_is_its_own(hostile: StoredRun, tmp_path: Path) -> None:
    written = {path.stem: path for path in write(hostile, tmp_path)}
    for path in written.values():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                for text in row:
                    assert not text.startswith(FORMULA_STARTS) or _is_number(text)
                    assert "\x1b" not in text
    with written["contrasts"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    first = next(iter(hostile.comparison.tasks.values())).contrasts["sft"]
    assert float(next(row for row in rows if row["model"] == "sft")["difference"]) == first.difference < 0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
