from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from mplus_eval.data.rows import leave_out, read_rows, source_files
from mplus_eval.errors import SpecError

ROWS = [{"prompt": "How are you?"}, {"prompt": "Is it late?"}]


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_row_of_jsonl_comes_with_its_line(tmp_path: Path) -> None:
    source = written(tmp_path / "a.jsonl", '{"prompt": "one"}\n\n{"prompt": "two"}\n')
    assert read_rows(source) == [("line 1", {"prompt": "one"}), ("line 3", {"prompt": "two"})]


def test_the_same_rows_come_from_every_kind_of_file(tmp_path: Path) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    with gzip.open(tmp_path / "a.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(lines)
    written(tmp_path / "a.jsonl", "\ufeff" + lines)
    pd.DataFrame(ROWS).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame(ROWS).to_csv(tmp_path / "a.csv", index=False)
    for name in ("a.jsonl.gz", "a.jsonl", "a.parquet", "a.csv"):
        assert [row for _, row in read_rows(str(tmp_path / name))] == ROWS


def test_an_empty_cell_of_csv_is_an_empty_text(tmp_path: Path) -> None:
    source = written(tmp_path / "a.csv", "prompt,category\nNA,\n")
    assert read_rows(source) == [("row 1", {"prompt": "NA", "category": ""})]


def test_lines_that_are_no_objects_are_named_and_counted(tmp_path: Path) -> None:
    source = written(tmp_path / "a.jsonl", '{"prompt": "one"}\n{"prompt": \n[1]\n')
    with pytest.raises(SpecError) as caught:
        read_rows(source)
    first, second, count = caught.value.faults
    assert first.startswith(f"{source}, line 2: not JSON in UTF-8")
    assert second == f"{source}, line 3: an object is expected, found list"
    assert count == f"{source}: 2 of 3 rows cannot be used"


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match="it is empty, one row at least is expected"):
        read_rows(written(tmp_path / name, ""))


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="not a Parquet file"):
        read_rows(written(tmp_path / "a.parquet", "prompt"))
    (tmp_path / "a.csv").write_bytes(b"prompt\n\xff\xfe\n")
    with pytest.raises(SpecError, match="not a CSV file in UTF-8"):
        read_rows(str(tmp_path / "a.csv"))


def test_an_unknown_kind_of_file_is_refused_with_those_that_are_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"\.txt is not read; accepted: \.jsonl, \.jsonl\.gz, \.json, \.parquet, \.csv"):
        read_rows(written(tmp_path / "a.txt", "How are you?"))


@pytest.mark.parametrize("source", ["absent.jsonl", "folder/absent.jsonl", "./absent", "absent"])
def test_a_file_that_is_not_there_is_not_looked_for_on_the_hub(source: str) -> None:
    with pytest.raises(SpecError, match="no such file or folder"):
        read_rows(source)


def test_a_dataset_is_read_from_the_mirror(tmp_path: Path) -> None:
    folder = tmp_path / "org" / "name" / "data"
    folder.mkdir(parents=True)
    pd.DataFrame(ROWS).to_parquet(folder / "test-00000-of-00001.parquet")
    assert [row for _, row in read_rows("org/name", data_dir=tmp_path)] == ROWS


def test_of_several_splits_one_must_be_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        written(tmp_path / f"{split}.jsonl", json.dumps({"prompt": split}))
    with pytest.raises(SpecError, match="it has several splits and none was named; accepted: train, test"):
        read_rows(str(tmp_path))
    with pytest.raises(SpecError, match="split 'dev' is not there; accepted: train, test"):
        read_rows(str(tmp_path), split="dev")
    assert read_rows(str(tmp_path), split="test") == [("line 1", {"prompt": "test"})]


def test_offline_nothing_is_fetched_and_the_way_to_get_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_rows("org/absent", data_dir=tmp_path)
    message = str(caught.value)
    assert message.startswith("org/absent: cannot be loaded")
    assert message.endswith(
        f"it is not in {tmp_path}; give --data-dir with a folder org/absent, or unset HF_HUB_OFFLINE"
    )


def test_a_torn_gzip_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"prompt": "How are you?"}\n' * 50)
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SpecError, match="not a whole gzip file"):
        read_rows(str(tmp_path / "a.jsonl.gz"))


def test_fields_that_the_header_lacks_are_named_by_their_row(tmp_path: Path) -> None:
    source = written(tmp_path / "a.csv", "prompt,category\nHow,are,you?\nfine,talk\n")
    with pytest.raises(SpecError) as caught:
        read_rows(source)
    assert caught.value.faults == (f"{source}, row 1: more fields than the header has",)


def test_a_comma_in_quotes_parts_no_field(tmp_path: Path) -> None:
    source = written(tmp_path / "a.csv", 'prompt\n"Well, how are you?"\n')
    assert read_rows(source) == [("row 1", {"prompt": "Well, how are you?"})]


