from __future__ import annotations

import json
import logging
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mplus_eval.errors import MplusError
from mplus_eval.judges.cache import VerdictCache
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.training import read_record
from mplus_eval.rewards.model import SCALE_FILE, _scale
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.sealed import DamagedFileError, read_sealed, recall, write_sealed, write_sealed_text

VALUE = {"mean": 0.5, "name": "Kübler", "steps": [1, 2], "inner": {"none": None}}


def test_the_seal_is_the_hash_of_the_other_keys_and_stands_last(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_sealed(path, {"deviation": 2.0, "name": "ü"})
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert list(stored) == ["deviation", "name", "sha256"]
    assert stored["sha256"] == sha256(b'{"deviation":2.0,"name":"\\u00fc"}').hexdigest()
    assert read_sealed(path) == {"deviation": 2.0, "name": "ü"}


def test_the_text_of_an_object_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_sealed_text(path, '{\n  "a": 1e-5\n}\n')
    assert path.read_text().startswith('{\n  "a": 1e-5,\n  "sha256": "')
    write_sealed_text(path, "{}")
    assert read_sealed(path) == {}


def test_a_file_that_was_formatted_anew_is_still_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_sealed(path, VALUE)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), sort_keys=True))
    assert read_sealed(path) == VALUE


def test_a_file_without_a_seal_is_read_as_it_is_unless_there_never_were_such(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"a": 1}')
    assert read_sealed(path) == {"a": 1}
    with pytest.raises(DamagedFileError, match="does not have its sha256"):
        read_sealed(path, always_sealed=True)


def test_half_a_surrogate_pair_is_kept_as_json_writes_it(tmp_path: Path) -> None:
    write_sealed(tmp_path / "file.json", {"text": "x \ud83d"})
    assert read_sealed(tmp_path / "file.json") == {"text": "x \ud83d"}


def test_every_single_flipped_bit_is_told_or_changes_nothing(tmp_path: Path) -> None:
    path, value = tmp_path / "file.json", {"mean": 0.5}
    write_sealed(path, value)
    whole = path.read_bytes()
    n_told = 0
    for place in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            found = read_sealed(path)
        except DamagedFileError:
            n_told += 1
        else:
            # In white space, or in the key of the seal itself, which is then one key more.
            assert found["mean"] == value["mean"]
    assert n_told > 0.7 * len(whole) * 8


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds no JSON"),
        (b'{"a": ', "holds no JSON"),
        (b"\x00" * 40, "holds no JSON"),
        (b"\xff\xfe{}", "holds no JSON"),
        (b"[1]", "an object is expected, found list"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": 1, "sha256": 3}', "does not have its sha256"),
    ],
)
def test_what_is_no_whole_object_is_named_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=why) as caught:
        read_sealed(path)
    assert str(caught.value).startswith(f"{path} is damaged (")
    assert "\n" not in str(caught.value)


def test_what_can_be_made_again_is_set_aside_and_said_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file.json"
    assert recall(path) is None
    with caplog.at_level(logging.WARNING):
        path.write_text("half")
        assert recall(path) is None
        path.mkdir()
        assert recall(path) is None
        path.symlink_to(tmp_path / "nowhere")
        assert recall(path) is None
        os.mkfifo(path)
        assert recall(path) is None
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"file.json.damaged{n}" for n in ("", "1", "2", "3")]
    assert all(str(path) in line and "made again" in line for line in caplog.messages)
    write_sealed(path, VALUE)
    assert recall(path) == VALUE


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(
    [
        "schema_version",
        "models",
        "tasks",
        "baseline",
        "value",
        "reason",
        "tokens_in",
        "cause",
        "mean",
        "sha256",
        "files",
    ]
)
contents = st.binary(max_size=60) | st.dictionaries(keys | st.text(max_size=6), documents, max_size=6).map(
    lambda value: json.dumps(value).encode()
)


@given(content=contents)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_content_of_a_stored_file_is_a_traceback(tmp_path: Path, content: bytes) -> None:
    def put(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    readers: list[Any] = [
        lambda: recall(put(tmp_path / "any.json")),
        lambda: Comparison.read(put(tmp_path / "comparison.json")),
        lambda: read_record(put(tmp_path / "checkpoint" / "training.json").parent),
        lambda: VerdictCache(put(tmp_path / "ab" / "abc.json").parents[1]).get("abc"),
        lambda: RunDirectory(put(tmp_path / "failures" / "plus" / "sums.json").parents[2]).failure("plus", "sums"),
        lambda: _scale(put(tmp_path / SCALE_FILE).parent),
    ]
    for read in readers:
        try:
            read()
        except MplusError as error:
            assert str(tmp_path) in str(error)  # noqa: PT017 - whether there is one depends on the content
            assert "\n" not in str(error)  # noqa: PT017
        except ValidationError:
            pytest.fail("what pydantic finds is one line")
