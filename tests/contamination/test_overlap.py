from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mplus_eval.contamination import overlap as module
from mplus_eval.contamination.item_texts import ItemText
from mplus_eval.contamination.overlap import WORDS, Words, all_documents, corpus_files, documents, overlaps, runs
from mplus_eval.errors import UsageError


def words(first: int, n: int) -> str:
    return " ".join(f"word{number}" for number in range(first, first + n))


def item(name: str, text: str) -> ItemText:
    return ItemText(name, None, text, "")


ITEMS = {
    "sums": [
        item("whole", words(0, 30)),
        item("part", words(100, 30)),
        item("none", words(200, 30)),
        item("short", "a b"),
    ]
}


def test_items_are_found_word_for_word_whatever_stands_between_the_words() -> None:
    spoken = words(0, 30).replace(" ", " -- ").upper()
    found = overlaps(ITEMS, ["before", f"so it was: {spoken}!", words(110, 14), words(205, WORDS - 1)])["sums"]
    assert (found.n_items, found.n_any, found.n_most, found.n_short) == (4, 2, 1, 1)
    assert found.examples == ("whole",)


def test_a_run_does_not_reach_over_two_documents() -> None:
    found = overlaps(ITEMS, [words(0, WORDS - 1), words(WORDS - 1, 5)])["sums"]
    assert found.n_any == 0


def test_most_of_an_item_is_70_percent_of_its_runs() -> None:
    """30 words have 18 runs; 24 of them have 12, which is less than 70 %, and 25 have 13, which is more."""
    assert overlaps(ITEMS, [words(0, 24)])["sums"].n_most == 0
    assert overlaps(ITEMS, [words(0, 25)])["sums"].n_most == 1


def test_without_items_or_corpus_nothing_is_found() -> None:
    assert overlaps({"sums": []}, ["text"])["sums"].n_items == 0
    assert overlaps(ITEMS, [])["sums"].n_any == 0


def test_runs_are_equal_where_their_words_are() -> None:
    numbers = Words()
    first, second = numbers.of(words(0, 20)), numbers.of(words(3, 20))
    assert runs(first).shape == (20 - WORDS + 1,)
    assert np.array_equal(runs(first)[3:], runs(second)[:-3])
    assert np.unique(np.concatenate([runs(first), runs(second)])).size == 11
    assert runs(numbers.of("a few words")).size == 0


@pytest.mark.parametrize("ending", [".txt", ".jsonl", ".jsonl.gz", ".parquet"])
def test_a_corpus_is_read_from_files_of_each_kind(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"corpus{ending}"
    rows = [{"body": words(500, 40)}, {"body": words(0, 30)}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if ending == ".txt":
        path.write_text("\n".join(row["body"] for row in rows))
    elif ending == ".jsonl":
        path.write_text(lines)
    elif ending == ".jsonl.gz":
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        pd.DataFrame(rows).to_parquet(path)
    assert overlaps(ITEMS, all_documents(corpus_files([tmp_path]), "body"))["sums"].n_most == 1


def test_a_run_is_found_across_the_blocks_of_a_plain_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text(words(900, 50) + " " + words(0, 30) + " " + words(900, 50))
    for block in (97, 200, 411):
        monkeypatch.setattr(module, "_BLOCK", block)
        assert overlaps(ITEMS, documents(path))["sums"].n_most == 1


def test_memory_does_not_grow_with_the_corpus() -> None:
    def corpus(n: int) -> Iterator[str]:
        return (words(number * 7, 400) for number in range(n))

    peaks = []
    for n in (100, 500):
        tracemalloc.start()
        overlaps(ITEMS, corpus(n))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    known = 400 * 7 * 200  # words that it may remember, with their numbers
    assert peaks[1] < peaks[0] + known


def test_words_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WORDS_KEPT", 50)
    numbers = Words()
    first = numbers.of(words(0, 40))
    numbers.of(words(100, 40))
    assert np.array_equal(numbers.of(words(0, 40)), first)
    assert len(numbers._known) <= 80


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": 3}\n', "line 2: no text in 'text'; name the field with --corpus-field"),
        ("a.jsonl", b'{"text": "x"}\n{"te', "line 2: cannot be read"),
        ("a.jsonl", b"\xff\xfe", "line 1: cannot be read"),
        ("a.jsonl.gz", b"no gzip", "line 1: cannot be read"),
        ("a.parquet", b"no parquet", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        list(documents(path))
    assert str(caught.value).startswith(f"--corpus {path}")
    assert says in str(caught.value)


def test_a_corpus_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        corpus_files([tmp_path / "absent"])
    (tmp_path / "a.csv").touch()
    for place in (tmp_path, tmp_path / "a.csv"):
        with pytest.raises(UsageError, match="or a folder of them"):
            corpus_files([place])
    pd.DataFrame({"body": ["x"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="no column 'text'; it has body"):
        list(documents(tmp_path / "a.parquet"))
