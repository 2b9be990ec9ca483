"""Does every tier say what lm-eval's HFLM says, on this device and in both precisions?

In float32 what is accepted is what the self-check accepts, in nats a scored token. In bfloat16 either side rounds: held
against HFLM's own is the mean error against float32. On a GPU the tree's attention is FlexAttention, compiled.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import torch
from generation import AskedSet, Ours, Theirs, measured
from gpu_line import Bench, Line
from lm_eval.models.huggingface import HFLM
from request_sets import SPREAD, gsm8k, hellaswag_0, hellaswag_10_fixed, mmlu, random_model, tokenizer

from mplus_eval.backends.fast_hflm import FastHFLM
from mplus_eval.inference.self_check import KINDS, Tier

ROUNDING = 1.5
"""How many times HFLM's mean error in bfloat16 a tier's may be."""


def parity(bench: Bench) -> Iterator[Line]:
    """Scores of every tier in both precisions, then greedy answers."""
    requests, encoder = _requests(bench), tokenizer()
    model = random_model(size="5M" if bench.tiny else "1B", device=bench.device)
    n_tokens = [len(encoder(request.args[1], add_special_tokens=False).input_ids) for request in requests]
    exact: list[float] = []
    for dtype in (torch.float32, torch.bfloat16):
        model.to(dtype)
        shared = {"pretrained": model, "tokenizer": encoder, "backend": "causal", "max_length": 4096}
        ours, theirs = FastHFLM(**shared), HFLM(**shared, batch_size=1)
        name, check = str(dtype).removeprefix("torch."), ours.tier
        yield Line(
            f"self-check, {name}", check.difference, "nats", limit=check.tolerance, note=f"{check.name} {check.why}"
        )
        expected = _scores(theirs, requests)
        exact = exact or expected
        for tier in KINDS:
            ours.tier = Tier(tier, 0.0, 0.0, "")
            found = _scores(ours, requests)
            if dtype is torch.float32:
                off = max(_off(found, expected, n_tokens))
                yield Line(f"{tier}, {name}", off, "nats", limit=check.tolerance)
            else:
                of_tier, of_hflm = (fmean(_off(each, exact, n_tokens)) for each in (found, expected))
                note = f"mean error {of_tier:.1e}, HFLM's {of_hflm:.1e} nats"
                yield Line(f"{tier}, {name}", of_tier / of_hflm, "× HFLM's", limit=ROUNDING, note=note)
        if dtype is torch.float32:
            yield _greedy(bench, model, encoder)


def _greedy(bench: Bench, model: Any, encoder: Any) -> Line:
    """Answers that differ from HFLM's at batch size 1, where no two logits lie so close that rounding chooses."""
    model.generation_config.eos_token_id = None  # an answer is as long as it is to be
    model.model.norm.weight.data.fill_(SPREAD)
    shared = {"pretrained": model, "tokenizer": encoder, "backend": "causal", "max_length": 4096}
    asked = [(text, 8 if bench.tiny else 32) for text, _ in gsm8k(random.Random(3), 2 if bench.tiny else 6)]
    row = measured(AskedSet("greedy", asked, {"do_sample": False}, None), Ours(**shared), {1: Theirs(**shared)})
    model.model.norm.weight.data.fill_(1.0)
    note = f"of {row.requests} answers, and {row.ties} at a tie"
    return Line("greedy answers, float32", row.differ, "differ", limit=0, note=note)


def _requests(bench: Bench) -> list[Any]:
    rng, few = random.Random(0), bench.tiny
    return [
        *mmlu(rng, 1 if few else 2, 2 if few else 8),
        *hellaswag_0(rng, 2 if few else 12),
        *hellaswag_10_fixed(rng, 1 if few else 4),
    ]


def _scores(lm: HFLM, requests: Sequence[Any]) -> list[float]:
    return [value for value, _ in lm.loglikelihood(list(requests), disable_tqdm=True)]


def _off(found: Sequence[float], expected: Sequence[float], n_tokens: Sequence[int]) -> list[float]:
    """Differences of log-probabilities, in nats a scored token."""
    return [abs(one - other) / n for one, other, n in zip(found, expected, n_tokens, strict=True)]
