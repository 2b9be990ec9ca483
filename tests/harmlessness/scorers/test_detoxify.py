from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers import detoxify
from tests.harmlessness.small_detoxify import small_checkpoint, write_checkpoint

TEXTS = ["you are a dunce", "thank the friend of mine", "", "kind", "very " * 80]


def _predicted(checkpoint: Path) -> dict[str, list[float]]:
    from detoxify import Detoxify

    detoxify = Detoxify(checkpoint=str(checkpoint))
    detoxify.tokenizer.model_max_length = 64
    return detoxify.predict(TEXTS)


@pytest.mark.usefixtures("no_network")
def test_without_a_network_every_label_scores_as_detoxify_itself_predicts(checkpoint: Path) -> None:
    expected = _predicted(checkpoint)
    scorer = detoxify.load(f"detoxify:{checkpoint}", "cpu")
    scores = scorer.score(TEXTS)
    assert set(scorer.labels) == set(expected)
    for column, label in enumerate(scorer.labels):
        np.testing.assert_allclose(scores[:, column], expected[label], atol=1e-5)
    assert np.ptp(scores, axis=0).min() > 0.01


def test_toxicity_is_the_first_label_and_the_others_have_detoxifys_names(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, ("severe_toxic", "toxic", "insult"))
    assert detoxify.load(f"detoxify:{path}").labels == ("toxicity", "severe_toxicity", "insult")
    np.testing.assert_allclose(detoxify.load(f"detoxify:{path}").score(TEXTS)[:, 0], _predicted(path)["toxicity"], 1e-5)


def test_outputs_beyond_the_labels_are_left_out(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, ("toxicity", "insult"), num_classes=5)
    assert detoxify.load(f"detoxify:{path}").score(TEXTS).shape == (len(TEXTS), 2)


def test_looking_into_a_checkpoint_loads_no_weights(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detoxify.detoxify.get_model_and_tokenizer", None)
    scorer = detoxify.load(f"detoxify:{checkpoint}")
    assert detoxify.faults(f"detoxify:{checkpoint}") == []
    assert len(scorer.fingerprint) == 64


def test_the_fingerprint_is_that_of_weights_tokenizer_and_labels(checkpoint: Path, tmp_path: Path) -> None:
    fingerprint = detoxify.load(f"detoxify:{checkpoint}").fingerprint
    assert detoxify.load(f"detoxify:{checkpoint}", "cpu").fingerprint == fingerprint
    path = write_checkpoint(tmp_path)
    saved = small_checkpoint(str(tmp_path))
    saved["state_dict"]["classifier.bias"] += 1.0
    torch.save(saved, path)
    weights = detoxify.load(f"detoxify:{path}").fingerprint
    with (tmp_path / "vocab.txt").open("a") as file:
        file.write("\nmore")
    tokenizer = detoxify.load(f"detoxify:{path}").fingerprint
    saved["config"]["dataset"]["args"]["classes"][1:] = ["a", "b", "c", "d", "e"]
    torch.save(saved, path)
    labels = detoxify.load(f"detoxify:{path}").fingerprint
    assert len({fingerprint, weights, tokenizer, labels}) == 4


def test_the_base_model_beside_the_checkpoint_is_taken_before_the_hubs(checkpoint: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, model_type="no-such/model")
    beside = detoxify.load(f"detoxify:{tmp_path / 'small.ckpt'}").score(TEXTS)
    np.testing.assert_array_equal(beside, detoxify.load(f"detoxify:{checkpoint}").score(TEXTS))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda saved: saved["state_dict"].pop("classifier.weight"), "classifier.weight"),
        (lambda saved: saved.pop("config"), "no checkpoint of Detoxify"),
        (lambda saved: saved["config"]["dataset"]["args"].update(classes=["rude", "loud"]), "rude, loud"),
        (lambda saved: saved["config"]["arch"]["args"].update(model_name="BertModel"), "BertModel"),
        (lambda saved: saved["config"]["arch"]["args"].update(model_name="NoForSequenceClassification"), "cannot be"),
        (lambda saved: saved.update(extra=Path("x")), "weights only"),
    ],
)
def test_a_faulty_checkpoint_is_one_clear_line(tmp_path: Path, change: Callable[[Any], None], told: str) -> None:
    path = write_checkpoint(tmp_path)
    saved = small_checkpoint(str(tmp_path))
    change(saved)
    torch.save(saved, path)
    assert told in _refusal(f"detoxify:{path}")


@pytest.mark.usefixtures("no_network")
def test_a_base_model_that_is_absent_offline_is_one_line_with_what_mends_it(base: Path, tmp_path: Path) -> None:
    torch.save(small_checkpoint("no-such/model"), tmp_path / "alone.ckpt")
    assert "tokenizer is not here" in _refusal(f"detoxify:{tmp_path / 'alone.ckpt'}")


@pytest.mark.parametrize("source", ["detoxify:nonsense", "detoxify:absent.ckpt"])
def test_what_is_not_there_is_refused_by_name(source: str) -> None:
    assert repr(source) in _refusal(source)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("nothing of the kind")
    assert "text.ckpt" in _refusal(f"detoxify:{tmp_path / 'text.ckpt'}")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", detoxify.RELEASED)
def test_absent_released_weights_are_one_line_with_two_commands(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    message = _refusal(f"detoxify:{name}")
    assert f"python -m mplus_eval.harmlessness.scorers 'detoxify:{name}'`" in message
    assert "`--scorer words`" in message
    assert str(tmp_path / "checkpoints") in message


def test_released_weights_out_of_reach_are_told_before_anything_is_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    def unreachable(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("no route")

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(httpx, "head", unreachable)
    (fault,) = detoxify.faults("detoxify:unbiased")
    assert "no route" in fault
    assert "`--scorer words`" in fault


def test_released_weights_that_are_at_hand_are_read(base: Path, tmp_path: Path, monkeypatch) -> None:
    from detoxify.detoxify import MODEL_URLS

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(small_checkpoint(str(base)), tmp_path / "checkpoints" / "small.ckpt")
    monkeypatch.setitem(MODEL_URLS, "original", "https://example.invalid/small.ckpt")
    assert detoxify.faults("detoxify:original") == []
    scores = detoxify.load("detoxify:original").score(TEXTS)
    assert ((scores > 0) & (scores < 1)).all()


def _refusal(source: str) -> str:
    """The one line that both looking and loading give."""
    with pytest.raises(UsageError) as refused:
        detoxify.load(source)
    message = str(refused.value)
    assert "\n" not in message
    (fault,) = detoxify.faults(source)
    assert fault.startswith(f"scorer {source!r}: ")
    return message
