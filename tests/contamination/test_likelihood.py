from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mplus_eval.backends import Backend, Response, load_backend
from mplus_eval.contamination.likelihood import fits, text_log_probabilities, token_log_probabilities
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.model import ModelSpec
from tests.toy import RuleBackend

TEXTS = ["She said: no, thank you.", "0 1 2 3 4", "The miller's wheel turns in it all day."]


@pytest.fixture(scope="module")
def model(tiny_model) -> Path:  # type: ignore[no-untyped-def]
    return Path(tiny_model())


@pytest.fixture(scope="module")
def backend(model: Path) -> Backend:
    return load_backend("hf", ModelSpec(name="base", source=str(model)), ModelLocation(path=model))


def expected(model: Path, text: str) -> list[float]:
    """By a plain forward pass of transformers."""
    ids = AutoTokenizer.from_pretrained(model)(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(model)(ids).logits[0, :-1].log_softmax(-1)
    return logits.gather(1, ids[0, 1:, None])[:, 0].tolist()


def test_the_log_probability_of_each_token_is_that_of_a_plain_forward_pass(model: Path, backend: Backend) -> None:
    values = token_log_probabilities(backend, TEXTS)
    assert values is not None
    for text, found in zip(TEXTS, values, strict=True):
        assert found == pytest.approx(expected(model, text), abs=1e-4)


def test_a_text_has_the_sum_of_its_tokens(model: Path, backend: Backend) -> None:
    done: list[int] = []
    values = text_log_probabilities(backend, TEXTS, done.append)
    assert values == pytest.approx([sum(expected(model, text)) for text in TEXTS], abs=1e-3)
    assert sum(done) == len(TEXTS)


def test_a_backend_that_does_not_open_its_model_tells_no_tokens() -> None:
    assert token_log_probabilities(RuleBackend("base"), TEXTS) is None
    assert len(text_log_probabilities(RuleBackend("base"), TEXTS * 5)) == 15


def test_a_text_without_a_value_is_an_error() -> None:
    class Failing(RuleBackend):
        def _respond(self, request: object) -> Response:
            return Response(error="the server is gone")

    with pytest.raises(ValueError, match="the server is gone"):
        text_log_probabilities(Failing("base"), TEXTS)


def test_what_fits_is_told_by_tokens_or_else_by_letters(backend: Backend) -> None:
    assert backend.opened is not None
    n = len(backend.opened.encoding.encode([TEXTS[0]])[0])
    assert fits(backend, n)(TEXTS[0])
    assert not fits(backend, n - 1)(TEXTS[0])
    assert not fits(backend, 10**9)("word " * 5000)
    by_letters = fits(RuleBackend("base"), 8)
    assert (by_letters(TEXTS[0]), by_letters(TEXTS[0] + "!")) == (True, False)
