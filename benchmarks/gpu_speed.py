"""How much sooner than lm-eval's HFLM, and than its vLLM path, with what share of the device, and how much memory?"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

import generation
import scoring
import torch
from gpu_line import Bench, Line
from lm_eval.models.huggingface import HFLM
from request_sets import (
    SPREAD,
    continuations,
    few_shot_continuations,
    gsm8k,
    hellaswag_0,
    hellaswag_10_fixed,
    hellaswag_10_sampled,
    mmlu,
    random_model,
    tokenizer,
)

from mplus_eval.backends.fast_hflm import FastHFLM

GOAL, VLLM_GOAL = 4.0, 2.0
MAX_LENGTH = 4096
VLLM_SHARE = 0.5
"""Of the GPU's memory; the rest is for the model that it is held against."""


def scoring_speed(bench: Bench) -> Iterator[Line]:
    """Request sets against HFLM at its best batch size."""
    shared = _shared(bench)
    ours = FastHFLM(**shared)
    theirs = {size: HFLM(**shared, batch_size=size) for size in ((1, 8) if bench.tiny else (1, 8, 64))}
    for name, requests, goal in _sets(bench):
        row = scoring.measured(name, requests, goal or 0.0, ours, theirs)
        note = f"{row.seconds:.2f} s; {row.utilisation:.0%} of peak; {_held(row.memory, row.reference_memory)}"
        yield Line(name, row.ratio, "× HFLM", goal=None if bench.tiny else goal, note=note, facts=asdict(row))


def generation_speed(bench: Bench) -> Iterator[Line]:
    """Greedy answers, and 25 samples a prompt, against HFLM at its best batch size."""
    shared = _shared(bench)
    model = shared["pretrained"]
    model.generation_config.eos_token_id = None  # an answer is as long as it is to be
    model.model.norm.weight.data.fill_(SPREAD)
    ours = generation.Ours(**shared)
    for asked in _asked(bench):
        sizes = (8, 64) if asked.sampled and not bench.tiny else (8,)
        row = generation.measured(asked, ours, {size: generation.Theirs(batch_size=size, **shared) for size in sizes})
        note = f"{row.seconds:.2f} s; {row.new_tokens / row.seconds:,.0f} tokens/s; "
        held = _held(row.memory, row.reference_memory)
        yield Line(asked.name, row.ratio, "× HFLM", note=note + held, facts=asdict(row))


def vllm_speed(bench: Bench) -> Iterator[Line]:
    """The same request sets against lm-eval's vLLM model, which has the same weights."""
    if find_spec("vllm") is None:
        yield Line("vllm is not installed", note="nothing to hold against")
        return
    from lm_eval.models.vllm_causallms import VLLM

    shared = _shared(bench)
    with tempfile.TemporaryDirectory() as folder:
        for each in (shared["pretrained"], shared["tokenizer"]):
            each.save_pretrained(folder)
        theirs = VLLM(
            pretrained=folder,
            dtype="float32" if bench.tiny else "bfloat16",
            max_length=MAX_LENGTH,
            gpu_memory_utilization=VLLM_SHARE,
        )
        ours = FastHFLM(**shared)
        for name, requests, _ in _sets(bench):
            seconds = [_seconds(lm, requests, bench.device) for lm in (ours, theirs)]
            yield Line(
                name,
                seconds[1] / seconds[0],
                "× vLLM's own",
                goal=None if bench.tiny else VLLM_GOAL,
                note=f"{seconds[0]:.2f} s; vLLM {seconds[1]:.2f} s",
                facts={"seconds": seconds[0], "vllm_seconds": seconds[1]},
            )


def _seconds(lm: Any, requests: Sequence[Any], device: str) -> float:
    """By the wall, after a few requests that warm it up; vLLM computes in a process of its own."""
    lm.loglikelihood(list(requests[:8]), disable_tqdm=True)
    started = time.perf_counter()
    lm.loglikelihood(list(requests), disable_tqdm=True)
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _shared(bench: Bench) -> dict[str, Any]:
    """The model that both sides have, as HFLM's arguments."""
    dtype = torch.float32 if bench.tiny else torch.bfloat16
    model = random_model(dtype, size="5M" if bench.tiny else "1B", device=bench.device)
    return {"pretrained": model, "tokenizer": tokenizer(), "backend": "causal", "max_length": MAX_LENGTH}


def _sets(bench: Bench) -> Iterator[tuple[str, list[Any], float | None]]:
    """Request sets, each with its goal."""
    makers: dict[str, tuple[Callable[..., list[Any]], tuple[int, ...], tuple[int, ...], float | None]] = {
        "MMLU 5-shot": (mmlu, (6, 20), (1, 3), GOAL),
        "HellaSwag 0-shot": (hellaswag_0, (120,), (6,), None),
        "HellaSwag 10-shot sampled": (hellaswag_10_sampled, (32,), (1,), GOAL),
        "HellaSwag 10-shot fixed": (hellaswag_10_fixed, (32,), (2,), None),
    }
    for name, (make, whole, tiny, goal) in makers.items():
        yield name, make(random.Random(0), *(tiny if bench.tiny else whole)), goal


def _asked(bench: Bench) -> Iterator[generation.AskedSet]:
    """Prompts with the length of each answer, and how it is generated."""
    rng, tiny = random.Random(0), bench.tiny
    questions = [(text, length // 8 if tiny else length) for text, length in gsm8k(rng, 2 if tiny else 16)]
    yield generation.AskedSet("GSM8K 8-shot, greedy", questions, {"do_sample": False}, None)
    for kind, prompts in (
        ("20–60 tokens", continuations(rng, 1 if tiny else 8)),
        ("500 tokens, shared", few_shot_continuations(rng, 1 if tiny else 4, shared=True)),
    ):
        n_samples, n_tokens = (4, 5) if tiny else (generation.SAMPLES, generation.SAMPLED_TOKENS)
        asked = [(text, n_tokens) for text in prompts for _ in range(n_samples)]
        yield generation.AskedSet(f"{n_samples} samples, {kind}", asked, generation.SAMPLING, None)


def _held(mine: float, other: float | None) -> str:
    """Memory above what was held before, of both sides."""
    theirs = "" if other is None else f", HFLM {other / 1024:.2f} at batch size 8"
    return f"{mine / 1024:.2f} GiB held{theirs}"
