from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.spec.config import load_config


def test_a_shipped_configuration_is_read_by_its_name() -> None:
    assert load_config("demo")["suite"] == "mini"


def test_a_file_comes_before_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").write_text("suite: own")
    monkeypatch.chdir(tmp_path)
    assert load_config("demo") == {"suite": "own"}


def test_what_is_neither_is_told_the_shipped_names() -> None:
    with pytest.raises(SpecError, match=r"config 'other': no such file, .* \(demo, mistral-plus\)"):
        load_config("other")