def test_a_subset_is_a_folder_with_a_file_a_split(tmp_path: Path) -> None:
    (tmp_path / "org" / "name" / "calm").mkdir(parents=True)
    written(tmp_path / "org" / "name" / "calm" / "test.jsonl", '{"prompt": "one"}\n')
    assert read_rows("org/name", "test", "calm", data_dir=tmp_path) == [("line 1", {"prompt": "one"})]


def test_a_given_folder_of_datasets_comes_before_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, word in (("here/org/name", "here"), ("there/org/name", "there")):
        (tmp_path / place).mkdir(parents=True)
        written(tmp_path / place / "train.jsonl", json.dumps({"prompt": word}) + "\n")
    monkeypatch.chdir(tmp_path / "here")
    assert read_rows("org/name", "train", data_dir=tmp_path / "there")[0][1] == {"prompt": "there"}
    assert read_rows("org/name", "train")[0][1] == {"prompt": "here"}


def test_a_split_may_be_written_of_others(tmp_path: Path) -> None:
    for split in ("train", "test"):
        written(tmp_path / f"{split}.jsonl", json.dumps({"prompt": split}) + "\n")
    assert [row["prompt"] for _, row in read_rows(str(tmp_path), split="test+train")] == ["test", "train"]


def test_a_gated_dataset_is_named_with_its_licence_and_the_ways_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def gated(*_: object, **__: object) -> None:
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'org/rows' is a gated dataset on the Hub. Visit …")

    monkeypatch.setattr(datasets, "load_dataset", gated)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(SpecError) as caught:
        read_rows("org/rows", without="--no-toxicity")
    assert caught.value.faults == (
        "org/rows is gated: accept its licence at https://huggingface.co/datasets/org/rows and set HF_TOKEN to a token "
        "with access; give --data-dir with a folder org/rows; or go without it: --no-toxicity",
    )


CARD = "---\nconfigs:\n- config_name: calm\n  data_files:\n  - split: test\n    path: data/*.parquet\n---\n"


def mirror(folder: Path, word: str) -> Path:
    """A dataset whose card says nothing of what is in it."""
    (folder / "org" / "name" / "data").mkdir(parents=True, exist_ok=True)
    (folder / "org" / "name" / "README.md").write_text(CARD)
    pd.DataFrame([{"prompt": word}]).to_parquet(folder / "org" / "name" / "data" / "test.parquet")
    return folder


def test_another_folder_with_the_same_card_is_another_dataset(tmp_path: Path) -> None:
    folders = [mirror(tmp_path / word, word) for word in ("one", "two")]
    found = [read_rows("org/name", "test", "calm", data_dir=folder)[0][1]["prompt"] for folder in folders]
    assert found == ["one", "two"]


def test_a_corrected_file_is_read_anew_though_its_size_and_time_are_as_before(tmp_path: Path) -> None:
    file = mirror(tmp_path, "one") / "org" / "name" / "data" / "test.parquet"
    before = file.stat()
    assert read_rows("org/name", "test", "calm", data_dir=tmp_path)[0][1] == {"prompt": "one"}
    mirror(tmp_path, "two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert read_rows("org/name", "test", "calm", data_dir=tmp_path)[0][1] == {"prompt": "two"}


def test_the_files_of_a_source_are_those_that_are_read(tmp_path: Path) -> None:
    folder = mirror(tmp_path, "one") / "org" / "name"
    assert source_files("org/name", "test", "calm", data_dir=tmp_path) == {
        "org/name: README.md": folder / "README.md",
        "org/name: data/test.parquet": folder / "data" / "test.parquet",
    }
    written(folder / "other.jsonl", "{}\n")
    assert source_files("org/name", "other", data_dir=tmp_path) == {"org/name": folder / "other.jsonl"}
    assert source_files("org/absent", data_dir=tmp_path) == {}


def test_who_goes_without_bad_rows_gets_the_others_and_a_line_for_each_of_them(tmp_path: Path) -> None:
    jsonl = written(tmp_path / "a.jsonl", '{"prompt": "one"}\n{"prompt": \n{"prompt": "two"}\n')
    csv = written(tmp_path / "a.csv", "prompt\none\na,b\n")
    bad: list[str] = []
    assert [place for place, _ in read_rows(jsonl, bad=bad)] == ["line 1", "line 3"]
    assert [place for place, _ in read_rows(csv, bad=bad)] == ["row 1"]
    first, second = bad
    assert first.startswith(f"{jsonl}, line 2: not JSON in UTF-8")
    assert second == f"{csv}, row 2: more fields than the header has"


def test_half_of_all_rows_or_more_are_not_left_out() -> None:
    leave_out("a.jsonl", ["a.jsonl, line 1: no"], 3)
    with pytest.raises(SpecError) as caught:
        leave_out("a.jsonl", [f"a.jsonl, line {n}: no" for n in range(1, 8)], 14)
    assert caught.value.faults[-1] == "a.jsonl: 7 of 14 rows cannot be used; the first 5 are named"
    assert len(caught.value.faults) == 6
