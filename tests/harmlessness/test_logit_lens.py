from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.logit_lens import Lens
from tests.inference.families import LONGEST, PLAIN, SHARED_PREFIX, TREE, VOCABULARY, build

FAMILIES = TREE | SHARED_PREFIX | PLAIN
PROMPTS = [[5, 9, 40, 7, 60], [8, 3], [17, 80, 33, 5, 90], [70], [11, 12, 13, 14, 15, 16, 17, 18, 19]]
WORDS = [4, 20, 77]
ONE_POINT = {"GPT-NeoX", "Phi", "Cohere", "GPT-J", "Falcon", "Mamba"}
"""Families whose attention and MLP run in parallel, or that have no MLP."""


def own_probabilities(model: Any, prompts: list[list[int]], words: list[int]) -> np.ndarray:
    """The model's own, each prompt by itself; shape (prompts,)."""
    with torch.inference_mode():
        rows = [model(torch.tensor([prompt]), use_cache=False).logits[0, -1].double() for prompt in prompts]
    return np.array([float(row.softmax(-1)[words].sum()) for row in rows])


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_the_last_point_is_the_models_own_next_token_probability(name: str) -> None:
    model = build(FAMILIES[name])
    found = Lens.of(model).probabilities(PROMPTS, WORDS)
    assert found.shape == (len(PROMPTS), model.config.num_hidden_layers * (1 if name in ONE_POINT else 2))
    np.testing.assert_allclose(found[:, -1], own_probabilities(model, PROMPTS, WORDS), rtol=1e-5, atol=1e-8)


def test_soft_capping_changes_every_point() -> None:
    """Logits of some size, lest capping them at 3 be without effect."""
    free = Lens.of(build(TREE["Gemma 2"], final_logit_softcapping=None)).probabilities(PROMPTS, WORDS)
    capped = Lens.of(build(TREE["Gemma 2"], final_logit_softcapping=3.0)).probabilities(PROMPTS, WORDS)
    assert np.abs(free - capped).max(axis=0).min() > 1e-3


@pytest.mark.parametrize("name", ["Llama", "GPT-2", "GPT-NeoX", "Gemma 2", "Mistral", "Qwen2"])
def test_points_after_a_layer_are_the_hidden_states_through_norm_and_unembedding(name: str) -> None:
    model = build(TREE[name])
    lens = Lens.of(model)
    found = lens.probabilities(PROMPTS, WORDS)[:, [not point.endswith("attention") for point in lens.points]]
    for row, prompt in zip(found, PROMPTS, strict=True):
        # The last hidden state that transformers gives is normed already; it is covered by the test above.
        for value, stream in zip(row[:-1], _hidden(model, prompt)[1:-1], strict=True):
            assert value == pytest.approx(_ended(model, stream), rel=1e-5)


@pytest.mark.parametrize("name", ["Llama", "GPT-2", "Gemma 2", "OLMo 2", "Granite"])
def test_points_after_attention_are_the_layers_input_and_what_the_attention_adds(name: str) -> None:
    model = build(TREE[name])
    found = Lens.of(model).probabilities(PROMPTS, WORDS)[:, ::2]
    for row, prompt in zip(found, PROMPTS, strict=True):
        for value, stream in zip(row, _after_attention(model, prompt), strict=True):
            assert value == pytest.approx(_ended(model, stream), rel=1e-5)


def test_one_layer_worked_out_by_hand() -> None:
    """The embedding is (1, 1), and its norm too; attention adds (0, 2) and the MLP (2, −2).

    So the stream is (1, 3), then (3, 1), of root mean square √5, and the unembedding is √5 times the identity, with a
    third token whose logit is always 0: logits are (1, 3, 0), then (3, 1, 0).
    """
    found = Lens.of(_toy()).probabilities([[0]], [1])
    e = np.e
    np.testing.assert_allclose(found, [[e**3 / (1 + e + e**3), e / (1 + e + e**3)]], rtol=1e-5)


def test_points_have_names() -> None:
    assert Lens.of(_toy()).points == ("layer 1, attention", "layer 1, mlp")
    assert Lens.of(build(TREE["GPT-NeoX"])).points == ("layer 1", "layer 2", "layer 3")


def test_a_prompts_probabilities_do_not_depend_on_those_beside_it() -> None:
    lens = Lens.of(build(TREE["Mistral"]))
    alone = np.concatenate([lens.probabilities([prompt], WORDS) for prompt in PROMPTS])
    np.testing.assert_allclose(lens.probabilities(PROMPTS, WORDS), alone, rtol=1e-5)


def test_more_prompts_of_a_length_than_a_batch_holds_come_back_in_order() -> None:
    model = build(TREE["GPT-2"])
    prompts = [[number, number + 1] for number in range(40)]
    found = Lens.of(model).probabilities(prompts, WORDS)
    np.testing.assert_allclose(found[:, -1], own_probabilities(model, prompts, WORDS), rtol=1e-5)


def test_all_tokens_together_are_certain() -> None:
    found = Lens.of(build(TREE["Llama"])).probabilities(PROMPTS, range(VOCABULARY))
    np.testing.assert_allclose(found, 1.0, rtol=1e-6)


def test_a_token_named_twice_counts_once() -> None:
    lens = Lens.of(build(TREE["Llama"]))
    np.testing.assert_array_equal(lens.probabilities(PROMPTS, [4, 4]), lens.probabilities(PROMPTS, [4]))


