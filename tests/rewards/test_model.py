"""Reward models: the rewards do not depend on the batch, are standardised, and bad checkpoints are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mplus_eval.errors import SpecError
from mplus_eval.rewards.model import _BATCH_TOKENS, SCALE_FILE, RewardModel, standardise
from tests.conftest import TinyModel
from tests.tiny_models import CHAT_TEMPLATE

PROMPTS = [[{"role": "user", "content": text}] for text in ("Hello.", "How do I cook rice for the whole week?", "No.")]


ANSWERS = ["Hi.", "First wash the rice, then cook it in a pot.", "I see that you are not happy. What can I do?"]


CHAT_TEMPLATE_BY_HAND = "<|user|>{}\n<|assistant|>{}\n"


@pytest.fixture
def reward_model(tiny_model: TinyModel, tmp_path: Path) -> Path:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    base = tiny_model(chat_template=CHAT_TEMPLATE)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    model.config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_rewards_do_not_depend_on_what_else_is_in_the_batch(reward_model: Path) -> None:
    model = RewardModel.load(reward_model)
    together = model.score(PROMPTS, ANSWERS)
    alone = [model.score([prompt], [answer])[0] for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 3


def test_batches_hold_so_many_tokens_with_their_padding(reward_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = RewardModel.load(reward_model)
    whole = model.score(PROMPTS, ANSWERS)
    lengths = sorted(len(row) for row in model._encoded(PROMPTS, ANSWERS))
    read: list[tuple[int, ...]] = []

    def noting(module: object, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        read.append(tuple(kwargs["input_ids"].shape))

    model.model.register_forward_pre_hook(noting, with_kwargs=True)
    monkeypatch.setitem(_BATCH_TOKENS, "cpu", 2 * lengths[1])
    assert model.score(PROMPTS, ANSWERS) == pytest.approx(whole, abs=1e-5)
    assert read == [(2, lengths[1]), (1, lengths[2])]
    read.clear()
    # A dialogue that is longer than a batch may be is read alone.
    monkeypatch.setitem(_BATCH_TOKENS, "cpu", 1)
    assert model.score(PROMPTS, ANSWERS) == pytest.approx(whole, abs=1e-5)
    assert read == [(1, length) for length in lengths]
    assert model.score([], []) == []


def test_rewards_are_standardised_by_the_stored_scale(reward_model: Path) -> None:
    raw = RewardModel.load(reward_model).score(PROMPTS, ANSWERS)
    (reward_model / SCALE_FILE).write_text(json.dumps({"mean": 2.0, "deviation": 0.5}))
    assert RewardModel.load(reward_model).score(PROMPTS, ANSWERS) == pytest.approx(
        [(r - 2) / 0.5 for r in raw], abs=1e-5
    )
    assert RewardModel.load(reward_model, scaled=False).score(PROMPTS, ANSWERS) == pytest.approx(raw, abs=1e-6)


def test_a_classifier_of_two_labels_and_an_empty_folder_are_refused(reward_model: Path, tmp_path: Path) -> None:
    config = json.loads((reward_model / "config.json").read_text())
    (reward_model / "config.json").write_text(json.dumps({**config, "id2label": {"0": "a", "1": "b"}}))
    with pytest.raises(SpecError, match="gives 2 numbers, one is expected"):
        RewardModel.load(reward_model)
    with pytest.raises(SpecError, match=r"no config\.json"):
        RewardModel.load(tmp_path / "none")


def test_of_a_dialogue_that_is_too_long_the_beginning_is_cut(reward_model: Path) -> None:
    """Recomputed without the tokenizer's truncation: the last tokens alone."""
    config = json.loads((reward_model / "config.json").read_text())
    (reward_model / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 24}))
    model = RewardModel.load(reward_model)
    text = CHAT_TEMPLATE_BY_HAND.format(PROMPTS[1][0]["content"], ANSWERS[1])
    ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) > 24
    with torch.no_grad():
        expected = model.model(torch.tensor([ids[-24:]])).logits[0, 0].item()
    found = model.score(PROMPTS, ANSWERS)
    assert found[1] == pytest.approx(expected, abs=1e-5)


def test_the_tokenizer_may_allow_less_than_the_positions(reward_model: Path) -> None:
    assert RewardModel.load(reward_model).max_length == 2048
    config = json.loads((reward_model / "tokenizer_config.json").read_text())
    (reward_model / "tokenizer_config.json").write_text(json.dumps(config | {"model_max_length": 30}))
    assert RewardModel.load(reward_model).max_length == 30


def test_where_neither_says_a_real_limit_nothing_is_cut(reward_model: Path) -> None:
    model = RewardModel.load(reward_model)
    before = model.score(PROMPTS, ANSWERS)
    model.model.config.max_position_embeddings = 2**40
    assert model.tokenizer.model_max_length > 1e20
    assert model.score(PROMPTS, ANSWERS) == pytest.approx(before, abs=1e-6)


def test_a_tokenizer_without_padding_is_refused_in_one_line(reward_model: Path) -> None:
    config = json.loads((reward_model / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (reward_model / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(SpecError) as caught:
        RewardModel.load(reward_model)
    (line,) = caught.value.faults
    assert line.startswith(f"reward model {reward_model}: its tokenizer has no padding token")


def test_a_model_that_names_no_padding_takes_its_tokenizers(reward_model: Path) -> None:
    before = RewardModel.load(reward_model).score(PROMPTS, ANSWERS)
    config = json.loads((reward_model / "config.json").read_text())
    (reward_model / "config.json").write_text(json.dumps(config | {"pad_token_id": None}))
    assert RewardModel.load(reward_model).score(PROMPTS, ANSWERS) == pytest.approx(before, abs=1e-6)


def test_standardised_rewards_by_hand():
    assert standardise(torch.tensor([5.0, 1.0]), mean=3.0, deviation=4.0).tolist() == [0.5, -0.5]


@pytest.mark.parametrize("deviation", [0.0, -1.0, float("nan")])
def test_rewards_that_do_not_differ_cannot_be_scaled(deviation):
    with pytest.raises(ValueError, match="deviation"):
        standardise(torch.ones(2), 1.0, deviation)


def test_weights_as_a_pickle_are_not_read(reward_model: Path) -> None:
    from mplus_eval.judges.reward import faults

    assert faults(str(reward_model), "judge") == []
    weights = reward_model / "model.safetensors"
    torch.save({"score.weight": torch.zeros(1, 8)}, reward_model / "pytorch_model.bin")
    assert faults(str(reward_model), "judge") == []
    weights.unlink()
    with pytest.raises(SpecError, match="weights as safetensors are expected"):
        RewardModel.load(reward_model)
    pickled = reward_model / "pytorch_model.bin"
    assert faults(str(reward_model), "judge") == [
        f"judge: {pickled} is a pickle, which may run code; save it as safetensors"
    ]
