"""What `mplus-eval train` does with bad input: a line for each fault, exit code 2, and nothing is written."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from mplus_eval import cli
from tests.conftest import TinyModel

PLUS = {"learning_rate": 1e-5, "steps": 1, "batch_size": 4, "answers": 2, "max_new_tokens": 8}
OWN_REWARD = {"rewards": {"mine": {"kind": "function", "source": "cli_reward:short"}}}


class Refused:
    """Runs the command where it must be refused, and holds it to that."""

    def __init__(self, folder: Path, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.base, self._capsys = folder, base, capsys

    def rows(self, name: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
        (self.folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return [{"source": name}]

    def __call__(self, *overrides: str, what: str = "all", **changes: Any) -> str:
        """The one line that is said."""
        document = {
            "base": str(self.base),
            "output": "out",
            "device": "cpu",
            "prompts": [{"source": "demo:provoking", "n": 8}],
            "rlhf": {"plus": PLUS | OWN_REWARD},
            "check": {"prompts": [{"source": "demo:provoking", "n": 2}]},
        }
        (self.folder / "recipe.yaml").write_text(yaml.safe_dump(document | changes), encoding="utf-8")
        before = contents(self.folder)
        assert cli.run(["train", what, *overrides, "--config", "recipe.yaml"]) == 2
        assert contents(self.folder) == before
        out, err = self._capsys.readouterr()
        assert out == ""
        (line,) = [line for line in err.splitlines() if line.strip()]
        assert line.startswith("mplus-eval: ")
        return line


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder, but for what Python keeps of modules that it imports."""
    paths = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}


@pytest.fixture
def refused(
    tmp_path: Path, tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "cli_reward", raising=False)
    (tmp_path / "cli_reward.py").write_text("def short(prompt, answer, ended):\n    return -len(answer)\n")
    return Refused(tmp_path, tiny_model(), capsys)


def test_an_unknown_key(refused: Refused) -> None:
    line = refused(rlhf={"plus": PLUS | OWN_REWARD | {"stepz": 3}})
    assert "recipe recipe.yaml: unknown key 'rlhf.plus.stepz'; did you mean steps" in line
    assert "unknown key 'max_lenght'; did you mean max_length" in refused("max_lenght=9")


def test_an_override_that_is_none(refused: Refused) -> None:
    assert "'seed': write dotted.key=value" in refused("seed")


def test_a_kind_that_the_recipe_does_not_train(refused: Refused) -> None:
    assert "train sft: the recipe has no `sft`; it has plus" in refused(what="sft")


def test_a_base_whose_tokenizer_has_no_end_token(refused: Refused) -> None:
    base = refused.folder / "base"
    shutil.copytree(refused.base, base)
    config = json.loads((base / "tokenizer_config.json").read_text())
    del config["eos_token"]
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    assert f"base {base}: its tokenizer has no end token" in refused(base=str(base))


def test_pairs_whose_sides_are_equal(refused: Refused) -> None:
    good = {"prompt": "Hello.", "chosen": "Hi.", "rejected": "No."}
    pairs = refused.rows("pairs.jsonl", [good, {**good, "rejected": " Hi. "}])
    reward = {"learning_rate": 1e-5, "batch_size": 1}
    assert "pairs.jsonl, line 2: chosen and rejected are equal" in refused(pairs=pairs, reward=reward)


def test_an_empty_prompt_and_no_prompt_at_all(refused: Refused) -> None:
    prompts = refused.rows("prompts.jsonl", [{"prompt": "Hello."}, {"prompt": "  "}])
    assert "prompts.jsonl, line 2: an empty prompt" in refused(prompts=prompts)
    assert "prompts.jsonl: it is empty, one row at least is expected" in refused(
        prompts=refused.rows("prompts.jsonl", [])
    )


def test_fewer_prompts_than_a_batch(refused: Refused) -> None:
    line = refused(prompts=[{"source": "demo:provoking", "n": 1}])
    assert "rlhf.plus: 1 prompts are fewer than a batch of 2" in line


def test_prompts_that_leave_no_room_for_an_answer(refused: Refused) -> None:
    assert "rlhf: no prompt is left: 8 left out for their length" in refused(max_length=10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tokenizer: tokenizer.add_tokens(["<|other|>"]), "vocabulary is not that of the base"),
        (lambda tokenizer: setattr(tokenizer, "chat_template", "{{ 1 }}"), "chat template is not that of the base"),
        (lambda tokenizer: setattr(tokenizer, "pad_token", None), "its tokenizer has no padding token"),
    ],
)
def test_a_reward_model_of_another_tokenizer(change: Callable[[Any], None], said: str, refused: Refused) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    other = refused.folder / "other"
    AutoModelForSequenceClassification.from_pretrained(refused.base, num_labels=1).save_pretrained(other)
    tokenizer: Any = AutoTokenizer.from_pretrained(refused.base)
    change(tokenizer)
    tokenizer.save_pretrained(other)
    rewards = {"other": {"source": str(other)}}
    line = refused(rlhf={"plus": PLUS | {"rewards": rewards}})
    assert f"rlhf.plus: reward model {other}: " in line
    assert said in line
    assert str(refused.base) in line or "padding" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def short(:\n", "cli_reward.py, line 1: SyntaxError: invalid syntax"),
        ("def long(prompt, answer, ended):\n    return 1\n", "module 'cli_reward' has no attribute 'short'"),
    ],
)
def test_a_reward_of_ones_own_that_cannot_be_had(text: str, said: str, refused: Refused) -> None:
    (refused.folder / "cli_reward.py").write_text(text)
    line = refused()
    assert "rlhf.plus: 'cli_reward:short': " in line
    assert said in line


@pytest.mark.parametrize(
    ("file", "said"), [("stage.json", "holds another run"), ("thesis.tex", "holds something else")]
)
def test_a_directory_of_another_run(file: str, said: str, refused: Refused) -> None:
    directory = refused.folder / "out" / "plus"
    directory.mkdir(parents=True)
    (directory / file).write_text(json.dumps({"seed": "7"}))
    line = refused()
    assert said in line
    assert str(Path("out", "plus")) in line
