from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.store.yaml import read_yaml


def fault(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        read_yaml(path, "config")
    (line,) = caught.value.faults
    return line


def test_a_mapping_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: Kübler\nlimit: 3\nflags: [true, no]\n", encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml", "config") == {"name": "Kübler", "limit": 3, "flags": [True, False]}


def test_mappings_may_be_merged(tmp_path: Path) -> None:
    text = "a: &defaults {source: ./a, dtype: bfloat16}\nb: {<<: *defaults, source: ./b}\n"
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml", "config")["b"] == {"source": "./b", "dtype": "bfloat16"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("models: {base: ./a}\nmodels: {plus: ./b}", ", line 2: key 'models' stands twice"),
        ("models:\n  a: ./a\n  a: ./b", ", line 3: key 'a' stands twice"),
        ("models: [", ", line 1: expected the node content"),
        ("a: !!python/object:os.system {}", ", line 1: could not determine a constructor"),
        ("- a", ": a mapping of keys to values is expected, found a list"),
        ("", ": a mapping of keys to values is expected, found nothing"),
        ("text", ": a mapping of keys to values is expected, found a str"),
        (b"models: \xff\xfe", ": not UTF-8 text"),
        (b"a: \x00", ": unacceptable character"),
    ],
)
def test_a_faulty_file_is_one_line_with_its_place(tmp_path: Path, text: str | bytes, line: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert fault(path).startswith(f"config {path}{line}")
    assert "\n" not in fault(path)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    assert (
        fault(tmp_path / "absent.yaml")
        == f"config {tmp_path / 'absent.yaml'}: cannot be read (No such file or directory)"
    )
