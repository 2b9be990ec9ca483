from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mplus_eval import compare
from mplus_eval.cli.tasks import app
from mplus_eval.errors import SpecError, UsageError
from tests.conftest import TinyModel
from tests.hub_stand_in import serve_hub
from tests.task_files import CHOICE, write_rows, write_task, write_yaml


@pytest.fixture
def tasks_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    write_task(folder, "sums", num_fewshot=1)
    return folder


@pytest.fixture
def suite(tasks_dir: Path) -> Path:
    tasks = [{"name": "plus", "lm_eval": "sums", "shots": 2, "items": 6, "kind": "choice"}]
    return write_yaml(tasks_dir / "own.suite.yaml", {"name": "own", "description": "one task", "tasks": tasks})


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_list_shows_the_default_suite() -> None:
    result = invoke("list")
    assert result.exit_code == 0
    lines = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    assert lines["mmlu"] == ["mmlu", "mmlu", "5", "acc", "14,042", "choice"]
    assert lines["race_high"] == ["race_high", "race", "0", "acc", "1,045", "choice"]


def test_list_shows_a_suite_of_the_users(suite: Path) -> None:
    result = invoke("list", "--suite", suite)
    assert "Suite own: one task" in result.stdout
    assert ["plus", "sums", "2", "own", "6", "choice"] in [line.split() for line in result.stdout.splitlines()]


def test_list_says_what_is_asked_besides_tasks() -> None:
    lines = invoke("list", "--suite", "mini").stdout.splitlines()
    (toxicity,) = [line for line in lines if line.startswith("Toxicity: ")]
    assert "provoking (demo:provoking)" in toxicity
    assert toxicity.endswith("10 continuations each, scored by words.")
    assert any(line.startswith("Conversation: demo, judged by referee, function:") for line in lines)


def test_check_loads_prompts_scorers_and_dialogues_too(tmp_path: Path) -> None:
    sets = [{"name": "own", "source": str(tmp_path / "absent.jsonl")}, {"name": "demo", "source": "demo:provoking"}]
    suite = write_yaml(
        tmp_path / "suite.yaml",
        {
            "name": "own",
            "tasks": [],
            "harmlessness": {"scorers": ["words"], "primary": "demo", "sets": sets},
            "conversation": {"dialogues": "demo"},
        },
    )
    result = invoke("check", "--suite", suite, "--limit", 5)
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert {"ok      demo: 5 prompts", "ok      dialogues: 5 dialogues"} <= set(lines)
    assert any(line.startswith("failed  prompt set 'own': ") for line in lines)
    assert lines[-1] == "3 of 4 prompt sets, scorers and dialogues can be had."


def test_list_all_names_everything_that_can_be_asked(tasks_dir: Path) -> None:
    names = set(invoke("list", "--all", "--tasks-dir", tasks_dir).stdout.splitlines())
    assert {
        "task   sums",
        "task   drop_answers",
        "task   boolq",
        "group  leaderboard",
        "suite  mmlu",
        "suite  gsm8k",
        "set    xstest  XSTest: safe requests that sound unsafe, and unsafe ones beside them (450 rows, CC BY 4.0)",
    } <= names
    (gated,) = (name for name in names if name.startswith("set    wildguardtest "))
    assert gated.endswith("gated: https://huggingface.co/datasets/allenai/wildguardmix)")


def test_list_says_which_sets_of_a_suite_are_gated(tmp_path: Path) -> None:
    sets = [{"name": "demo", "source": "demo:provoking"}]
    refusals = {"sets": [{"set": "xstest"}, {"set": "harmbench"}]}
    harmlessness = {"scorers": ["words"], "primary": "demo", "sets": sets, "refusals": refusals}
    suite = write_yaml(tmp_path / "suite.yaml", {"name": "own", "tasks": [], "harmlessness": harmlessness})
    assert "xstest (Paul/XSTest), harmbench (walledai/HarmBench, gated);" in invoke("list", "--suite", suite).stdout


