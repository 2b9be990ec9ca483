from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest

from mplus_eval import cli
from mplus_eval.errors import SpecError
from mplus_eval.spec import compare
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.fields import Positive
from mplus_eval.spec.option import Command, Option

COMMANDS: tuple[Command, ...] = ("compare", "toxicity", "conversation")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What a command hands on, by field; it ends there."""
    handed: dict[str, object] = {}

    def note(models: object, config: object, options: dict[str, object]) -> None:
        handed.update(options)
        raise SpecError(["noted"])

    monkeypatch.setattr("mplus_eval.spec.draft.draft_spec", note)
    return handed


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_the_options_of_the_fields_that_say_so(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([command, *(["compare"] if command != "compare" else []), "--help"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    for name, field in CompareSpec.model_fields.items():
        for option in [beside for beside in field.metadata if isinstance(beside, Option)]:
            flag = f"--{option.flag or name.replace('_', '-')} "
            words = option.help_in(command)
            assert (flag in page) is (words is not None), (command, name)
            assert words is None or words in page


def test_a_new_option_is_a_new_field_alone(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    class Extended(CompareSpec):
        most_items: Annotated[Positive | None, Option("Items at most.", toxicity=True)] = None

    monkeypatch.setattr(compare, "CompareSpec", Extended)

    assert cli.run(["toxicity", "compare", "--help"]) == 0
    assert "--most-items <int>" in capsys.readouterr().out
    assert cli.run(["toxicity", "base=.", "--most-items", "3"]) == 2
    assert given["most_items"] == 3


def test_what_was_given_is_handed_on_by_field_and_the_rest_is_none(given: dict[str, object]) -> None:
    arguments = ["--limit", "3", "--tasks", "a,b", "--no-toxicity", "--scorer", "words", "--scorer", "x"]
    assert cli.run(["compare", "base=.", *arguments, "--trajectory", "./run", "--seed", "0"]) == 2

    assert {name: value for name, value in given.items() if value is not None} == {
        "limit": "3",
        "tasks": "a,b",
        "toxicity": False,
        "scorers": ["words", "x"],
        "trajectory": [Path("run")],
        "seed": 0,
    }
    assert given["judges"] is None


def test_a_command_of_one_axis_switches_the_others_off(given: dict[str, object]) -> None:
    assert cli.run(["toxicity", "base=.", "--limit", "3"]) == 2
    assert [given[axis] for axis in ("capability", "toxicity", "conversation")] == [False, True, False]
    assert cli.run(["conversation", "base=.", "--dialogues", "demo"]) == 2
    assert [given[axis] for axis in ("capability", "toxicity", "conversation")] == [False, False, True]


def test_the_environment_gives_the_data_where_no_option_does(
    given: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLUS_EVAL_DATA", "/data")
    assert cli.run(["compare", "base=."]) == 2
    assert str(given["data_dir"]) == "/data"


def test_fields_are_read_by_the_command_that_takes_them_alone() -> None:
    code = "import sys\nfrom mplus_eval import cli\ncli.run(['--help'])\nprint('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
