from __future__ import annotations

import json
from pathlib import Path

import pytest

from mplus_eval.demo import BASE
from mplus_eval.errors import UsageError
from mplus_eval.models.chat_format import PLAIN_TEMPLATE
from mplus_eval.records.training import read_record
from mplus_eval.store.hashes import weights_hash
from mplus_eval.training import demo_recipe as recipes
from mplus_eval.training.demo_models import demo_models
from mplus_eval.training.recipe import load_recipe


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a small recipe so that training takes a moment."""
    small = ["pairs.0.n=64", "reward.batch_size=8", "rlhf.plus.batch_size=8", "check.n_prompts=4", "check.n_texts=2"]
    # Processes of their own would take longer to begin than these stages to train.
    small += ["stages_at_once=1"]
    small += [f"{stage}.steps=2" for stage in ("reward", "sft.instruct", "sft.sft", "sft.chosen", "rlhf.plus")]
    small += [f"sft.{name}.batch_size=8" for name in ("instruct", "sft", "chosen")]
    recipe = load_recipe("demo", small)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(recipes, "load_recipe", lambda name: recipe)
    return tmp_path / "mplus-eval" / "demo"


def test_the_base_is_the_packaged_directory() -> None:
    assert demo_models(["base"]) == [BASE]
    assert (BASE / "model.safetensors").is_file()


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(
        UsageError, match="no demo model 'other'; there are base, instruct, sft, chosen, forgetful, plus"
    ):
        demo_models(["other"])


def test_a_model_is_trained_once_step_by_step(cache: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    (directory,) = demo_models(["sft"], lambda *step: steps.append(step))
    assert [step for step in steps if step[0] == "training sft"] == [("training sft", 1, 2), ("training sft", 2, 2)]
    n_steps = len(steps)
    assert demo_models(["sft"], lambda *step: steps.append(step)) == [directory]
    assert len(steps) == n_steps


def test_plus_is_trained_with_the_reward_model_that_it_needs(cache: Path) -> None:
    (directory,) = demo_models(["plus"])
    record = read_record(directory)
    assert record is not None
    assert record.algorithm == "RLOO"
    assert {path.name for path in directory.parent.iterdir() if path.is_dir()} == {"reward", "referee", "plus"}
    assert not list(directory.glob("checkpoint-*"))


def test_a_trained_model_has_changed_weights_and_the_chat_template(cache: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (directory,) = demo_models(["instruct"])
    tokenizer = AutoTokenizer.from_pretrained(directory)
    assert tokenizer.chat_template == PLAIN_TEMPLATE
    messages = [{"role": "user", "content": "Hello."}]
    asked = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert asked == "<s>User: Hello.\nAssistant:"
    assert str(AutoModelForCausalLM.from_pretrained(directory, dtype="auto").dtype) == "torch.float32"
    assert weights_hash(directory) != weights_hash(BASE)


def test_the_base_weighs_at_most_2_500_000_bytes_and_says_float32() -> None:
    assert (BASE / "model.safetensors").stat().st_size <= 2_500_000
    assert json.loads((BASE / "config.json").read_text())["dtype"] == "float32"
