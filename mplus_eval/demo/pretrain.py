"""Makes the demo's base model: one pass over the pre-training text.

    python -m mplus_eval.demo.pretrain --output DIR

The result lies in the package as `mplus_eval/demo/base`. On one machine the same seed gives the same weights; another
processor may round differently. It takes about seven minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.demo.text import documents
from mplus_eval.demo.tokenizer import BOS, EOS, PAD, make_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import MistralForCausalLM, PreTrainedTokenizerFast


@dataclass(frozen=True)
class PretrainRecipe:
    """How the base is trained."""

    seed: int = 0
    n_steps: int = 1200
    n_long_steps: int = 250
    tokens_per_step: int = 4096
    short_length: int = 128
    long_length: int = 256
    matrix_learning_rate: float = 0.01
    other_learning_rate: float = 3e-3
    n_warmup_steps: int = 40
    n_documents: int = 45_347


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description="Pre-train the demo's base model.")
    parser.add_argument("--output", type=Path, required=True, help="directory for the checkpoint")
    parser.add_argument("--seed", type=int, default=PretrainRecipe.seed)
    parser.add_argument("--steps", type=int, default=PretrainRecipe.n_steps)
    arguments = parser.parse_args()
    recipe = PretrainRecipe(seed=arguments.seed, n_steps=arguments.steps)
    tokenizer = make_tokenizer()
    save(pretrain(tokenizer, recipe), tokenizer, arguments.output)


def pretrain(tokenizer: PreTrainedTokenizerFast, recipe: PretrainRecipe) -> MistralForCausalLM:
    """Train a new model on the text of the recipe's seed, printing the loss."""
    import torch

    torch.set_num_threads(1)  # the order of sums, and so the result, would depend on the number of cores
    torch.manual_seed(recipe.seed)
    model = new_model(len(tokenizer))
    optimizers = _optimizers(model, recipe)
    total = 0.0
    for step, batch in enumerate(_batches(tokenizer, recipe), start=1):
        # Warm up, stay, and fall to nothing over the second half.
        factor = min(1.0, step / recipe.n_warmup_steps, 2 * (recipe.n_steps - step + 1) / recipe.n_steps)
        for optimizer, rate in zip(optimizers, (recipe.matrix_learning_rate, recipe.other_learning_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        # Without padding or cache the plain formula is the faster one for short rows on a CPU.
        model.set_attn_implementation("eager" if batch.shape[1] <= recipe.short_length else "sdpa")
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        total += loss.item()
        if step % 50 == 0:
            print(f"step {step} of {recipe.n_steps}, loss {total / 50:.3f}", flush=True)
            total = 0.0
    model.eval()
    return model


def new_model(vocabulary_size: int) -> MistralForCausalLM:
    """An untrained model in the shape of Mistral, of about a million parameters.

    Unlike Mistral's, its embeddings are tied to its output: copying a word from the prompt is then learned much sooner.
    """
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=vocabulary_size,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        sliding_window=None,
        tie_word_embeddings=True,
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=PAD,
    )
    return MistralForCausalLM(config)


def save(model: MistralForCausalLM, tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Save weights in float16 under a configuration that says float32, so that they are loaded as float32.

    Half the size in the package, and no arithmetic in float16 on a CPU. The model itself is float16 afterwards.
    """
    model.half().save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    path = directory / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"dtype": "float32"}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _batches(tokenizer: PreTrainedTokenizerFast, recipe: PretrainRecipe) -> Iterator[torch.Tensor]:
    """The text as rows of tokens without padding; documents run on across rows.

    Rows are short at first, which is faster, and long in the last steps, for prompts with examples.
    """
    import torch

    tokens: list[int] = []
    for encoded in tokenizer(documents(recipe.n_documents, recipe.seed), add_special_tokens=False)["input_ids"]:
        tokens += [BOS, *encoded, EOS]
    size = recipe.tokens_per_step
    if len(tokens) < recipe.n_steps * size:
        raise ValueError(f"{len(tokens)} tokens of text do not last for {recipe.n_steps} steps of {size}")
    for step in range(recipe.n_steps):
        is_short = step < recipe.n_steps - recipe.n_long_steps
        length = recipe.short_length if is_short else recipe.long_length
        yield torch.tensor(tokens[step * size : (step + 1) * size]).view(-1, length)


def _optimizers(model: MistralForCausalLM, recipe: PretrainRecipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between embedding and output, AdamW for the rest."""
    import torch

    matrices: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inner = parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
        (matrices if inner else rest).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=recipe.matrix_learning_rate, weight_decay=0.01, momentum=0.95),
        torch.optim.AdamW(rest, lr=recipe.other_learning_rate, betas=(0.9, 0.95), weight_decay=0.01),
    ]


if __name__ == "__main__":
    main()
