"""What a request to generate asks for: in the names of lm-eval and transformers, and as the tree's generator takes it.

{"until": ["\\n"], "max_gen_toks": 64, "do_sample": True, "temperature": 0.8, "top_p": 0.9, "seed": 7}
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from mplus_eval.inference.sampling import Sampling

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from transformers import PreTrainedTokenizerBase


class Settings(TypedDict, total=False):
    """What the tree's generator knows of lm-eval's settings; any other is left to transformers."""

    do_sample: bool
    temperature: float
    top_p: float
    top_k: int
    until: list[str] | str
    max_gen_toks: int
    seed: int


ENDS = ("ends", "turns")
"""Options of our own: tokens that end an answer, and tokens and texts that begin another turn (`chat_turns`)."""


def others_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings beyond what the tree's generator knows, in transformers' names."""
    return {name: value for name, value in settings.items() if name not in (*Settings.__annotations__, *ENDS)}


def sampling_of(settings: Mapping[str, Any]) -> Sampling | None:
    """How tokens are drawn by settings that lm-eval normalised; None for greedy."""
    temperature = settings.get("temperature") or 0.0
    if not settings.get("do_sample") and temperature <= 0:
        return None
    return Sampling(temperature or 1.0, top_p=settings.get("top_p", 1.0), top_k=settings.get("top_k") or None)


def seeds_of(requests: Sequence[Instance]) -> list[int]:
    """The seed of every request: its own, or its place in the call.

    The same request asked again with the same seed, as a task's repeats are, gets another, or all answers would be one.
    """
    n_asked: Counter[tuple[str, int]] = Counter()
    seeds = []
    for place, request in enumerate(requests):
        text, settings = request.args
        seed = int(settings.get("seed", place))
        seeds.append(seed + 1_000_003 * n_asked[text, seed])
        n_asked[text, seed] += "seed" in settings
    return seeds


@contextmanager
def seeded(seeds: Sequence[int], device: torch.device) -> Iterator[None]:
    """Seed the number generators of torch by these inside, where there are any; outside they are as before."""
    if not seeds:
        yield
        return
    digest = hashlib.sha256(",".join(map(str, seeds)).encode()).digest()
    with torch.random.fork_rng([device] if device.type == "cuda" else [], device_type="cuda"):
        torch.manual_seed(int.from_bytes(digest[:8], "big", signed=True))
        yield


def stopper(tokenizer: PreTrainedTokenizerBase, until: Sequence[str]) -> Callable[[Sequence[int]], bool] | None:
    """Tell whether what was generated holds a stop string; the newest tokens are looked at first."""
    stops = [text for text in until if text]
    if not stops:
        return None
    # No token is shorter than a byte; one more, since some decoders drop the first token's leading space.
    reach = max(len(text.encode()) for text in stops) + 1

    def stopped(tokens: Sequence[int]) -> bool:
        newest = tokenizer.decode(list(tokens[-reach:]))
        if not any(text in newest for text in stops):
            return False
        whole = tokenizer.decode(list(tokens))
        return any(text in whole for text in stops)

    return stopped