def test_a_prompt_that_is_empty_or_longer_than_the_context_is_no_number() -> None:
    found = Lens.of(build(TREE["Llama"])).probabilities([[], [5] * (LONGEST + 1), [5] * LONGEST], WORDS)
    assert np.isnan(found).all(axis=1).tolist() == [True, True, False]


def test_an_adapter_is_looked_into_with_what_it_adds() -> None:
    model = build(TREE["Llama"])
    before = own_probabilities(model, PROMPTS, WORDS)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["o_proj", "down_proj"], init_lora_weights=False))
    lens = Lens.of(adapted.eval())
    found = lens.probabilities(PROMPTS, WORDS)[:, -1]
    assert len(lens.points) == 6
    assert np.abs(found - before).max() > 1e-3
    np.testing.assert_allclose(found, own_probabilities(adapted, PROMPTS, WORDS), rtol=1e-5, atol=1e-8)


def test_the_last_point_holds_in_half_precision() -> None:
    model = build(TREE["Qwen2"]).bfloat16()
    found = Lens.of(model).probabilities(PROMPTS, WORDS)[:, -1]
    np.testing.assert_allclose(found, own_probabilities(model, PROMPTS, WORDS), atol=0.03)


def test_a_model_that_says_more_than_its_last_layer_is_refused_in_one_line() -> None:
    config = LlamaConfig(**TREE["Llama"][1], vocab_size=VOCABULARY, initializer_range=0.3)
    with pytest.raises(
        UsageError, match=r"^model of architecture Bypass: what is read after its last layer is not .*$"
    ):
        Lens.of(Bypass(config).eval())


def test_the_model_is_as_it_was() -> None:
    model = build(SHARED_PREFIX["Falcon"])
    before = own_probabilities(model, PROMPTS, WORDS)
    Lens.of(model).probabilities(PROMPTS, WORDS)
    np.testing.assert_array_equal(own_probabilities(model, PROMPTS, WORDS), before)
    assert not any("forward" in vars(part) or part._forward_hooks for part in model.modules())


def test_a_forward_that_another_library_put_into_a_layer_is_put_back() -> None:
    model = build(TREE["Llama"])
    block = model.model.layers[1]
    own = block.forward
    block.forward = lambda *args, **options: own(*args, **options)
    kept = block.forward
    Lens.of(model).probabilities(PROMPTS, WORDS)
    assert block.forward is kept


class Bypass(LlamaForCausalLM):
    """Adds to the logits what it was given, past all layers."""

    def forward(self, input_ids: Tensor, **options: Any) -> Any:
        output = super().forward(input_ids, **options)
        output.logits = output.logits + self.lm_head(self.model.embed_tokens(input_ids[:, -1:]))
        return output


def _toy() -> Any:
    """A Llama of width 2, with one layer, one head and three tokens."""
    config = LlamaConfig(
        hidden_size=2,
        intermediate_size=1,
        num_hidden_layers=1,
        num_attention_heads=1,
        vocab_size=3,
        hidden_act="relu",
        rms_norm_eps=1e-12,
    )
    model = LlamaForCausalLM(config).eval()
    root = 5**0.5
    weights = {
        "model.embed_tokens.weight": [[1.0, 1.0], [2.0, 3.0], [5.0, 2.0]],
        "model.layers.0.self_attn.v_proj.weight": [[1.0, 0.0], [0.0, 1.0]],
        "model.layers.0.self_attn.o_proj.weight": [[0.0, 0.0], [2.0, 0.0]],
        "model.layers.0.mlp.gate_proj.weight": [[root, 0.0]],
        "model.layers.0.mlp.up_proj.weight": [[root, 0.0]],
        "model.layers.0.mlp.down_proj.weight": [[2.0], [-2.0]],
        "lm_head.weight": [[root, 0.0], [0.0, root], [0.0, 0.0]],
    }
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()}, strict=False)
    return model


@torch.inference_mode()
def _hidden(model: Any, prompt: list[int]) -> list[Tensor]:
    """What stands before each layer, and after the last one, at the last position."""
    states = model(torch.tensor([prompt]), output_hidden_states=True, use_cache=False).hidden_states
    return [state[0, -1] for state in states]


@torch.inference_mode()
def _after_attention(model: Any, prompt: list[int]) -> list[Tensor]:
    """Each layer's input and what its attention adds, at the last position."""
    decoder = model.base_model
    blocks = decoder.h if hasattr(decoder, "h") else decoder.layers
    added: list[Tensor] = []
    handles = [
        (block.attn if hasattr(block, "attn") else block.self_attn).register_forward_hook(
            lambda _part, _args, output: added.append(output[0][0, -1])
        )
        for block in blocks
    ]
    states = _hidden(model, prompt)
    for handle in handles:
        handle.remove()
    factor = getattr(model.config, "residual_multiplier", 1.0)
    if model.config.model_type in ("gemma2", "olmo2"):
        added = [block.post_attention_layernorm(one) for block, one in zip(blocks, added, strict=True)]
    return [state + factor * one for state, one in zip(states[:-1], added, strict=True)]


@torch.inference_mode()
def _ended(model: Any, stream: Tensor) -> float:
    """Final norm, unembedding, and what the configuration says of the logits."""
    decoder = model.base_model
    norm = next(getattr(decoder, name) for name in ("norm", "ln_f", "final_layer_norm") if hasattr(decoder, name))
    logits = model.get_output_embeddings()(norm(stream)) / getattr(model.config, "logits_scaling", 1.0)
    if cap := getattr(model.config, "final_logit_softcapping", None):
        logits = cap * torch.tanh(logits / cap)
    return float(logits.double().softmax(-1)[WORDS].sum())
