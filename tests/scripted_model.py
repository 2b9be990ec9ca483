"""A real checkpoint that says what a script says, whatever it is asked: each position of a text has its next token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LENGTH = 256
"""Of its context, and so of a script."""


def build_scripted(folder: Path, tokenizer: Any, said: Mapping[int, Sequence[int]]) -> Path:
    """Write a checkpoint; return its folder.

    Its hidden state is that of the position alone: a direction of its own for each, which the head turns into the
    script's token.

    Args:
        folder: to be made.
        tokenizer: whose vocabulary it has.
        said: by the number of tokens of a prompt, the tokens that follow it; where nothing is said the text ends.
    """
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    end = int(tokenizer.eos_token_id)
    ids = {"bos_token_id": int(tokenizer.bos_token_id), "eos_token_id": end, "pad_token_id": end}
    sizes = {"vocab_size": len(tokenizer), "n_positions": LENGTH, "n_embd": LENGTH, "n_layer": 1, "n_head": 4}
    config = GPT2Config(**sizes, **ids, tie_word_embeddings=False)
    model = GPT2LMHeadModel(config)
    script = [end] * LENGTH
    for n_prompt, tokens in said.items():
        script[n_prompt - 1 : n_prompt - 1 + len(tokens)] = tokens
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "ln_" not in name:
                parameter.zero_()
        model.transformer.wpe.weight.copy_(torch.eye(LENGTH))
        for place, token in enumerate(script[:LENGTH]):
            model.lm_head.weight[token, place] = 1.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
