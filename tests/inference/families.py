"""Model families, tiny and random, and what a plain forward says of a request."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
import transformers

from mplus_eval.inference.tree import Request

VOCABULARY = 96
LONGEST = 256

_BASIC = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": LONGEST,
}
_UNGROUPED = {**_BASIC, "num_key_value_heads": 4}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
_GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": LONGEST}
_OPT = {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "word_embed_proj_dim": 32}

TREE: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama": ("Llama", _BASIC),
    "Llama, tied": ("Llama", {**_BASIC, "tie_word_embeddings": True}),
    "Mistral": ("Mistral", {**_BASIC, "sliding_window": None}),
    "Mistral, window": ("Mistral", {**_BASIC, "sliding_window": 24}),
    "Qwen2": ("Qwen2", _BASIC),
    "Qwen2, window": (
        "Qwen2",
        {**_BASIC, "use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1},
    ),
    "Qwen3": ("Qwen3", {**_BASIC, "head_dim": 8}),
    "Qwen3-MoE": ("Qwen3Moe", {**_BASIC, "head_dim": 8, **_EXPERTS}),
    "Mixtral": ("Mixtral", {**_BASIC, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "GPT-2": ("GPT2", _GPT2),
    "GPT-NeoX": ("GPTNeoX", {key: value for key, value in _BASIC.items() if key != "num_key_value_heads"}),
    "Gemma": ("Gemma", {**_BASIC, "head_dim": 8}),
    "Gemma 2": ("Gemma2", {**_BASIC, "head_dim": 8, "sliding_window": 24, "query_pre_attn_scalar": 8}),
    "Gemma 3": (
        "Gemma3Text",
        {
            **_BASIC,
            "head_dim": 8,
            "sliding_window": 24,
            "query_pre_attn_scalar": 8,
            "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
        },
    ),
    "OPT": ("OPT", {**_OPT, "max_position_embeddings": LONGEST, "init_std": 0.3}),
    "Phi": ("Phi", _BASIC),
    "Phi-3": ("Phi3", {**_BASIC, "sliding_window": None}),
    "OLMo 2": ("Olmo2", _BASIC),
    "Cohere": ("Cohere", _BASIC),
    "Granite": ("Granite", {**_BASIC, "logits_scaling": 3.0}),
    "GPT-OSS": (
        "GptOss",
        {**_BASIC, "head_dim": 8, "sliding_window": 24, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    "DeepSeek-V3": (
        "DeepseekV3",
        {
            **_UNGROUPED,
            "q_lora_rank": 16,
            "kv_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "n_group": 1,
            "topk_group": 1,
            "moe_intermediate_size": 16,
            "first_k_dense_replace": 1,
            "n_shared_experts": 1,
        },
    ),
    "StableLM": ("StableLm", _BASIC),
    "StarCoder2": ("Starcoder2", {**_BASIC, "sliding_window": 24}),
    "SmolLM3": ("SmolLM3", _BASIC),
}
"""Families whose attention goes through transformers' attention interface."""

SHARED_PREFIX: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama 4": (
        "Llama4Text",
        {**_BASIC, "intermediate_size_mlp": 48, "num_local_experts": 2, "attention_chunk_size": 32, "head_dim": 8},
    ),
    "GPT-J": ("GPTJ", {**_GPT2, "rotary_dim": 8}),
    "GPT-Neo": (
        "GPTNeo",
        {
            "hidden_size": 32,
            "num_layers": 4,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 2]],
            "window_size": 24,
            "max_position_embeddings": LONGEST,
        },
    ),
    "Falcon": ("Falcon", {key: value for key, value in _BASIC.items() if key != "num_key_value_heads"}),
    "Bloom": ("Bloom", {"hidden_size": 32, "n_layer": 3, "n_head": 4}),
    "MPT": ("Mpt", {"d_model": 32, "n_layers": 3, "n_heads": 4, "max_seq_len": LONGEST}),
}
"""Families with attention of their own, or of a shape that a tree does not know."""

PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "Mamba": ("Mamba", {"hidden_size": 32, "num_hidden_layers": 3}),
    "Falcon-H1": (
        "FalconH1",
        {
            **_BASIC,
            "mamba_d_ssm": 32,
            "mamba_n_heads": 4,
            "mamba_d_head": 8,
            "mamba_d_state": 8,
            "head_dim": 8,
        },
    ),
    "Qwen3-Next": (
        "Qwen3Next",
        {
            **_BASIC,
            "num_hidden_layers": 4,
            "head_dim": 8,
            "linear_num_value_heads": 4,
            "linear_num_key_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            **_EXPERTS,
            "shared_expert_intermediate_size": 16,
        },
    ),
    "LFM2": ("Lfm2", {**_BASIC, "layer_types": ["conv", "full_attention", "conv"]}),
}
"""Families with a recurrent state."""


def build(family: tuple[str, dict[str, Any]], **changes: Any) -> Any:
    """A model in float32 whose weights are large enough that its predictions are far from even."""
    name, options = family
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "initializer_range": 0.3}
    config = getattr(transformers, f"{name}Config")(**{"vocab_size": VOCABULARY, **special, **options, **changes})
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


@torch.inference_mode()
def plain(model: Any, requests: Sequence[Request]) -> list[tuple[float, bool]]:
    """What a forward of each request alone says."""
    found = []
    for inputs, targets in requests:
        rows = model(torch.tensor([inputs]), use_cache=False).logits[0, -len(targets) :].double().log_softmax(-1)
        wanted = torch.tensor(targets)
        value = rows[torch.arange(len(targets)), wanted].sum().item()
        found.append((value, bool((rows.argmax(-1) == wanted).all())))
    return found


def some_requests(length: int = 70) -> list[Request]:
    """Three questions after shared tokens, each with answers of several lengths, one within another, one twice."""
    source = random.Random(1)

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(source.randrange(3, VOCABULARY) for _ in range(n))

    shared = tokens(length)
    found = []
    for _ in range(3):
        context = shared + tokens(source.randint(5, 20))
        for answer in (tokens(1), tokens(1), tokens(4), longest := tokens(7), longest[:3], longest):
            found.append(Request((context + answer)[:-1], answer))
    return [*found, Request(tokens(9), tokens(2)), Request((1,), (5,))]


def largest_difference(found: Sequence[tuple[float, bool]], expected: Sequence[tuple[float, bool]]) -> float:
    """Of the log-probabilities; and the likeliest tokens must be the same."""
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    return max(abs(one - other) for (one, _), (other, _) in zip(found, expected, strict=True))
