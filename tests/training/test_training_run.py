"""One training: what every stage leaves, that it is measured, and that it goes on from where it stopped."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import InterruptedRunError
from mplus_eval.models.chat_format import PLAIN_TEMPLATE, stored_template
from mplus_eval.records.training import read_record
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.train import train
from tests.training.small import copy_of_killed, recipe, rlhf_recipe, same


def test_every_stage_leaves_a_checkpoint_with_a_record(trained: Path) -> None:
    found = {path.name: read_record(path) for path in trained.iterdir() if path.is_dir()}
    assert set(found) == {"reward", "referee", "chosen", "plus"}
    plus = found["plus"]
    assert plus is not None
    assert (plus.algorithm, plus.step, plus.total_steps, plus.role) == ("RLOO", 4, 4, "plus")
    assert plus.dose is not None
    assert plus.dose.kl_answers > 0
    assert plus.behaviour is not None
    assert set(plus.behaviour.rewards) == {"reward", "referee"}
    assert plus.base_behaviour is not None
    assert plus.base_behaviour.rewards != plus.behaviour.rewards
    assert found["chosen"] is not None
    assert found["chosen"].base_behaviour == plus.base_behaviour
    assert found["reward"] is not None
    assert 0 <= found["reward"].quality["accuracy"] <= 1


@pytest.mark.parametrize("place", ["plus", "plus/checkpoint-2", "chosen"])
def test_a_checkpoint_brings_what_a_comparison_asks_it_with(trained: Path, place: str) -> None:
    """The tokenizer and the template of its training, and the tokens that end its answers."""
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(trained / place)
    ends = GenerationConfig.from_pretrained(trained / place).eos_token_id
    assert stored_template(trained / place) == PLAIN_TEMPLATE
    assert tokenizer.eos_token_id in (ends if isinstance(ends, list) else [ends])


def test_every_step_is_logged_with_its_reward_parts(trained: Path) -> None:
    import json

    lines = [json.loads(line) for line in (trained / "plus" / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    wanted = {"reward", "kl", "entropy", "completions/mean_length", "end_of_turn_rate", "distinct_2"}
    assert wanted | {"rewards/reward/mean", "rewards/referee/mean", "rewards/termination/mean"} <= set(lines[0])


def test_a_killed_training_goes_on_to_the_same_weights(trained: Path, tmp_path: Path) -> None:
    output = tmp_path / "killed"
    for name in ("reward", "referee"):
        shutil.copytree(trained / name, output / name)
    plus = copy_of_killed(trained / "plus", output / "plus")
    (plus / "checkpoint-3").mkdir()
    (plus / "checkpoint-3" / "model.safetensors").write_bytes(b"half")
    train(recipe(output), ["plus"])
    assert not (plus / "checkpoint-3").exists()
    assert same(plus, trained / "plus")
    assert (plus / "steps.jsonl").read_text().count("\n") == 4


VARIANTS: dict[str, dict[str, Any]] = {
    "grpo": {"algorithm": "grpo"},
    "lora": {},
    "mask": {"termination": {"mask": True}},
    "stop strings": {"termination": {"stop_strings": ["."]}},
    "passes": {"accumulate": 2, "iterations": 2},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_rlhf_goes_on_to_the_same_weights(variant: str, tmp_path: Path) -> None:
    changes = {"lora": {"rank": 4}} if variant == "lora" else {}
    (whole,) = train(rlhf_recipe(tmp_path / "whole", changes, **VARIANTS[variant]))
    assert (whole.algorithm, whole.step) == ("GRPO" if variant == "grpo" else "RLOO", 4)

    killed = copy_of_killed(tmp_path / "whole" / "plus", tmp_path / "killed" / "plus")
    train(rlhf_recipe(tmp_path / "killed", changes, **VARIANTS[variant]))

    assert same(killed, tmp_path / "whole" / "plus")
    assert not same(killed / "checkpoint-2", killed)


def test_a_training_that_was_killed_after_its_last_step_takes_no_further_one(by_vowels: Path, tmp_path: Path) -> None:
    killed = copy_of_killed(by_vowels, tmp_path / "plus", without=())
    (record,) = train(rlhf_recipe(tmp_path))
    assert (record.step, record.total_steps) == (4, 4)
    assert same(killed, by_vowels)
    assert (killed / "steps.jsonl").read_text() == (by_vowels / "steps.jsonl").read_text()


@pytest.mark.parametrize("kind", ["sft", "adapter"])
def test_supervised_stages_and_adapters_take_no_further_step_either(kind: str, tmp_path: Path) -> None:
    stage = {"learning_rate": 5e-4, "batch_size": 8, "steps": 2, "save_every": 2, "data": "chosen"}
    changes = {"sft": {"chosen": stage}, "lora": {"rank": 4} if kind == "adapter" else None}
    train(rlhf_recipe(tmp_path / "whole", changes), ["chosen"])
    killed = copy_of_killed(tmp_path / "whole" / "chosen", tmp_path / "killed" / "chosen", without=())
    (record,) = train(rlhf_recipe(tmp_path / "killed", changes), ["chosen"])
    assert record.step == 2
    assert same(killed, tmp_path / "whole" / "chosen")


def fills(step: int, error: Exception) -> Any:
    """A trainer's method that finds the disk full at one step, when the weights are already written."""
    from transformers import Trainer

    saved = Trainer._save_optimizer_and_scheduler

    def save(self: Any, directory: str) -> None:
        if self.state.global_step == step:
            raise error
        saved(self, directory)

    return save


