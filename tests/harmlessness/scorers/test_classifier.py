from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import BertTokenizer, pipeline

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers import classifier
from tests.harmlessness.small_detoxify import small_config, small_model

TEXTS = ["you are a dunce", "thank the friend of mine", "", "kind", "very " * 80]


def _save(base: Path, path: Path, labels: list[str], **more: Any) -> Path:
    small_model(
        id2label=dict(enumerate(labels)), label2id={name: n for n, name in enumerate(labels)}, **more
    ).save_pretrained(path)
    BertTokenizer.from_pretrained(base).save_pretrained(path)
    return path


def _piped(path: Path, label: str) -> list[float]:
    classify = pipeline("text-classification", str(path), device="cpu", top_k=None)
    every = classify(TEXTS, truncation=True, max_length=64)
    return [next(one["score"] for one in each if one["label"] == label) for each in every]


@pytest.mark.parametrize(
    ("labels", "more"),
    [
        (["neutral", "toxic"], {}),
        (["rude", "Toxicity", "loud"], {"problem_type": "multi_label_classification"}),
        (["TOXIC"], {}),
    ],
)
def test_scores_are_those_of_transformers_own_pipeline(base: Path, tmp_path: Path, labels, more) -> None:
    _save(base, tmp_path, labels, **more)
    scorer = classifier.load(str(tmp_path))
    scores = scorer.score(TEXTS)
    toxic = next(label for label in labels if label.lower().startswith("toxic"))
    for column, label in enumerate([toxic, *(label for label in labels if label != toxic)]):
        np.testing.assert_allclose(scores[:, column], _piped(tmp_path, label), atol=1e-5)
    assert scorer.labels == ("toxicity", *(label for label in labels if label != toxic))


def test_a_label_after_a_hash_is_taken_for_toxicity(base: Path, tmp_path: Path) -> None:
    _save(base, tmp_path, ["LABEL_0", "LABEL_1", "toxicity"])
    scorer = classifier.load(f"{tmp_path}#label_1")
    assert scorer.labels == ("toxicity", "LABEL_0", "toxicity (as labelled)")
    np.testing.assert_allclose(scorer.score(TEXTS)[:, 0], _piped(tmp_path, "LABEL_1"), atol=1e-5)


def test_a_directory_with_a_hash_in_its_name_is_a_directory(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "a#b"
    assert classifier.faults(str(_save(base, path, ["fine", "toxic"]))) == []


def test_the_fingerprint_tells_labels_apart(base: Path, tmp_path: Path) -> None:
    _save(base, tmp_path, ["fine", "toxic"])
    one, two = classifier.load(f"{tmp_path}#toxic"), classifier.load(f"{tmp_path}#fine")
    assert one.fingerprint == classifier.load(str(tmp_path)).fingerprint != two.fingerprint


@pytest.mark.parametrize(
    ("label", "told"), [("", "none of its labels is toxic or toxicity"), ("#rude", "no label 'rude'")]
)
def test_without_a_label_for_toxicity_it_is_refused_with_its_labels(base: Path, tmp_path, label: str, told) -> None:
    _save(base, tmp_path, ["nice", "nasty"])
    message = _refusal(f"{tmp_path}{label}")
    assert told in message
    assert "they are nice, nasty" in message


def test_one_number_of_unknown_meaning_is_not_taken_for_toxicity(base: Path, tmp_path: Path) -> None:
    _save(base, tmp_path, ["LABEL_0"])
    assert "LABEL_0" in _refusal(str(tmp_path))
    assert classifier.faults(f"{tmp_path}#LABEL_0") == []


def test_a_regression_is_refused(base: Path, tmp_path: Path) -> None:
    _save(base, tmp_path, ["toxicity"], problem_type="regression")
    assert "regression" in _refusal(str(tmp_path))


def test_weights_without_a_head_are_refused(base: Path, tmp_path: Path) -> None:
    _save(base, tmp_path, ["nice", "toxic"])
    small_model().bert.save_pretrained(tmp_path)
    small_config(id2label={0: "nice", 1: "toxic"}).save_pretrained(tmp_path)
    assert "has no weights classifier.bias, classifier.weight" in _refusal(str(tmp_path))


def test_pickled_weights_are_refused(base: Path, tmp_path: Path) -> None:
    _save(base, tmp_path, ["nice", "toxic"])
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert "no weights as safetensors" in _refusal(str(tmp_path))


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    assert "no config.json" in _refusal(str(tmp_path))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("source", ["no-such/model", "no/such/directory", "nothing#toxic"])
def test_what_is_neither_here_nor_in_the_cache_is_one_line_offline(source: str) -> None:
    message = _refusal(source)
    assert "HF_HUB_OFFLINE is set" in message
    assert "`--scorer words`" in message


def test_a_model_on_the_hub_is_looked_at_without_its_weights(base: Path, tmp_path: Path, monkeypatch) -> None:
    asked: list[list[str]] = []

    def fetch(source: str, revision: None, choose: Callable[[list[str]], list[str]]) -> Path:
        asked.append(choose(["config.json", "model.safetensors", "tokenizer.json", "pytorch_model.bin", "code.py"]))
        return _save(base, tmp_path, ["fine", "toxic"])

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("mplus_eval.harmlessness.scorers.location.fetch", fetch)
    assert classifier.faults("some/model") == []
    assert classifier.load("some/model").name == "some/model"
    assert asked == [["config.json", "tokenizer.json"], ["model.safetensors", "config.json", "tokenizer.json"]]


def test_a_model_on_the_hub_without_safetensors_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mplus_eval.harmlessness.scorers.location.fetch",
        lambda source, revision, choose: choose(["config.json", "pytorch_model.bin", "tokenizer.json"]),
    )
    assert "no weights as safetensors" in _refusal("some/model")


def _refusal(source: str) -> str:
    """The fault that both looking and loading give first."""
    with pytest.raises(UsageError) as refused:
        classifier.load(source)
    faults = classifier.faults(source)
    assert str(refused.value).splitlines() == faults
    assert faults[0].startswith(f"scorer {source!r}: ")
    return faults[0]
