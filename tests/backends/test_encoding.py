"""Ids are lm-eval's wherever no token spans a boundary, begin once, end with the text, and leave every choice alike."""

from __future__ import annotations

from typing import Any

import pytest
from lm_eval.models.huggingface import HFLM

from mplus_eval.backends.encoding import Encoding, encode_requests
from tests.backends.requests import choices
from tests.conftest import TinyModel


@pytest.mark.parametrize("architecture", ["mistral", "gpt2"])
def test_requests_are_encoded_as_lm_eval_itself_encodes_them(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    theirs = HFLM(pretrained=str(tiny_model(architecture=architecture)), device="cpu")
    seen: list[Any] = []
    monkeypatch.setattr(theirs, "_loglikelihood_tokens", lambda encoded, disable_tqdm: seen.extend(encoded))
    theirs.loglikelihood(choices(), disable_tqdm=True)
    encoded = encode_requests(Encoding.of(theirs.tokenizer), choices())
    assert [(each.texts, each.context, each.continuation) for each in encoded] == seen
    assert {each.n_spanned for each in encoded} == {0}
