"""What does training a model of 262,144 words take on a processor, by TRL and transformers and by our own ways?

    python benchmarks/large_vocabulary.py                 random weights of Gemma 3 270M's shape, bfloat16: minutes
    python benchmarks/large_vocabulary.py --model DIR     any checkpoint, with its tokenizer's words
    python benchmarks/large_vocabulary.py --quick         fewer tokens, one round, to see that it works

Both sides take turns in one process with one thread; seconds are the processor's, each the median of the rounds.

- log-probabilities: 16 rows of 160 tokens, of which 48 are an answer, forwards and backwards to the last states; TRL's
  tiles over all places, and ours over those of the answers (`training/trl_private.py`). Both must say the same.
- answers: 4 to each of 16 prompts of 40 to 120 tokens, 32 tokens each, at temperature 1; transformers' `generate` in
  one batch, and the package's generator (`sampler: tree`). Draws differ, so what is compared is the mean
  log-probability of what was drawn, by the model itself; it is told with its standard error.
- a frozen head: `generate` where the head is frozen, as under an adapter, and where it is not; the same answers.

Exit code 1 when log-probabilities or frozen answers differ.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from printout import add_write, printed


@dataclass(frozen=True)
class Sizes:
    """How much of each is done."""

    rounds: int
    rows: int
    prompts: int
    new_tokens: int


def main() -> int:
    """Read what is asked for, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, metavar="DIR", help="a checkpoint in place of random weights")
    parser.add_argument("--quick", action="store_true", help="fewer tokens, one round")
    add_write(parser)
    return printed(parser.parse_args(), measure, "large_vocabulary")


def measure(arguments: argparse.Namespace) -> int:
    """Print a line for each comparison."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = Sizes(1, 2, 2, 4) if arguments.quick else Sizes(3, 16, 16, 32)
    model = load(arguments.model)
    n_words = model.config.get_text_config().vocab_size
    print(f"{n_words:,} words, {sum(each.numel() for each in model.parameters()) / 1e6:.0f} M parameters, bfloat16")
    same = log_probabilities(model, sizes)
    answers(model, sizes)
    return 0 if frozen(model, sizes) and same else 1


def load(directory: Path | None) -> Any:
    """The checkpoint, or random weights of Gemma's shape."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    if directory is not None:
        return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.bfloat16).eval()
    shape = Path(str(resources.files("mplus_eval"))) / "training" / "recipes" / "shapes" / "google--gemma-3-270m.json"
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(shape))
    return model.to(torch.bfloat16).eval()


def log_probabilities(model: Any, sizes: Sizes) -> bool:
    """TRL's head, as it is and in our tiles."""
    import torch
    import trl.kernels.chunked_logprob as kernel

    head: Any = importlib.import_module("trl.trainer.utils")

    from mplus_eval.training.trl_private import fit_head_to_processor

    n_words = model.config.get_text_config().vocab_size
    ids = torch.randint(5, n_words, (sizes.rows, 160))
    labels = ids.clone()
    labels[:, :-48] = -100
    with torch.no_grad():
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state

    class States(torch.nn.Module):
        """A model whose decoder is done."""

        base_model_prefix, config = "decoder", model.config

        def __init__(self) -> None:
            super().__init__()
            self.states = torch.nn.Parameter(states.clone())

        def base_model(self, **_: object) -> object:
            return type("Output", (), {"last_hidden_state": self.states})()

        def get_output_embeddings(self) -> torch.nn.Module:
            return model.get_output_embeddings()

        def forward(self, **_: object) -> None:
            raise AssertionError("logits are not made whole")

    done = States()
    model.get_output_embeddings().weight.requires_grad_(False)
    head.add_fused_lm_head(done)
    theirs = (kernel.TOKEN_CHUNK_SIZE, head._CHUNKED_LOGPROB_CHUNK_SIZE, head._use_triton)
    found: dict[str, Any] = {}

    def step(name: str) -> None:
        done.states.grad = None
        out = done(labels=labels, fused_lm_head=True)
        out.log_probs.sum().backward()
        found[name] = out.log_probs.detach(), done.states.grad

    def by_trl() -> None:
        kernel.TOKEN_CHUNK_SIZE, head._CHUNKED_LOGPROB_CHUNK_SIZE, head._use_triton = theirs
        step("trl")

    def by_us() -> None:
        fit_head_to_processor(n_words)
        step("ours")

    turns("log-probabilities, forwards and backwards", sizes.rounds, ("TRL", by_trl), ("ours", by_us))
    model.get_output_embeddings().weight.requires_grad_(True)
    pairs = zip(found["trl"], found["ours"], strict=True)
    off = [float((one - other).abs().max()) for one, other in pairs]
    print(f"    log-probabilities differ by {off[0]:.1e} nats at most, gradients by {off[1]:.1e}")
    return off[0] < 1e-3


