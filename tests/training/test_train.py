"""Training as a whole, on the demo's base: what it leaves, that it repeats itself, and that it resumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.training.train import train
from tests.training.small import recipe, same


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
