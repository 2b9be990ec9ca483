"""Replay: the order of texts, the KL to the base by hand, and training with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from mplus_eval.demo import BASE
from mplus_eval.records.training import read_record
from mplus_eval.training.replay import LOGGED, ReplayedTexts, kl_to_base
from mplus_eval.training.train import train
from tests.training.small import BATCH, copy_of_killed, recipe, rlhf_recipe, same

REPLAY = {"replay": {"texts": "demo:texts", "n": 12, "batch_size": 4, "coefficient": 2.0}}


def test_batches_follow_one_another_and_begin_again() -> None:
    texts = ReplayedTexts([[1, 2], [3, 4, 5], [6, 7]], batch_size=2, pad_token_id=0)
    ids, is_text = texts.batch(0)
    assert ids.tolist() == [[1, 2, 0], [3, 4, 5]]
    assert is_text.tolist() == [[True, True, False], [True, True, True]]
    assert texts.batch(1)[0].tolist() == [[6, 7], [1, 2]]
    assert torch.equal(texts.batch(3)[0], texts.batch(0)[0])


class Says(torch.nn.Module):
    """Logits that depend on nothing."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(logits))

    def forward(self, input_ids: torch.Tensor, **_: object) -> object:
        class Output:
            logits = self.logits.expand(*input_ids.shape, -1)

        return Output


def test_the_kl_is_that_of_the_base_to_the_model_over_the_tokens_of_texts() -> None:
    # Base (1/2, 1/2), model (1/4, 3/4): KL = 1/2 ln 2 + 1/2 ln(2/3) = 0.143841 at each of three predicted tokens.
    base, model = Says([0.0, 0.0]), Says([0.0, 3.0**0.5])
    model.logits.data = torch.tensor([0.25, 0.75]).log()
    ids = torch.tensor([[0, 1, 1], [1, 0, 0]])
    found = kl_to_base(model, base, ids, torch.tensor([[True, True, True], [True, True, False]]))
    assert found.item() == pytest.approx(0.143841, abs=1e-6)
    found.backward()
    # The gradient of KL(base || model) by the model's logits is model - base.
    assert model.logits.grad is not None
    assert model.logits.grad.tolist() == pytest.approx([-0.25, 0.25], abs=1e-6)
    assert base.logits.grad is None


def test_the_kl_is_zero_where_nothing_was_forgotten() -> None:
    model = AutoModelForCausalLM.from_pretrained(BASE)
    ids = torch.tensor([[5, 6, 7, 8]])
    assert kl_to_base(model, model, ids, torch.ones_like(ids).bool()).item() == pytest.approx(0.0, abs=1e-7)


def test_an_adapters_base_is_the_model_without_it() -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(BASE)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(BASE), config)
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
    with_adapter = kl_to_base(adapted, None, ids, torch.ones_like(ids).bool())
    assert with_adapter.item() == pytest.approx(kl_to_base(adapted, base, ids, torch.ones_like(ids).bool()).item())
    assert with_adapter.item() > 0.001
    assert with_adapter.requires_grad


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("replayed") / "run"
    train(rlhf_recipe(output, REPLAY))
    return output


def test_the_kl_is_logged_and_the_texts_are_recorded(replayed: Path) -> None:
    steps = [json.loads(line) for line in (replayed / "plus" / "steps.jsonl").read_text().splitlines()]
    assert [step[LOGGED] >= 0 for step in steps] == [True] * 4
    assert steps[0][LOGGED] == pytest.approx(0.0, abs=1e-6)
    assert steps[-1][LOGGED] > 0
    record = read_record(replayed / "plus")
    assert record is not None
    assert [(data.kind, data.n) for data in record.data] == [("prompts", record.data[0].n), ("texts", 12)]


def test_replay_changes_what_is_trained_and_a_resumed_training_sees_the_same_texts(
    replayed: Path, by_vowels: Path, tmp_path: Path
) -> None:
    assert not same(replayed / "plus", by_vowels)
    copy_of_killed(replayed, tmp_path / "killed")
    train(rlhf_recipe(tmp_path / "killed", REPLAY))
    assert same(replayed / "plus", tmp_path / "killed" / "plus")


def test_fine_tuning_replays_too_unless_a_model_is_to_do_without(tmp_path: Path) -> None:
    sft = {"chosen": {**BATCH, "data": "chosen"}, "forgetful": {**BATCH, "data": "chosen", "replay": False}}
    train(recipe(tmp_path, reward=None, rlhf={}, sft=sft, **REPLAY))
    for name, replays in (("chosen", True), ("forgetful", False)):
        lines = (tmp_path / name / "steps.jsonl").read_text().splitlines()
        assert {LOGGED in json.loads(line) for line in lines} == {replays}
