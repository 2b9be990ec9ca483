"""The model card of a checkpoint: valid for the hub, and without None or a local path."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from mplus_eval.records.training import DataUsed, Dose, TrainingRecord, read_record
from mplus_eval.training.card import CARD_FILE, checkpoint_card, write_record


def record(**changes: object) -> TrainingRecord:
    data = DataUsed(
        source="/home/jo/pairs/train.jsonl", kind="prompts", n=1200, n_malformed=2, n_evaluation_prompts=3, hash="h"
    )
    fields: dict[str, object] = {
        "name": "plus",
        "method": "rlhf",
        "algorithm": "RLOO",
        "base": "mistralai/Mistral-7B-v0.1",
        "base_fingerprint": "0123456789abcdef",
        "tokenizer_fingerprint": "t",
        "data": (data, DataUsed(source="org/prompts", split="train", kind="prompts", n=10, hash="h")),
        "step": 20,
        "total_steps": 30,
        "seed": 7,
        "dose": Dose(kl_answers=12.34, kl_answers_per_token=0.6, n_prompts=64),
        "stage_hash": "s",
        "recipe": {"output": "/home/jo/runs"},
        "created": "2026-11-30T12:00:00+00:00",
        "mplus_eval": "0.1.0",
        "versions": {"torch": "2.13.0", "trl": "1.16.0"},
        "seconds": 1.0,
    }
    return TrainingRecord.model_validate(fields | changes)


def test_a_card_says_how_the_checkpoint_was_made() -> None:
    card = checkpoint_card(record())
    for words in (
        "# plus",
        "RLHF straight from the base",
        "`mistralai/Mistral-7B-v0.1`, weights `0123456789ab`",
        "20 of 30",
        "**Seed**: 7",
        "KL 12.3 nats an answer over 64 held-out prompts",
        "torch 2.13.0, trl 1.16.0",
        "| `train.jsonl` | prompts | 1,200 | 2 malformed, 3 evaluated |",
        "| `org/prompts`, split train | prompts | 10 | 0 |",
    ):
        assert words in card


def test_the_hub_reads_its_front_matter() -> None:
    data = ModelCard(checkpoint_card(record())).data
    assert data.base_model == "mistralai/Mistral-7B-v0.1"
    assert data.datasets == ["org/prompts"]
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-generation")
    assert data.tags == ["mplus-eval", "trl", "rlhf", "rloo"]
    assert data.license is None


def test_a_local_base_is_named_and_is_no_base_model_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "base").mkdir(parents=True)
    for base in ("/home/jo/models/base", "./models/base", "runs/base", "demo:base"):
        card = checkpoint_card(record(base=base))
        assert ModelCard(card).data.base_model is None
        assert "jo" not in card.replace("json", "")


def test_a_card_without_dose_and_versions_has_no_none() -> None:
    card = checkpoint_card(record(dose=None, versions={}))
    assert "None" not in card
    assert "Distance" not in card
    assert "not recorded" in card


def test_hostile_names_stay_in_their_place() -> None:
    card = checkpoint_card(record(name="a\n---\nlicense: mit", warnings=("<script>\n# big",), base="x|`y`"))
    assert ModelCard(card).data.license is None
    assert "<script>" not in card
    assert "\n# big" not in card


def test_the_record_is_written_after_the_card(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    write_record(record(), tmp_path)
    files = {"model.safetensors": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
    assert read_record(tmp_path) == record().model_copy(update={"files": files})
    assert (tmp_path / CARD_FILE).read_text(encoding="utf-8") == checkpoint_card(record())


def test_every_checkpoint_of_the_trainer_carries_it(trained: Path) -> None:
    cards = sorted(trained.rglob(CARD_FILE))
    assert {path.parent.relative_to(trained).as_posix() for path in cards} == {
        path.parent.relative_to(trained).as_posix() for path in trained.rglob("training.json")
    }
    assert {"plus", "plus/checkpoint-2", "reward", "chosen"} <= {
        str(path.parent.relative_to(trained)) for path in cards
    }
    for path in cards:
        text = path.read_text(encoding="utf-8")
        assert "None" not in text
        assert str(trained) not in text
        stored = read_record(path.parent)
        assert stored is not None
        assert text == checkpoint_card(stored)
        assert ModelCard(text).data.library_name == "transformers"
