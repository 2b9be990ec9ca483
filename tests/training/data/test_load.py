"""Reading pairs, demonstrations and prompts in every layout, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.training.data import (
    Message,
    load_demonstrations,
    load_pairs,
    load_prompts,
)
from mplus_eval.training.recipe import DataSource, PairDataSource, PromptDataSource


def written(folder: Path, *rows: Any) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "Q", "chosen": "same", "rejected": "same "}, "line 2: chosen and rejected are equal"),
        ({"prompt": " ", "chosen": "a", "rejected": "b"}, "line 2: an empty prompt"),
        ({"prompt": "Q", "chosen": "", "rejected": "b"}, "line 2: an empty answer"),
        ({"prompt": "Q", "answer": "a"}, "line 2: no chosen and rejected; its columns are prompt, answer"),
    ],
)
def test_a_bad_row_of_ones_own_is_named_and_a_public_datasets_is_counted(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    source = written(tmp_path, {"prompt": "Q", "chosen": "a", "rejected": "b"}, row)
    with pytest.raises(SpecError, match=reason):
        load_pairs(PairDataSource(source=source), 0)
    rows = load_pairs(PairDataSource(source=source, on_bad_row="skip"), 0)
    assert (len(rows.rows), rows.n_malformed) == (1, 1)


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "Q"}\n{"prompt"\n')
    with pytest.raises(SpecError, match="line 2: not JSON"):
        load_prompts(PromptDataSource(source=str(path)), 0)


def test_parquet_is_read_as_json_lines_are(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"prompt": ["Q"], "completion": ["A"]}), path)
    (row,) = load_demonstrations(DataSource(source=str(path)), 0).rows
    assert (row.prompt, row.answer) == ((Message("user", "Q"),), "A")


def test_a_source_that_is_nowhere_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file or folder"):
        load_pairs(PairDataSource(source=str(tmp_path / "none.jsonl")), 0)
    with pytest.raises(SpecError, match="give --data-dir with a folder org/name, or unset HF_HUB_OFFLINE"):
        load_pairs(PairDataSource(source="org/name"), 0)
    with pytest.raises(SpecError, match="no such demo data; there are demo:pairs"):
        load_pairs(PairDataSource(source="demo:other"), 0)


def test_the_real_hh_rlhf_is_read_with_its_malformed_rows_counted(benchmark_data: Path) -> None:
    for subset, n_rows in (("harmless-base", 1800), ("helpful-base", 1800)):
        rows = load_pairs(PairDataSource(source="Anthropic/hh-rlhf", subset=subset), 0, benchmark_data)
        assert len(rows.rows) + rows.n_malformed == n_rows
        assert 0 < rows.n_malformed < 20
        assert all(pair.prompt[-1].role == "user" and "\n\nHuman:" not in pair.chosen for pair in rows.rows)
