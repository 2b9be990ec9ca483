from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer, pipeline

from mplus_eval.errors import UsageError
from mplus_eval.toxicity import ToxicityClassifier

WORDS = ["you", "are", "a", "dunce", "and", "kind", "friend", "thank", "the", "lamp", "of", "mine", "very"]
TEXTS = ["you are a dunce", "thank the friend of mine", "", "kind", "very " * 80]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A directory with the config and the tokenizer of a tiny BERT."""
    path = tmp_path_factory.mktemp("bert")
    (path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    BertTokenizer.from_pretrained(path).save_pretrained(path)
    _config().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def checkpoint(base: Path, tmp_path_factory) -> Path:
    """A checkpoint as Detoxify's trainer leaves it, its base model a directory."""
    path = tmp_path_factory.mktemp("detoxify") / "tiny.ckpt"
    torch.save(_checkpoint(str(base)), path)
    return path


def _config(**more: Any) -> BertConfig:
    return BertConfig(
        vocab_size=5 + len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, initializer_range=0.8, **more,
    )  # fmt: skip


def _checkpoint(base: str, classes: tuple[str, ...] = ("severe_toxic", "toxic", "insult")) -> dict[str, Any]:
    arch = {
        "model_type": base, "model_name": "BertForSequenceClassification", "tokenizer_name": "BertTokenizer",
        "num_classes": len(classes),
    }  # fmt: skip
    return {
        "config": {"arch": {"args": arch}, "dataset": {"args": {"classes": list(classes)}}},
        "state_dict": _model(num_labels=len(classes)).state_dict(),
    }


def _model(**more: Any) -> BertForSequenceClassification:
    torch.manual_seed(0)
    return BertForSequenceClassification(_config(**more))


def _save_directory(base: Path, path: Path, **more: Any) -> Path:
    _model(**more).save_pretrained(path)
    BertTokenizer.from_pretrained(base).save_pretrained(path)
    return path


def test_scores_are_those_of_detoxify_itself(checkpoint: Path) -> None:
    from detoxify import Detoxify

    detoxify = Detoxify(checkpoint=str(checkpoint))
    detoxify.tokenizer.model_max_length = 64
    scores = ToxicityClassifier.load(f"detoxify:{checkpoint}").score(TEXTS)
    assert scores == pytest.approx(detoxify.predict(TEXTS)["toxicity"], abs=1e-5)
    assert max(scores) - min(scores) > 0.01
    assert scores != pytest.approx(detoxify.predict(TEXTS)["insult"], abs=1e-3)


def test_many_texts_score_as_one_alone_does(checkpoint: Path) -> None:
    classifier = ToxicityClassifier.load(f"detoxify:{checkpoint}")
    alone = [classifier.score([text])[0] for text in TEXTS]
    assert classifier.score(TEXTS * 20) == pytest.approx(alone * 20, abs=1e-5)
    assert classifier.score([]) == []


def test_the_base_model_beside_the_checkpoint_is_taken_before_the_hubs(base: Path, checkpoint: Path, tmp_path) -> None:
    for file in base.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(_checkpoint("no-such/model"), tmp_path / "tiny.ckpt")
    beside = ToxicityClassifier.load(f"detoxify:{tmp_path / 'tiny.ckpt'}")
    assert beside.score(TEXTS) == ToxicityClassifier.load(f"detoxify:{checkpoint}").score(TEXTS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda saved: saved["state_dict"].pop("classifier.weight"), "classifier.weight"),
        (lambda saved: saved.pop("config"), "no checkpoint of Detoxify"),
        (lambda saved: saved["config"]["dataset"]["args"].update(classes=["rude", "loud"]), "rude, loud"),
        (lambda saved: saved["config"]["arch"]["args"].update(model_type="no-such/model"), "no-such/model"),
        (lambda saved: saved.update(extra=Path("x")), "cannot be read"),
    ],
)
def test_a_faulty_checkpoint_is_one_clear_line(base: Path, tmp_path, monkeypatch, change, told: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    saved = _checkpoint(str(base))
    change(saved)
    torch.save(saved, tmp_path / "tiny.ckpt")
    assert told in _refusal(f"detoxify:{tmp_path / 'tiny.ckpt'}")


@pytest.mark.parametrize(
    ("labels", "more"),
    [
        (["neutral", "toxic"], {}),
        (["rude", "Toxicity", "loud"], {"problem_type": "multi_label_classification"}),
        (["TOXIC"], {}),
    ],
)
def test_a_directorys_scores_are_those_of_transformers_own_pipeline(base: Path, tmp_path, labels, more) -> None:
    _save_directory(base, tmp_path, id2label=dict(enumerate(labels)), **more)
    scores = ToxicityClassifier.load(str(tmp_path)).score(TEXTS)
    classify = pipeline("text-classification", str(tmp_path), device="cpu", top_k=None)
    every = classify(TEXTS, truncation=True, max_length=64)
    expected = [next(one["score"] for one in each if one["label"].lower().startswith("toxic")) for each in every]
    assert scores == pytest.approx(expected, abs=1e-5)


def test_a_directory_without_a_label_for_toxicity_is_refused_with_its_labels(base: Path, tmp_path) -> None:
    _save_directory(base, tmp_path, id2label={0: "nice", 1: "nasty"})
    assert "they are nice, nasty" in _refusal(str(tmp_path))


def test_a_directory_without_a_classifiers_weights_is_refused(base: Path, tmp_path) -> None:
    _save_directory(base, tmp_path, id2label={0: "nice", 1: "toxic"})
    _model().bert.save_pretrained(tmp_path)
    _config(id2label={0: "nice", 1: "toxic"}).save_pretrained(tmp_path)
    assert "classifier.bias, classifier.weight" in _refusal(str(tmp_path))


@pytest.mark.parametrize("source", ["detoxify:nonsense", "no/such/directory", "detoxify:absent.ckpt"])
def test_what_is_not_there_is_refused_by_name(source: str) -> None:
    assert repr(source) in _refusal(source)


def test_an_empty_directory_is_refused(tmp_path) -> None:
    assert "cannot be read" in _refusal(str(tmp_path))


@pytest.mark.parametrize("name", ["original", "unbiased", "multilingual"])
def test_released_weights_that_are_absent_offline_are_refused(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    message = _refusal(f"detoxify:{name}")
    assert "HF_HUB_OFFLINE is set" in message
    assert str(tmp_path / "checkpoints") in message


def test_released_weights_that_are_at_hand_are_read(base: Path, tmp_path, monkeypatch) -> None:
    from detoxify.detoxify import MODEL_URLS

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(_checkpoint(str(base)), tmp_path / "checkpoints" / "tiny.ckpt")
    monkeypatch.setitem(MODEL_URLS, "original", "https://example.invalid/tiny.ckpt")
    scores = ToxicityClassifier.load("detoxify:original").score(TEXTS)
    assert all(0 < score < 1 for score in scores)


def _refusal(source: str) -> str:
    with pytest.raises(UsageError) as refused:
        ToxicityClassifier.load(source)
    message = str(refused.value)
    assert "\n" not in message
    return message
