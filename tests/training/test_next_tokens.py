"""Logits of few places at a time: the same as the model's own, in less memory, with gradients."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Gemma2Config, Gemma2ForCausalLM, GraniteConfig, GraniteForCausalLM

from mplus_eval.training import next_tokens as module
from mplus_eval.training.kl import kl_of_answers
from mplus_eval.training.next_tokens import NextTokens, next_tokens
from mplus_eval.training.replay import kl_to_base

SIZES = {
    "vocab_size": 97,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "pad_token_id": 0,
}
IDS = torch.randint(1, 97, (3, 9), generator=torch.Generator().manual_seed(0))
MASK = torch.arange(9) < torch.tensor([9, 6, 3])[:, None]


def gemma(seed: int) -> Gemma2ForCausalLM:
    """Whose logits are capped, so low that the cap counts."""
    torch.manual_seed(seed)
    return Gemma2ForCausalLM(Gemma2Config(**SIZES, final_logit_softcapping=0.2, initializer_range=0.5)).eval()


@pytest.fixture
def few_at_once(monkeypatch):
    """So few that of two places at most logits are made at once."""
    monkeypatch.setattr(module, "VALUES_AT_ONCE", 2 * 97)


def test_few_logits_are_the_models_own():
    model = gemma(0)
    found = next_tokens(model, IDS, MASK.long())
    assert found.head is None
    assert torch.equal(found.states, model(input_ids=IDS, attention_mask=MASK.long()).logits)


def test_many_are_made_of_states_and_are_the_same(few_at_once):
    model = gemma(0)
    found = next_tokens(model, IDS, MASK.long())
    assert found.states.shape == (3, 9, 16)
    assert found.places_at_once == 2
    expected = model(input_ids=IDS, attention_mask=MASK.long()).logits
    torch.testing.assert_close(found.logits(found.states), expected)
    assert expected.abs().max() <= 0.2


def test_logits_that_are_not_their_heads_are_made_by_the_model(few_at_once):
    torch.manual_seed(0)
    sizes = {key: value for key, value in SIZES.items() if key != "head_dim"}
    model = GraniteForCausalLM(GraniteConfig(**sizes, logits_scaling=8.0, initializer_range=0.5)).eval()
    found = next_tokens(model, IDS, MASK.long())
    assert found.head is None
    assert found.states.shape == (3, 9, 97)


def test_a_model_in_a_wrapper_is_called_whole(few_at_once):
    class Wrapper(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module, self.config = module, module.config

        def forward(self, **inputs):
            return self.module(**inputs)

    assert next_tokens(Wrapper(gemma(0)), IDS, MASK.long()).head is None


def test_the_kl_is_the_same_in_slices(monkeypatch):
    model, base = gemma(0), gemma(1)
    with torch.no_grad():
        whole = kl_of_answers(*(next_tokens(each, IDS, MASK.long()) for each in (model, base)), MASK)
        monkeypatch.setattr(module, "VALUES_AT_ONCE", 2 * 97)
        sliced = kl_of_answers(*(next_tokens(each, IDS, MASK.long()) for each in (model, base)), MASK)
    torch.testing.assert_close(sliced, whole)
    assert whole[0].min() > 0.01


def test_no_more_logits_are_made_at_once_than_allowed(few_at_once, monkeypatch):
    made = []
    call = module.Head.__call__
    monkeypatch.setattr(module.Head, "__call__", lambda head, states: made.append(states) or call(head, states))
    model, base = gemma(0), gemma(1)
    of_model, of_base = (next_tokens(each, IDS, MASK.long()) for each in (model, base))
    made.clear()  # those that were looked at to see whether the head can be called apart
    kl_of_answers(of_model, of_base, MASK)
    assert {len(states) for states in made} == {1, 2}


@pytest.mark.parametrize("adapted", [False, True])
def test_gradients_of_replay_are_the_same_in_slices(monkeypatch, adapted):
    model, base = gemma(0), gemma(1)
    if adapted:
        torch.manual_seed(2)
        config = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        model, base = get_peft_model(model, config), None

    def gradients():
        model.zero_grad()
        loss = kl_to_base(model, base, IDS, MASK)
        loss.backward()
        return loss.item(), [each.grad.clone() for each in model.parameters() if each.grad is not None]

    whole = gradients()
    monkeypatch.setattr(module, "VALUES_AT_ONCE", 2 * 97)
    sliced = gradients()
    assert sliced[0] == pytest.approx(whole[0], rel=1e-5)
    assert len(whole[1]) > 4
    torch.testing.assert_close(sliced[1], whole[1], rtol=1e-4, atol=1e-7)


def test_an_adapter_on_the_head_is_not_taken_apart(few_at_once):
    config = LoraConfig(r=2, target_modules=["lm_head"], init_lora_weights=False, task_type="CAUSAL_LM")
    assert next_tokens(get_peft_model(gemma(0), config), IDS, MASK.long()).head is None


def test_logits_without_the_last_place():
    logits = torch.zeros(1, 4, 5)
    assert NextTokens(logits).without_last().states.shape == (1, 3, 5)
