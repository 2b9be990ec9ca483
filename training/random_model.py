"""A random-initialised model of Mistral's shape with the demo's tokenizer: for speed and memory, it knows nothing.

python -m mplus_eval.training.random_model runs/random-1b
"""

from __future__ import annotations

import sys
from pathlib import Path

from mplus_eval.demo import BASE
from mplus_eval.errors import UsageError


def make_random_model(
    directory: Path,
    *,
    hidden_size: int = 2048,
    intermediate_size: int = 5632,
    n_layers: int = 23,
    n_heads: int = 32,
    n_key_value_heads: int = 4,
    seed: int = 0,
) -> int:
    """Write a checkpoint of random weights, in bfloat16, and the demo's tokenizer.

    Args:
        directory: where to; it must not exist, or be empty.
        hidden_size: of the layers; with the other defaults, 1.0 B parameters.
        intermediate_size: of the feed-forward parts.
        n_layers: how many.
        n_heads: of the queries; they divide `hidden_size`.
        n_key_value_heads: of the keys and values; they divide `n_heads`.
        seed: of the weights.

    Returns:
        The number of parameters.

    Raises:
        UsageError: when the directory holds something.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory}: holds something; name a directory that is new or empty")
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(BASE, trust_remote_code=False)
    config.update(
        {
            "hidden_size": hidden_size,
            "intermediate_size": intermediate_size,
            "num_hidden_layers": n_layers,
            "num_attention_heads": n_heads,
            "num_key_value_heads": n_key_value_heads,
            "head_dim": hidden_size // n_heads,
            "max_position_embeddings": 4096,
        }
    )
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(BASE, trust_remote_code=False).save_pretrained(directory)
    return int(sum(weights.numel() for weights in model.parameters()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m mplus_eval.training.random_model DIRECTORY")
    print(f"{make_random_model(Path(sys.argv[1])):,} parameters in {sys.argv[1]}")
