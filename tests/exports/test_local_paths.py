"""Local paths become their last name; ids of the hub, addresses and other words stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.exports.local_paths import without_local_paths


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("/home/jo/runs/plus", "plus"),
        ("/home/jo doe/my runs/plus/", "plus"),
        ("~/runs/plus", "plus"),
        ("./runs/plus", "plus"),
        ("../plus", "plus"),
        ("C:\\Users\\jo\\plus", "plus"),
        ("\\\\server\\share\\plus", "plus"),
        ("file:///home/jo/x.jsonl", "x.jsonl"),
        ("loading: OSError in /home/jo/plus/config.json, line 3", "loading: OSError in config.json, line 3"),
        ("base=/home/jo/base,role=base", "base=base,role=base"),
        ("mistralai/Mistral-7B-v0.1", "mistralai/Mistral-7B-v0.1"),
        ("https://localhost:8000/v1", "https://localhost:8000/v1"),
        ("demo:base", "demo:base"),
        ("24/7 and 1/2, a / b", "24/7 and 1/2, a / b"),
        ("acc,none", "acc,none"),
        ("", ""),
    ],
)
def test_a_text(text: str, shared: str) -> None:
    assert without_local_paths(text) == shared


def test_the_working_directory_and_home_go_also_with_a_space_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "jo doe"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    assert without_local_paths(f"bad row: {home}/data/x.jsonl, row 3") == "bad row: x.jsonl, row 3"


def test_what_is_within_lists_and_mappings() -> None:
    value = {"/home/jo/a": [1, None, True, {"b": "/home/jo/c"}]}
    assert without_local_paths(value) == {"a": [1, None, True, {"b": "c"}]}
