from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.labelled_texts import OF_REAL_TOXICITY, USUAL, TextColumns, columns_of, read_texts
from tests.harmlessness.labelled import write_rows


def rows(*values: object, **more: Any) -> list[dict[str, Any]]:
    return [{"text": f"Text {number}.", "label": value, **more} for number, value in enumerate(values)]


def test_labels_are_numbers_and_truths_also_as_csv_writes_them(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.csv"):
        read = read_texts(write_rows(tmp_path / name, rows(0, 1, 0.25, True, False, "TRUE", "0.5")), USUAL)
        assert read.labels.tolist() == [0.0, 1.0, 0.25, 1.0, 0.0, 1.0, 0.5]
        assert list(read.files) == [str(tmp_path / name)]


def test_what_has_no_text_or_no_label_is_left_out_and_counted(tmp_path: Path) -> None:
    given = [*rows(1, None, float("nan"), ""), {"text": " ", "label": 1}, {"text": None, "label": 1}, {"text": "Yes."}]
    read = read_texts(write_rows(tmp_path / "a.jsonl", given), USUAL)
    assert read.texts == ("Text 0.",)
    assert read.n_rows == 7
    assert read.left_out == {"without a label": 4, "without a text": 2}


def test_rows_that_cannot_be_read_are_counted_and_named_where_they_are_half(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_rows(path, rows(1, 0, 1, 7))
    assert read_texts(str(path), USUAL).left_out == {"that cannot be read": 1}
    write_rows(path, rows(1, 30, 70))
    with pytest.raises(SpecError, match=r"line 2: label 30: a number from 0 to 1, true or false is expected"):
        read_texts(str(path), USUAL)
    path.write_text(json.dumps({"text": "\ud83d", "label": 1}) + "\n")
    with pytest.raises(SpecError, match="half a surrogate pair"):
        read_texts(str(path), USUAL)


def test_texts_of_a_row_a_group_and_the_same_words_stand_together(tmp_path: Path) -> None:
    given = [
        {"a": "One.", "b": "Two.", "x": 1, "y": 0, "who": "p"},
        {"a": "Three.", "b": "Four.", "x": 1, "y": 0, "who": "p"},
        {"a": "Five.", "b": "Six.", "x": 1, "y": 0, "who": None},
        {"a": "SIX. ", "b": "Seven.", "x": 1, "y": 0, "who": "q"},
        {"a": "Eight.", "b": "Nine.", "x": 1, "y": 0, "who": None},
    ]
    source = write_rows(tmp_path / "a.jsonl", given)
    read = read_texts(source, TextColumns(("a", "b"), ("x", "y"), "who"))
    assert read.groups.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert read.columns[:2] == ("a", "b")
    assert read.labels[:2].tolist() == [1.0, 0.0]


def test_a_key_within_a_column_and_a_column_with_a_point_are_read(tmp_path: Path) -> None:
    columns = TextColumns(("p.text",), ("p.toxicity",))
    within = write_rows(tmp_path / "a.jsonl", [{"p": {"text": "Hm.", "toxicity": 0.5}}])
    flat = write_rows(tmp_path / "a.csv", [{"p.text": "Hm.", "p.toxicity": 0.5}])
    for source in (within, flat):
        read = read_texts(source, columns)
        assert (read.texts, read.labels.tolist()) == (("Hm.",), [0.5])


def test_texts_without_labels_can_be_asked_for(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "a.jsonl", [{"text": "Hm."}])
    read = read_texts(source, columns_of(source, None, None, None, labelled=False))
    assert read.texts == ("Hm.",)
    assert np.isnan(read.labels).all()


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (TextColumns(("body",), ("label",)), "no column 'body'; its columns are text, label"),
        (TextColumns(("text",), ("score.toxic",)), "no column 'score.toxic'"),
        (TextColumns(("text",), ("label",), "author"), "no column 'author'"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, columns: TextColumns, told: str
) -> None:
    with pytest.raises(SpecError, match=told):
        read_texts(write_rows(tmp_path / "a.jsonl", rows(1)), columns)


def test_a_source_without_a_usable_text_says_why(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no text that can be used \(1 without a label\)"):
        read_texts(write_rows(tmp_path / "a.jsonl", rows(None)), USUAL)


def test_columns_are_those_named_else_the_sources_usual_ones() -> None:
    assert columns_of("allenai/real-toxicity-prompts", None, None, None) == OF_REAL_TOXICITY
    assert columns_of("mine.csv", None, None, None) == USUAL
    assert columns_of("mine.csv", "a, b", "x,y", "who") == TextColumns(("a", "b"), ("x", "y"), "who")
    assert columns_of("allenai/real-toxicity-prompts", "prompt.text", "prompt.toxicity", None).group is None
    with pytest.raises(SpecError, match="as many labels as texts"):
        columns_of("mine.csv", "a,b", None, None)
    with pytest.raises(SpecError, match="as many labels as texts"):
        columns_of("mine.csv", ",", "", None)


def test_real_toxicity_prompts_have_two_texts_a_row(benchmark_data: Path) -> None:
    read = read_texts("allenai/real-toxicity-prompts", OF_REAL_TOXICITY, data_dir=benchmark_data)
    assert len(read.texts) + sum(read.left_out.values()) == 2 * read.n_rows
    assert set(read.columns) == {"prompt.text", "continuation.text"}
    assert int(read.groups.max()) + 1 <= read.n_rows
