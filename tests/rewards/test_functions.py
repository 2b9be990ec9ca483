"""Functions of a user's: found by name, and one line where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.rewards.functions import load_function


def test_a_function_of_ones_own_is_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_reward.py").write_text("def short(prompt, answer, ended):\n    return -len(answer)\n")
    monkeypatch.chdir(tmp_path)
    assert load_function("my_reward:short")("", "abc", True) == -3


@pytest.mark.parametrize("path", ["no_such_module:f", "json:no_such_function", "json", "json:__name__"])
def test_a_function_that_is_not_there_is_one_line(path: str) -> None:
    with pytest.raises(SpecError, match=repr(path)):
        load_function(path)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\ndef f(:\n", 2, "SyntaxError: invalid syntax"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError: Expecting property name"),
        ("import no_such_library\n", 1, "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise RuntimeError('two\\nlines')\n", 1, "RuntimeError: two lines"),
        ("import sys\nsys.exit('usage')\n", 2, "SystemExit: usage"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line_with_its_place_and_cause(
    text: str, line: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "my_broken_reward.py"
    file.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SpecError) as caught:
        load_function("my_broken_reward:f")
    (fault,) = caught.value.faults
    assert fault.startswith(
        f"'my_broken_reward:f': module my_broken_reward cannot be imported: {file}, line {line}: {said}"
    )
    assert "\n" not in fault
    assert caught.value.__cause__ is not None
