"""Training as a whole, on the demo's base: what it leaves, that it repeats itself, and that it resumes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mplus_eval.errors import InterruptedRunError, SpecError
from mplus_eval.training.callbacks import LogSteps
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.train import train
from mplus_eval.training_record import read_record
from tests.conftest import TinyModel

BATCH = {"learning_rate": 5e-4, "batch_size": 8, "steps": 2}


def recipe(output: Path, **changes: Any) -> Recipe:
    """A recipe of a few steps, with every kind of stage."""
    plus = {"learning_rate": 3e-4, "steps": 4, "batch_size": 8, "answers": 4, "max_new_tokens": 8, "save_every": 2}
    fields: dict[str, Any] = {
        "base": "demo:base",
        "output": output,
        "device": "cpu",
        "threads": 1,
        "max_length": 128,
        "held_out": 0.25,
        "pairs": [{"source": "demo:pairs", "n": 64}],
        "exclude_prompts": [{"source": "demo:provoking", "n": 20, "seed": 1000}],
        "reward": {**BATCH, "referee": True},
        "sft": {"chosen": {**BATCH, "data": "chosen"}},
        "rlhf": {
            "plus": {**plus, "termination": {"penalty": 1.0}, "kl": {"coefficient": 0.1, "target": 1.0, "horizon": 50}}
        },
        "check": {"n_prompts": 4},
    }
    return Recipe.model_validate({**fields, **changes})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "run"
    train(recipe(output))
    return output


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(directory / "model.safetensors"))


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


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


def test_checkpoints_load_with_plain_transformers(trained: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    for name in ("chosen", "plus"):
        model = AutoModelForCausalLM.from_pretrained(trained / name)
        tokenizer = AutoTokenizer.from_pretrained(trained / name)
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": "Hello."}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        assert model.generate(**asked, max_new_tokens=4, pad_token_id=0).shape[1] > asked["input_ids"].shape[1]
    assert AutoModelForSequenceClassification.from_pretrained(trained / "reward").config.num_labels == 1


def test_every_step_is_logged_with_its_reward_parts(trained: Path) -> None:
    import json

    lines = [json.loads(line) for line in (trained / "plus" / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    wanted = {"reward", "kl", "entropy", "completions/mean_length", "end_of_turn_rate", "distinct_2"}
    assert wanted | {"rewards/reward/mean", "rewards/referee/mean", "rewards/termination/mean"} <= set(lines[0])


def test_a_complete_training_is_not_repeated(trained: Path) -> None:
    before = (trained / "plus" / "model.safetensors").stat().st_mtime_ns
    records = train(recipe(trained))
    assert [record.name for record in records] == ["reward", "referee", "chosen", "plus"]
    assert (trained / "plus" / "model.safetensors").stat().st_mtime_ns == before


def test_the_same_seed_gives_the_same_weights_and_another_one_does_not(trained: Path, tmp_path: Path) -> None:
    train(recipe(tmp_path / "again"), ["chosen"])
    train(recipe(tmp_path / "other", seed=1), ["chosen"])
    assert same(trained / "chosen", tmp_path / "again" / "chosen")
    assert not same(trained / "chosen", tmp_path / "other" / "chosen")


def test_a_killed_training_goes_on_to_the_same_weights(trained: Path, tmp_path: Path) -> None:
    output = tmp_path / "killed"
    for name in ("reward", "referee"):
        shutil.copytree(trained / name, output / name)
    plus = output / "plus"
    shutil.copytree(trained / "plus", plus, ignore=shutil.ignore_patterns("checkpoint-4"))
    for name in ("model.safetensors", "training.json"):
        (plus / name).unlink()
    (plus / "checkpoint-3").mkdir()
    (plus / "checkpoint-3" / "model.safetensors").write_bytes(b"half")
    train(recipe(output), ["plus"])
    assert not (plus / "checkpoint-3").exists()
    assert same(plus, trained / "plus")
    assert (plus / "steps.jsonl").read_text().count("\n") == 4


def test_a_directory_of_another_run_is_refused_and_left_alone(trained: Path) -> None:
    before = (trained / "plus" / "model.safetensors").read_bytes()
    with pytest.raises(SpecError, match="holds another run, with different data, reward model, seed"):
        train(recipe(trained, seed=7), ["plus"])
    assert (trained / "plus" / "model.safetensors").read_bytes() == before


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "thesis.tex").write_text("mine")
    with pytest.raises(SpecError, match="holds something else"):
        train(recipe(tmp_path), ["chosen"])


def test_fewer_rows_than_a_batch_are_refused(tmp_path: Path) -> None:
    few = [{"source": "demo:pairs", "n": 8}]
    with pytest.raises(SpecError, match="fewer than a batch of 8"):
        train(recipe(tmp_path, pairs=few))
    assert not any(tmp_path.iterdir())


def test_evaluated_prompts_are_not_trained_on(trained: Path) -> None:
    record = read_record(trained / "plus")
    assert record is not None
    assert record.data[0].n_evaluation_prompts > 0


def test_a_reward_model_of_another_tokenizer_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    other = tmp_path / "other"
    AutoModelForSequenceClassification.from_pretrained(tiny_model(), num_labels=1).save_pretrained(other)
    AutoTokenizer.from_pretrained(tiny_model()).save_pretrained(other)
    changed = recipe(tmp_path / "run").rlhf["plus"].model_dump() | {"rewards": {"other": {"source": str(other)}}}
    with pytest.raises(SpecError, match=rf"reward model {other}: .* vocabulary is not that of the base .*base"):
        train(recipe(tmp_path / "run", rlhf={"plus": changed}), ["plus"])
    assert not (tmp_path / "run").exists()


def test_a_step_that_is_not_a_number_stops_with_the_last_good_checkpoint_named(trained: Path) -> None:
    from transformers import TrainerState

    from mplus_eval.training.stage import Stage

    stage = Stage("plus", trained / "plus", {})
    log = (trained / "plus" / "steps.jsonl").read_text()
    try:
        with pytest.raises(
            InterruptedRunError, match=r"loss is nan at step 5; the last good checkpoint is .*checkpoint-4"
        ):
            LogSteps(stage).on_log(None, TrainerState(global_step=5), None, {"loss": float("nan")})
    finally:
        (trained / "plus" / "steps.jsonl").write_text(log)


def test_the_kl_coefficient_is_steered_and_kept_in_the_checkpoint(trained: Path) -> None:
    import json

    state = json.loads((trained / "plus" / "checkpoint-4" / "trainer_state.json").read_text())
    coefficient = state["stateful_callbacks"]["ControlKl"]["attributes"]["coefficient"]
    assert coefficient != 0.1
