"""RLHF's own choices: what ends an answer, what one that the limit cut is worth, and the kinds of advantage."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mplus_eval.demo import BASE
from mplus_eval.training import rlhf
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.rlhf import stopping
from mplus_eval.training.train import train
from tests.training.small import rlhf_recipe, same, weights


def changed(directory: Path) -> bool:
    """Whether training moved any weight."""
    base, trained = load_file(BASE / "model.safetensors"), weights(directory)
    return any(not torch.equal(trained[name], base[name]) for name in trained if name in base)


def log(directory: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (directory / "steps.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
def test_masked_answers_do_not_contribute(algorithm: str, tmp_path: Path) -> None:
    # One token is no time to end a turn, so the limit cuts every answer.
    short = {"algorithm": algorithm, "max_new_tokens": 1, "steps": 1, "save_every": None, "kl": {"coefficient": 0.0}}
    train(rlhf_recipe(tmp_path / "masked", termination={"mask": True}, **short))
    train(rlhf_recipe(tmp_path / "counted", termination={"penalty": 1.0}, **short))

    (first,) = log(tmp_path / "masked" / "plus")
    assert first["completions/clipped_ratio"] == 1.0
    assert first["grad_norm"] == 0.0
    assert not changed(tmp_path / "masked" / "plus")
    assert changed(tmp_path / "counted" / "plus")


def test_the_penalty_lowers_the_reward_by_the_share_of_answers_that_were_cut(tmp_path: Path) -> None:
    train(rlhf_recipe(tmp_path, steps=1, save_every=None, termination={"penalty": 2.0}))
    (first,) = log(tmp_path / "plus")
    cut = 1.0 - first["end_of_turn_rate"]
    assert 0 < cut <= 1
    assert first["completions/clipped_ratio"] == pytest.approx(cut)
    assert first["rewards/termination/mean"] == pytest.approx(-2.0 * cut)
    assert first["reward"] == pytest.approx(first["rewards/vowels/mean"] - 2.0 * cut, abs=1e-6)


def test_answers_end_at_a_stop_string_in_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []
    original = rlhf.termination_part

    def spying(*settings: Any) -> Any:
        part = original(*settings)

        def termination(completion_ids: Any, **others: Any) -> Any:
            seen.extend(completion_ids)
            return part(completion_ids=completion_ids, **others)

        return termination

    monkeypatch.setattr(rlhf, "termination_part", spying)
    train(rlhf_recipe(tmp_path, steps=2, max_new_tokens=16, termination={"stop_strings": ["a"]}))

    tokenizer = load_tokenizer(BASE, None)
    texts = [(tokenizer.decode(ids[:-1]), tokenizer.decode(ids)) for ids in seen]
    assert len(texts) == 16
    assert sum("a" in whole for _, whole in texts) >= 8
    assert all("a" not in before for before, _ in texts)
    assert log(tmp_path / "plus")[0]["completions/mean_length"] < 16


def test_what_follows_a_stop_string_is_cut_off_every_answer() -> None:
    tokenizer = load_tokenizer(BASE, None)
    ids = tokenizer("I see. You are right. Goodbye", add_special_tokens=False)["input_ids"]

    class Trainer:
        def _generate_single_turn(self, *_: Any) -> list[list[int]]:
            return [list(ids), list(ids[:1])]

    (cut, kept) = stopping(Trainer, tokenizer, ["right", "see"])()._generate_single_turn([], None, {})
    assert tokenizer.decode(cut).endswith(" see")
    assert kept == ids[:1]


def test_further_end_tokens_end_answers(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(BASE, None)
    full_stop = tokenizer.convert_ids_to_tokens(tokenizer(".", add_special_tokens=False)["input_ids"][-1])
    common: dict[str, Any] = {"steps": 1, "save_every": None, "max_new_tokens": 16}
    train(rlhf_recipe(tmp_path / "plain", **common))
    train(rlhf_recipe(tmp_path / "tokens", termination={"tokens": [full_stop]}, **common))
    rates = [log(tmp_path / name / "plus")[0]["end_of_turn_rate"] for name in ("plain", "tokens")]
    assert rates[0] < rates[1]


def test_the_kind_of_advantage_changes_what_is_learnt(tmp_path: Path) -> None:
    kinds: Sequence[dict[str, Any]] = (
        {"algorithm": "rloo"},
        {"algorithm": "rloo", "normalise_advantages": True},
        {"algorithm": "grpo"},
        {"algorithm": "grpo", "normalise_advantages": True},
    )
    for number, kind in enumerate(kinds):
        train(rlhf_recipe(tmp_path / str(number), steps=1, save_every=None, **kind))
    trained = [tmp_path / str(number) / "plus" for number in range(len(kinds))]
    assert all(changed(directory) for directory in trained)
    assert not any(same(one, other) for one, other in itertools.pairwise(trained))