def full_disk_errors() -> list[Exception]:
    """As Python and safetensors report it."""
    from safetensors import SafetensorError

    text = "Error while serializing: I/O error: No space left on device (os error 28)"
    return [OSError(errno.ENOSPC, "No space left on device"), SafetensorError(text)]


@pytest.mark.parametrize("error", full_disk_errors(), ids=["python", "safetensors"])
def test_a_full_disk_names_the_last_good_checkpoint_and_training_goes_on_from_it(
    error: Exception, by_vowels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("transformers.Trainer._save_optimizer_and_scheduler", fills(4, error))
        with pytest.raises(InterruptedRunError, match=r"plus: the disk of .* is full; .* is .*checkpoint-2$"):
            train(rlhf_recipe(tmp_path / "full"))
    assert (tmp_path / "full" / "plus" / "checkpoint-4" / "model.safetensors").is_file()

    train(rlhf_recipe(tmp_path / "full"))
    assert same(tmp_path / "full" / "plus", by_vowels)


def test_a_full_disk_before_the_first_checkpoint_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.Trainer._save_optimizer_and_scheduler", fills(2, full_disk_errors()[0]))
    with pytest.raises(InterruptedRunError, match="is full; no checkpoint was saved before"):
        train(rlhf_recipe(tmp_path))


def test_a_disk_that_fills_when_the_final_model_is_saved_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise full_disk_errors()[1]

    monkeypatch.setattr("transformers.Trainer.save_model", full)
    monkeypatch.setattr("transformers.Trainer._save_checkpoint", lambda *_: None)
    with pytest.raises(InterruptedRunError, match="is full"):
        train(rlhf_recipe(tmp_path, steps=1, save_every=None))


@pytest.mark.parametrize(("free", "kind"), [(0, InterruptedRunError), (2**30, RuntimeError)])
def test_torch_says_nothing_of_the_disk_so_what_is_free_is_asked(
    free: int, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr("mplus_eval.training.training_run.shutil.disk_usage", lambda _: usage)
    monkeypatch.setattr("transformers.Trainer._save_optimizer_and_scheduler", fills(2, error))
    with pytest.raises(kind):
        train(rlhf_recipe(tmp_path / "run"))


def test_another_error_is_not_taken_for_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.Trainer._save_optimizer_and_scheduler", fills(2, OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"):
        train(rlhf_recipe(tmp_path))


def note_saved_steps(recipe: Recipe, directory: Path) -> None:
    """An evaluation that notes which steps it saw, beside the stage's directory."""
    steps = sorted(path.name for path in directory.glob("checkpoint-*"))
    (recipe.output / f"{directory.name}-seen-{len(steps)}").write_text(" ".join(steps))


def test_the_evaluation_that_is_handed_in_sees_the_saved_steps(tmp_path: Path) -> None:
    train(rlhf_recipe(tmp_path, evaluate_every=2, evaluate_in="rank 0"), evaluate=note_saved_steps)
    assert (tmp_path / "plus-seen-1").read_text() == "checkpoint-2"
    assert (tmp_path / "plus-seen-2").read_text() == "checkpoint-2 checkpoint-4"
