"""Training as a whole, on the demo's base: what it leaves, that it repeats itself, and that it resumes."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import InterruptedRunError, SpecError
from mplus_eval.records.training import read_record
from mplus_eval.training.callbacks import LogSteps
from mplus_eval.training.train import train
from tests.conftest import TinyModel
from tests.training.small import copy_of_killed, recipe, rlhf_recipe, same


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "run"
    train(recipe(output))
    return output


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


def test_lm_eval_reads_a_trained_checkpoint(trained: Path) -> None:
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    context, continuation = "User: Hello.\nAssistant:", " I see."
    request = Instance("loglikelihood", doc={}, arguments=(context, continuation), idx=0)
    model = HFLM(pretrained=str(trained / "plus"), device="cpu", dtype="float32", batch_size=1)
    ((found, _),) = model.loglikelihood([request], disable_tqdm=True)

    tokenizer = AutoTokenizer.from_pretrained(trained / "plus")
    whole = tokenizer(context + continuation, return_tensors="pt")["input_ids"]
    n_context = len(tokenizer(context)["input_ids"])
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(trained / "plus")(whole).logits[0]
    chances = logits.log_softmax(-1)[range(n_context - 1, whole.shape[1] - 1), whole[0, n_context:]]
    assert len(chances) > 0
    assert found == pytest.approx(float(chances.sum()), abs=1e-4)


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
    plus = copy_of_killed(trained / "plus", output / "plus")
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


def test_settings_that_trl_refuses_are_said_before_any_work(tmp_path: Path) -> None:
    plus = recipe(tmp_path).rlhf["plus"].model_dump() | {"algorithm": "grpo", "clip_reward": 1.0}
    wrong = recipe(tmp_path / "run", reward={"learning_rate": 1e-4, "trl": {"max_lenght": 8}}, rlhf={"plus": plus})
    with pytest.raises(SpecError) as caught:
        train(wrong)
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["reward", "plus"]
    assert not (tmp_path / "run").exists()


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


@pytest.fixture(scope="module")
def by_vowels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that `rlhf_recipe` trains when nothing goes wrong."""
    output = tmp_path_factory.mktemp("vowels")
    train(rlhf_recipe(output))
    return output / "plus"


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
