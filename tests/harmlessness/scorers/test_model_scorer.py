from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from transformers import BertTokenizer, RobertaConfig, RobertaForSequenceClassification

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers import classifier, detoxify
from mplus_eval.harmlessness.scorers.batches import score_texts
from tests.harmlessness.small_detoxify import ORIGINAL

TEXTS = ["you are a dunce", "thank the friend of mine", "", "kind", "very " * 80]


def test_many_texts_score_as_one_alone_does(checkpoint: Path) -> None:
    scorer = detoxify.load(f"detoxify:{checkpoint}")
    alone = np.concatenate([scorer.score([text]) for text in TEXTS])
    np.testing.assert_allclose(scorer.score(TEXTS), alone, atol=1e-5)
    assert scorer.score([]).shape == (0, len(ORIGINAL))


def test_a_text_beyond_the_models_positions_is_read_from_its_beginning(checkpoint: Path) -> None:
    scorer = detoxify.load(f"detoxify:{checkpoint}")
    read, longer = "very " * 62, "very " * 62 + "dunce " * 1000
    np.testing.assert_allclose(scorer.score([longer]), scorer.score([read]), atol=1e-5)


def test_it_computes_on_a_gpu_where_there_is_one_and_none_was_named(checkpoint: Path, monkeypatch) -> None:
    for is_there, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr("torch.cuda.is_available", lambda is_there=is_there: is_there)
        assert detoxify.load(f"detoxify:{checkpoint}").device == device
    assert detoxify.load(f"detoxify:{checkpoint}", "cuda:1").device == "cuda:1"


@pytest.mark.gpu
def test_a_gpu_gives_the_scores_of_a_processor(checkpoint: Path) -> None:
    on_gpu = score_texts(detoxify.load(f"detoxify:{checkpoint}", "cuda"), TEXTS)
    np.testing.assert_allclose(on_gpu, score_texts(detoxify.load(f"detoxify:{checkpoint}", "cpu"), TEXTS), atol=1e-3)


def test_a_model_whose_positions_begin_after_its_padding_reads_as_many_tokens_as_it_can(base: Path, tmp_path) -> None:
    labels = {"id2label": {0: "fine", 1: "toxic"}, "label2id": {"fine": 0, "toxic": 1}}
    config = RobertaConfig(
        vocab_size=18, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=34, pad_token_id=1, **labels,
    )  # fmt: skip
    RobertaForSequenceClassification(config).save_pretrained(tmp_path)
    BertTokenizer.from_pretrained(base).save_pretrained(tmp_path)
    scorer = classifier.load(str(tmp_path))
    assert len(scorer.encode(["very " * 80])[0]["input_ids"]) == 32
    assert not np.isnan(scorer.score(["very " * 80])).any()


def test_a_device_that_is_not_there_is_wrong_usage_and_not_a_failing_text(checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="cannot be put on device nowhere"):
        score_texts(detoxify.load(f"detoxify:{checkpoint}", "nowhere"), ["kind"])
