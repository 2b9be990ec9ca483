"""A definition runs code only where its folder was named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mplus_eval import cli
from mplus_eval.capability.foreign_code import refuse_foreign_code
from mplus_eval.capability.task_config import subtask_configs
from mplus_eval.errors import UsageError
from tests.task_files import write_rows, write_task, write_yaml
from tests.toy import write_checkpoint

CODE = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef ask(doc):\n    return doc['question']\n"


def hostile(folder: Path, **changes: object) -> Path:
    """A definition with a function beside it whose module leaves a file when it is imported."""
    path = write_task(folder, "sums", **{"doc_to_text": "!function asking.ask.py", **changes})
    (folder / "asking.py").write_text(CODE)
    return path


def test_a_function_runs_in_the_folder_that_is_named_and_nowhere_else(tmp_path: Path) -> None:
    path = hostile(tmp_path / "theirs")
    with pytest.raises(UsageError) as refused:
        subtask_configs(str(path), None)
    assert str(refused.value) == (
        f"{path} names the function 'asking.ask', which is code and runs only where its folder is named: "
        f"--tasks-dir {path.parent}"
    )
    with pytest.raises(UsageError, match="names the function"):
        subtask_configs(str(path), tmp_path / "other")
    assert not (path.parent / "ran").exists()
    (config,) = subtask_configs("sums", path.parent)
    assert callable(config.config["doc_to_text"])
    assert (path.parent / "ran").exists()


@pytest.mark.parametrize("where", ["process_docs", "filter_list", "class"])
def test_it_is_found_wherever_it_stands(tmp_path: Path, where: str) -> None:
    value = [{"name": "x", "filter": [{"function": "!function asking.ask.py"}]}] if where == "filter_list" else None
    path = hostile(tmp_path, doc_to_text="{{question}}", **{where: value or "!function asking.ask.py"})
    with pytest.raises(UsageError, match=r"asking\.ask"):
        refuse_foreign_code(path, None)


def test_what_a_named_definition_includes_from_elsewhere_is_foreign(tmp_path: Path) -> None:
    theirs = hostile(tmp_path / "theirs")
    write_rows(tmp_path / "mine")
    mine = write_yaml(tmp_path / "mine" / "mine.yaml", {"include": str(theirs), "task": "mine"})
    with pytest.raises(UsageError, match="theirs"):
        subtask_configs("mine", mine.parent)
    link = tmp_path / "mine" / "linked.yaml"
    link.symlink_to(theirs)
    with pytest.raises(UsageError, match="theirs"):
        refuse_foreign_code(link, mine.parent)
    assert not (theirs.parent / "ran").exists()


def test_definitions_without_functions_files_in_circles_and_no_yaml_are_no_concern(tmp_path: Path) -> None:
    refuse_foreign_code(write_task(tmp_path, "plain"), None)
    circle = write_yaml(tmp_path / "circle.yaml", {"include": "circle.yaml", "task": "circle"})
    refuse_foreign_code(circle, None)
    (tmp_path / "none.yaml").write_text("a: [")
    refuse_foreign_code(tmp_path / "none.yaml", None)


def test_a_suite_from_somebody_runs_no_code_and_says_so_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = hostile(tmp_path / "theirs")
    suite = tmp_path / "theirs" / "suite.yaml"
    suite.write_text("name: theirs\ntasks: [{name: sums, lm_eval: sums.yaml, shots: 0, metric: acc}]\n")
    models = [f"{name}={write_checkpoint(tmp_path / name, len(name))}" for name in ("base", "plus")]
    assert cli.run(["compare", *models, "--suite", str(suite), "--dry-run", "--quiet"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path} names the function 'asking.ask'" in line
    assert not (path.parent / "ran").exists()
    assert str(path.parent / "asking") not in sys.modules