def answers(model: Any, sizes: Sizes) -> None:
    """`generate`, and the package's generator."""
    from mplus_eval.inference.budget import find_budget
    from mplus_eval.inference.generation import Prompt, TreeGenerator
    from mplus_eval.inference.sampling import Sampling

    asked = prompts_of(model, sizes)
    found: dict[str, list[tuple[int, ...]]] = {}

    def by_generate() -> None:
        found["generate"] = generated(model, asked, sizes.new_tokens)

    def by_tree() -> None:
        budget = find_budget(model)
        wanted = [Prompt(ids, sizes.new_tokens, Sampling(), seed) for seed, ids in enumerate(asked)]
        found["tree"] = TreeGenerator(model, budget, slots=budget.slots, cached_tokens=budget.cached).generate(wanted)

    turns("4 answers to a prompt", sizes.rounds, ("generate", by_generate), ("tree", by_tree))
    for name, drawn in found.items():
        values = [mean_log_probability(model, ids, new) for ids, new in zip(asked, drawn, strict=True)]
        error = stdev(values) / len(values) ** 0.5
        print(f"    {name}: mean log-probability of a token {fmean(values):.3f} ± {error:.3f}")


def frozen(model: Any, sizes: Sizes) -> bool:
    """`generate` with a head that is frozen and with one that is not."""
    weight = model.get_output_embeddings().weight
    asked = prompts_of(model, sizes)[:: 4 if sizes.prompts > 4 else 1]
    found: dict[bool, list[tuple[int, ...]]] = {}

    def with_frozen(is_frozen: bool) -> Callable[[], None]:
        def run() -> None:
            weight.requires_grad_(not is_frozen)
            found[is_frozen] = generated(model, asked, 4)

        return run

    turns("4 tokens by generate", 1, ("frozen head", with_frozen(True)), ("trained head", with_frozen(False)))
    weight.requires_grad_(True)
    return found[True] == found[False]


def generated(model: Any, asked: list[tuple[int, ...]], n_new: int) -> list[tuple[int, ...]]:
    """Sampled by transformers in one batch, padded on the left, from the same random state each time."""
    import torch

    longest = max(map(len, asked))
    ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in asked])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in asked])
    torch.manual_seed(0)
    settings = {"do_sample": True, "top_k": 0, "max_new_tokens": n_new, "pad_token_id": 0, "eos_token_id": None}
    with torch.no_grad():
        whole = model.generate(input_ids=ids, attention_mask=mask, **settings)
    return [tuple(row) for row in whole[:, longest:].tolist()]


def mean_log_probability(model: Any, prompt: tuple[int, ...], new: tuple[int, ...]) -> float:
    """Of the new tokens, by the model itself."""
    import torch

    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *new]]), logits_to_keep=len(new) + 1).logits[0, :-1]
    return float(logits.float().log_softmax(-1)[torch.arange(len(new)), torch.tensor(new)].mean())


def prompts_of(model: Any, sizes: Sizes) -> list[tuple[int, ...]]:
    """Each four times over."""
    source, n_words = random.Random(0), model.config.get_text_config().vocab_size
    each = [tuple(source.randrange(5, n_words) for _ in range(source.randint(40, 120))) for _ in range(sizes.prompts)]
    return [prompt for prompt in each for _ in range(4)]


def turns(what: str, rounds: int, *sides: tuple[str, Callable[[], None]]) -> None:
    """Let two sides take turns, and print their seconds and the ratio."""
    seconds: dict[str, list[float]] = {name: [] for name, _ in sides}
    for _ in range(rounds):
        for name, run in sides:
            began = time.process_time()
            run()
            seconds[name].append(time.process_time() - began)
    (first, slow), (second, fast) = ((name, median(each)) for name, each in seconds.items())
    print(f"{what}: {first} {slow:.1f} s, {second} {fast:.1f} s, ratio {slow / fast:.1f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
