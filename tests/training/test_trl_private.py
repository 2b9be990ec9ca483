"""TRL's head on a processor: the same log-probabilities and gradients in small tiles, of places with labels alone."""

import pytest
import torch
import trl.kernels.chunked_logprob as kernel
import trl.trainer.utils as head
from transformers import LlamaConfig, LlamaForCausalLM

from mplus_eval.training.trl_private import fit_head_to_processor

VOCABULARY = 33_000


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    """TRL's own values come back."""
    for module, name in ((head, "_CHUNKED_LOGPROB_CHUNK_SIZE"), (head, "_use_triton"), (kernel, "TOKEN_CHUNK_SIZE")):
        monkeypatch.setattr(module, name, getattr(module, name))


def scored(labels):
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, **sizes, initializer_range=0.3))
    head.add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    places = []
    apply = kernel.ChunkedLogProbFunction.apply
    spied = lambda hidden, *rest: places.append(len(hidden)) or apply(hidden, *rest)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head._ChunkedLogProbFunction, "apply", spied)
        out = model(input_ids=torch.randint(0, VOCABULARY, (2, 300)), labels=labels, fused_lm_head=True)
    out.log_probs.sum().backward()
    return out.log_probs.detach(), out.entropy.detach(), model.lm_head.weight.grad.clone(), places


def test_values_and_gradients_are_trls_own_and_unlabelled_places_cost_nothing():
    torch.manual_seed(1)
    labels = torch.randint(0, VOCABULARY, (2, 300))
    labels[:, :200] = -100
    whole = scored(labels)
    assert fit_head_to_processor(VOCABULARY)
    tiled = scored(labels)
    for expected, found in zip(whole[:3], tiled[:3], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert whole[2].abs().max() > 0.01
    assert (whole[3], tiled[3]) == ([598], [200])


def test_a_small_vocabulary_is_left_to_trl():
    before = head._CHUNKED_LOGPROB_CHUNK_SIZE, kernel.TOKEN_CHUNK_SIZE
    assert not fit_head_to_processor(32_768)
    assert before == (head._CHUNKED_LOGPROB_CHUNK_SIZE, kernel.TOKEN_CHUNK_SIZE)


def test_a_trl_with_other_names_is_left_alone(monkeypatch):
    monkeypatch.delattr(kernel, "TOKEN_CHUNK_SIZE")
    assert not fit_head_to_processor(VOCABULARY)