def test_check_prints_a_prompt_with_its_target(suite: Path, tasks_dir: Path) -> None:
    result = invoke("check", "--suite", suite, "--tasks-dir", tasks_dir, "--limit", "first:4")
    assert result.exit_code == 0
    first, *rest = result.stdout.splitlines()
    assert first == "ok      plus: 4 items, choice, 2 shots, acc (none), by guessing 50.0%"
    assert rest[0] == "  prompt of sums/0:"
    assert "  | 0 + 1 =" in rest
    assert rest[rest.index("  target:") + 1] == "  | 1"
    assert rest[-1] == "1 of 1 tasks can be loaded."


def test_check_goes_on_after_a_task_that_fails(tasks_dir: Path) -> None:
    write_task(tasks_dir, "broken", doc_to_text="!function absent.ask.py")
    result = invoke("check", "--tasks", "broken,sums", "--tasks-dir", tasks_dir)
    assert result.exit_code == 3
    assert "failed  task 'broken': " in result.stdout
    assert "ok      sums: 6 items" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 of 2 tasks can be loaded."


def test_check_refuses_unknown_tasks_before_loading_any(tasks_dir: Path) -> None:
    error = invoke("check", "--tasks", "sums,mmlo", "--tasks-dir", tasks_dir).exception
    assert isinstance(error, SpecError)
    assert error.exit_code == 2
    assert str(error).startswith("unknown task 'mmlo'; did you mean mmlu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tasks", " , "], "--tasks is empty"),
        (["--suite", "mplu"], "did you mean mplus"),
        (["--tasks-dir", "absent"], "--tasks-dir 'absent': no such directory"),
        (["--data-dir", "absent"], "--data-dir 'absent': no such directory"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], message: str) -> None:
    error = invoke("check", *arguments).exception
    assert isinstance(error, UsageError)
    assert message in str(error)
    assert "\n" not in str(error)


def test_a_limit_of_nothing_is_refused() -> None:
    error = invoke("check", "--limit", "0").exception
    assert isinstance(error, UsageError)
    assert str(error) == "--limit '0': a whole number above 0, or first:N for the first N"


def test_fetch_mirrors_what_check_and_compare_then_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: TinyModel
) -> None:
    from huggingface_hub import constants

    write_task(tmp_path / "tasks", "sums", CHOICE, dataset_path="org/sums", dataset_kwargs=None)
    folder = tmp_path / "hub" / "org" / "sums"
    write_rows(folder)
    splits = [{"split": "test", "path": "rows.jsonl"}, {"split": "train", "path": "examples.jsonl"}]
    write_yaml(folder / "card", {"configs": [{"config_name": "default", "data_files": splits}]})
    (folder / "README.md").write_text(f"---\n{(folder / 'card').read_text()}---\n")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    asked = ("--tasks", "sums", "--tasks-dir", tmp_path / "tasks")
    with serve_hub(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        result = invoke("fetch", "--to", tmp_path / "mirror", *asked)
    assert result.exit_code == 0, result.exception
    assert result.stdout.splitlines() == [
        "[1/1] org/sums",
        f"Done: 1 dataset in {tmp_path / 'mirror'}. Use it with --data-dir {tmp_path / 'mirror'}",
    ]
    checked = invoke("check", "--data-dir", tmp_path / "mirror", *asked)
    assert checked.exit_code == 0, checked.stdout

    options = {"data_dir": tmp_path / "mirror", "tasks": "sums", "tasks_dir": tmp_path / "tasks"}
    run = compare({"base": str(tiny_model())}, output=tmp_path / "run", **options)
    assert run.comparison.tasks["sums"].scores["base"].n_scored == 6


def test_fetch_needs_a_place() -> None:
    assert invoke("fetch").exit_code == 2


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mplus_eval.cli.tasks import app\n"
        "try: app(['--help'])\n"
        "finally: print(sorted({'torch', 'datasets', 'lm_eval', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
