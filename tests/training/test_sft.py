"""Supervised fine-tuning: what the loss is of."""

from __future__ import annotations

from pathlib import Path

from mplus_eval.training.sft import sft_trainer
from mplus_eval.training.stages import stages_of
from mplus_eval.training.training_data import gather
from tests.training.small import recipe


def test_the_loss_is_of_the_answers_and_of_their_end(tmp_path: Path) -> None:
    asked = recipe(tmp_path)
    data = gather(asked)
    trainer = sft_trainer(asked, asked.sft["chosen"], data, stages_of(asked, data)["chosen"])
    demonstrations = data.demonstrations["chosen"].rows
    assert len(trainer.train_dataset) == len(demonstrations) > 8
    for row, demonstration in zip(trainer.train_dataset, demonstrations, strict=True):
        learnt = [label for label in row["labels"] if label != -100]
        assert row["input_ids"][-len(learnt) :] == learnt
        assert data.tokenizer.decode(learnt[:-1]).strip() == demonstration.answer
        assert learnt[-1] == data.tokenizer.eos_token_id
        unlearnt = row["input_ids"][: -len(learnt)]
        assert data.tokenizer.decode(unlearnt, skip_special_tokens=True).endswith("Assistant:")
