"""Tiny GGUF files, written with the package that llama.cpp's own conversion uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_BLOCK = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_gguf(path: Path, checkpoint: Path, *, kind: str = "F32", **said: Any) -> Path:
    """Write a tiny Llama as a GGUF file with its tokenizer; return the file.

    Args:
        path: the file.
        checkpoint: a directory that `build_model` made.
        kind: of the matrices, F32 or Q8_0.
        **said: settings of the tokenizer to write otherwise, or to leave out when None.
    """
    import gguf
    from gguf.quants import quantize
    from safetensors.numpy import load_file

    config = json.loads((checkpoint / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    for name, value in (
        ("context_length", config["max_position_embeddings"]),
        ("embedding_length", config["hidden_size"]),
        ("block_count", config["num_hidden_layers"]),
        ("feed_forward_length", config["intermediate_size"]),
        ("head_count", config["num_attention_heads"]),
        ("head_count_kv", config["num_key_value_heads"]),
        ("rope_dimension_count", config["head_dim"]),
        ("vocab_size", config["vocab_size"]),
    ):
        getattr(writer, f"add_{name}")(value)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32 if kind == "F32" else gguf.LlamaFileType.MOSTLY_Q8_0)
    _write_tokenizer(writer, checkpoint, said)
    for key, tensor in load_file(checkpoint / "model.safetensors").items():
        name = key.removesuffix(".weight")
        if ".q_proj" in name or ".k_proj" in name:
            heads = config["num_attention_heads" if ".q_proj" in name else "num_key_value_heads"]
            # llama.cpp turns pairs of neighbours, transformers turns halves.
            tensor = tensor.reshape(heads, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)
        target = _TOP.get(name) or _layer_name(name)
        if kind == "F32" or tensor.ndim == 1:
            writer.add_tensor(f"{target}.weight", tensor)
        else:
            stored = gguf.GGMLQuantizationType[kind]
            writer.add_tensor(f"{target}.weight", quantize(tensor, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _layer_name(name: str) -> str:
    """`model.layers.1.mlp.up_proj` as llama.cpp calls it."""
    _, _, layer, part = name.split(".", 3)
    return f"blk.{layer}.{_BLOCK[part]}"


def _write_tokenizer(writer: Any, checkpoint: Path, said: dict[str, Any]) -> None:
    stored = json.loads((checkpoint / "tokenizer.json").read_text())
    ids = stored["model"]["vocab"]
    special = {each["id"]: each["content"] for each in stored["added_tokens"]}
    tokens = [token for token, _ in sorted(ids.items(), key=lambda entry: entry[1])]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in stored["model"]["merges"]]
    settings = {
        "tokenizer_model": "gpt2",
        "tokenizer_pre": "gpt-2",
        "token_list": tokens,
        "token_types": [3 if number in special else 1 for number in range(len(tokens))],
        "token_merges": merges,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "add_bos_token": True,
        "chat_template": None,
        **said,
    }
    for name, value in settings.items():
        if value is not None:
            getattr(writer, f"add_{name}")(value)


def write_vocabulary(path: Path, model: str, tokens: list[str], kinds: list[int], **said: Any) -> Path:
    """Write a GGUF file that holds a tokenizer and no model; return the file."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    for name, value in said.items():
        getattr(writer, f"add_{name}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path
