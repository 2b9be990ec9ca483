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


def test_aliases_that_stand_for_more_than_any_file_holds_are_a_fault(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(SpecError, match="line 1: its aliases stand for more than 1,000,000 values"):
        read_yaml(tmp_path / "bomb.yaml", "suite")
    (tmp_path / "within.yaml").write_text("a: &a [*a]")
    with pytest.raises(SpecError, match="its aliases stand for more"):
        read_yaml(tmp_path / "within.yaml", "suite")
    (tmp_path / "sound.yaml").write_text("a: &a {b: [1]}\nc: [*a, *a]\nd: {<<: *a, e: 2}\n")
    assert read_yaml(tmp_path / "sound.yaml", "suite")["d"] == {"b": [1], "e": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("a: " + "9" * 5000, "a value cannot be read"),
        ("a: 2001-13-45", "a value cannot be read"),
    ],
)
def test_values_that_cannot_be_made_are_a_fault(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(SpecError, match=said):
        read_yaml(tmp_path / "odd.yaml", "suite")
