"""The reward model: trained, merged where it was an adapter, and measured on pairs it never saw."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import pytest
import torch

from mplus_eval.demo import BASE
from mplus_eval.rewards.model import SCALE_FILE, RewardModel
from mplus_eval.store.sealed import read_sealed
from mplus_eval.training.models import load_for_reward
from mplus_eval.training.recipe import RewardStage
from mplus_eval.training.reward_model import measure_quality
from mplus_eval.training.train import train
from mplus_eval.training.training_data import gather
from tests.training.small import BATCH, recipe

TEXT = "User: Hello.\nAssistant: I see."


def logits(model: Any, directory: Path) -> torch.Tensor:
    from transformers import AutoTokenizer

    encoded = AutoTokenizer.from_pretrained(directory)(TEXT, return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        return model.eval()(**encoded).logits  # type: ignore[no-any-return]


def test_a_reward_model_trained_as_an_adapter_is_merged_and_gives_the_same_rewards(tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    train(recipe(tmp_path, lora={"rank": 4, "alpha": 8}, reward={**BATCH, "save_every": 2}, sft={}, rlhf={}))
    directory = tmp_path / "reward"
    merged = AutoModelForSequenceClassification.from_pretrained(directory)
    whole = AutoModelForSequenceClassification.from_pretrained(BASE, num_labels=1)
    whole.config.pad_token_id = merged.config.pad_token_id
    # The last saved step keeps the adapter: the same weights before they were merged.
    adapted = PeftModel.from_pretrained(whole, directory / "checkpoint-2")

    assert not list(directory.glob("adapter_*"))
    assert torch.allclose(logits(merged, directory), logits(adapted, directory), atol=1e-4)


@pytest.mark.parametrize(("head", "is_zero"), [("zero", True), ("random", False)])
def test_a_head_of_zeros_begins_with_every_answer_worth_the_same(tmp_path: Path, head: str, is_zero: bool) -> None:
    settings = recipe(tmp_path, reward={**BATCH, "head": head})
    reward = logits(load_for_reward(settings, gather(settings)), BASE)
    assert reward.shape == (1, 1)
    assert (reward.item() == 0.0) is is_zero


def test_the_scale_is_that_of_all_rewards_of_the_held_out_pairs(trained: Path, tmp_path: Path) -> None:
    directory = tmp_path / "reward"
    shutil.copytree(trained / "reward", directory)
    pairs = gather(recipe(tmp_path)).held_out[:6]
    settings = RewardStage.model_validate(BATCH)
    quality = measure_quality(directory, pairs, settings, torch.device("cpu"), torch.float32)

    model = RewardModel.load(trained / "reward", scaled=False)
    prompts = [[message.as_dict() for message in pair.prompt] for pair in pairs]
    raw = [
        reward for side in ("chosen", "rejected") for reward in model.score(prompts, [getattr(p, side) for p in pairs])
    ]
    scale = read_sealed(directory / SCALE_FILE)
    assert scale == {"mean": pytest.approx(fmean(raw)), "deviation": pytest.approx(pstdev(raw))}
    assert quality["n_pairs"] == 6
    assert quality["mean"] == scale["mean"]


def test_without_held_out_pairs_nothing_is_measured_and_without_scaling_no_scale_is_kept(
    trained: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "reward"
    # A record is written when all is measured.
    shutil.copytree(trained / "reward", directory, ignore=shutil.ignore_patterns("training.json", SCALE_FILE))
    pairs = gather(recipe(tmp_path)).held_out[:2]
    unscaled = RewardStage.model_validate({**BATCH, "scale": False})
    assert measure_quality(directory, (), unscaled, torch.device("cpu"), torch.float32) == {}
    assert measure_quality(directory, pairs, unscaled, torch.device("cpu"), torch.float32)["n_pairs"] == 2
    assert not (directory / SCALE_FILE).exists()
