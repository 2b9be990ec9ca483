"""How much sooner are requests scored than by lm-eval's HFLM, and with what difference?

    python benchmarks/scoring.py                    a random model of 25 M parameters, float32: 10 minutes, busy
    python benchmarks/scoring.py --quick            small request sets, under a minute
    python benchmarks/scoring.py --model DIRECTORY  any checkpoint, with its tokenizer
    python benchmarks/scoring.py --json FILE        the numbers as JSON lines too

Both sides answer the same requests in one process, in turn: HFLM at every batch size, and before each of them ours.
Columns:

- ratio: HFLM's processor time at its best batch size over ours (the median of ours), tokenisation included; on a GPU,
  wall time
- tokens: input tokens of HFLM's requests, and what is left of them with every distinct prefix computed once
- MFU: floating-point operations that our tokens and rows need over those that this processor does in large matrix
  products of the model's own shapes, measured beside it
- |Δ|: the largest difference of a log-probability; greedy: how many answers differ in whether each token is the
  likeliest, and after a plus those among them where the reference's two best logits differ by less than 1e-4
- memory: the most that either side held above what was held before it, in MiB; HFLM at batch size 8

Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from measuring import BATCH_SIZES, TIE, Memory, clock, load, parser
from printout import printed
from request_sets import SCORED

from mplus_eval.backends.fast_hflm import FastHFLM
from mplus_eval.log_setup import silence_libraries

QUICK = 4
"""How many times smaller the request sets are with --quick."""
LARGEST_DIFFERENCE, RELATIVE_DIFFERENCE, LARGE = 1e-4, 1e-6, 100.0


@dataclass(frozen=True)
class Row:
    """One request set."""

    set: str
    requests: int
    ratio: float
    goal: float
    seconds: float
    reference_seconds: dict[int, float]
    tokens_before: int
    tokens_after: int
    utilisation: float
    difference: float
    within: bool
    greedy_differs: int
    ties: int
    memory: float
    reference_memory: float

    @property
    def met(self) -> bool:
        """Whether speed and exactness are what they are to be."""
        return self.ratio >= self.goal and self.within and not self.greedy_differs


def main() -> int:
    """Read what is asked for, and measure."""
    return printed(_parser().parse_args(), measure, "scoring")


def measure(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    silence_libraries()
    torch.set_num_threads(arguments.threads)
    model, encoder = load(arguments)
    ours = FastHFLM(pretrained=model, tokenizer=encoder, backend="causal", max_length=4096)
    theirs = {
        size: HFLM(pretrained=model, tokenizer=encoder, backend="causal", batch_size=size, max_length=4096)
        for size in BATCH_SIZES
    }
    print(f"{model.num_parameters() / 1e6:.1f} M parameters, {model.dtype}, {model.device}; tier: {ours.tier.name}")
    print(HEADING)
    rows = []
    for name, (make, goal) in SCORED.items():
        if arguments.only and arguments.only.lower() not in name.lower():
            continue
        requests = make(random.Random(arguments.seed))
        if arguments.quick:
            requests = requests[: max(8, len(requests) // QUICK)]
        rows.append(measured(name, requests, goal, ours, theirs))
        print(line(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), encoding="utf-8")
    n_missed = sum(not row.met for row in rows)
    print(f"{len(rows) - n_missed} of {len(rows)} request sets reach their goals")
    return int(n_missed > 0)


def _parser() -> argparse.ArgumentParser:
    found = parser(__doc__.partition("\n")[0], f"request sets {QUICK} times smaller")
    found.add_argument("--only", metavar="WORD", help="request sets with this in their name")
    return found


def measured(name: str, requests: Sequence[Any], goal: float, ours: FastHFLM, theirs: dict[int, HFLM]) -> Row:
    """Score requests by both sides in turn; HFLM at batch size 1 must be among `theirs`, which are by batch size."""
    times, references, found = [], {}, {}
    reference_memory = peak = 0.0
    timed(ours, requests[:4])
    for size, lm in theirs.items():
        found["ours"], seconds, memory = timed(ours, requests)
        times.append(seconds)
        peak = max(peak, memory)
        found[size], references[size], memory = timed(lm, requests)
        if size == 8:
            reference_memory = memory
    # Differences are held against batch size 1, where nothing is padded.
    pairs = list(zip(found["ours"], found[1], strict=True))
    differences = [abs(mine - other) for (mine, _), (other, _) in pairs]
    limits = [max(LARGEST_DIFFERENCE, RELATIVE_DIFFERENCE * abs(other)) for _, (other, _) in pairs]
    differing = [request for request, (mine, other) in zip(requests, pairs, strict=True) if mine[1] != other[1]]
    ties = sum(_is_tie(theirs[1], request) for request in differing)
    work = _work(ours, requests)
    return Row(
        set=name,
        requests=len(requests),
        ratio=min(references.values()) / median(times),
        goal=goal,
        seconds=median(times),
        reference_seconds=references,
        tokens_before=work.tokens_before,
        tokens_after=work.tokens,
        utilisation=work.operations / median(times) / _peak(ours.model),
        difference=max(differences),
        within=all(difference <= limit for difference, limit in zip(differences, limits, strict=True)),
        greedy_differs=len(differing) - ties,
        ties=ties,
        memory=peak,
        reference_memory=reference_memory,
    )


def timed(lm: Any, requests: Sequence[Any]) -> tuple[list[Any], float, float]:
    """Answers, seconds, and MiB held at most."""
    memory = Memory(lm.device)
    started = clock(lm.device)
    answers = lm.loglikelihood(list(requests), disable_tqdm=True)
    return answers, clock(lm.device) - started, memory.most()


def _is_tie(lm: HFLM, request: Any) -> bool:
    """Whether the reference's two best logits are all but equal at any scored position."""
    _, (context, continuation) = request, lm._encode_pair(*request.args)
    inputs = torch.tensor([(context + continuation)[:-1]], device=lm.device)
    with torch.no_grad():
        best = lm.model(inputs).logits[0, -len(continuation) :].float().topk(2).values
    return bool((best[:, 0] - best[:, 1] < TIE).any())


@dataclass(frozen=True)
class _Work:
    tokens_before: int
    tokens: int
    operations: float


def _work(lm: FastHFLM, requests: Sequence[Any]) -> _Work:
    """What the requests need: two operations a weight and token, the projection at scored rows, and attention."""
    prefixes: set[tuple[int, ...]] = set()
    rows: set[tuple[int, ...]] = set()
    before: set[tuple[int, ...]] = set()
    for request in requests:
        context, continuation = lm._encode_pair(*request.args)
        inputs = tuple((context + continuation)[:-1])
        before.add(inputs)  # HFLM too computes requests once that differ in their last token alone
        prefixes.update(inputs[: end + 1] for end in range(len(inputs)))
        rows.update(inputs[: end + 1] for end in range(len(context) - 1, len(inputs)))
    config = lm.model.config
    weights = sum(
        module.weight.numel()
        for name, module in lm.model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not lm.model.get_output_embeddings()
    )
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    pairs = sum(map(len, prefixes))
    attention = 4 * config.num_hidden_layers * config.num_attention_heads * head * pairs
    projection = 2 * config.hidden_size * config.vocab_size * len(rows)
    return _Work(sum(map(len, before)), len(prefixes), 2.0 * weights * len(prefixes) + projection + attention)


def _peak(model: Any) -> float:
    """Floating-point operations a second in matrix products of the model's own widths."""
    width, inner = model.config.hidden_size, model.config.intermediate_size
    one = torch.randn(1024, width, dtype=model.dtype, device=model.device)
    other = torch.randn(inner, width, dtype=model.dtype, device=model.device)
    product: Callable[[], Any] = lambda: torch.nn.functional.linear(one, other)  # noqa: E731
    product()
    found = []
    for _ in range(5):
        started = clock(model.device)
        for _ in range(20):
            product()
        found.append(20 * 2 * 1024 * width * inner / (clock(model.device) - started))
    return median(found)


HEADING = (
    f"{'':26}{'ratio':>7}{'goal':>6}{'s':>7}{'HFLM s at ' + '/'.join(map(str, BATCH_SIZES)):>20}"
    f"{'tokens':>16}{'MFU':>6}{'|Δ|':>9}{'greedy':>8}{'memory':>11}"
)


def line(row: Row) -> str:
    """A row of the table."""
    references = "/".join(f"{seconds:.1f}" for seconds in row.reference_seconds.values())
    greedy = f"{row.greedy_differs}+{row.ties}" if row.ties else str(row.greedy_differs)
    return (
        f"{row.set:26}{row.ratio:6.1f}×{row.goal:6.1f}{row.seconds:7.2f}{references:>20}"
        f"{f'{row.tokens_before:,}→{row.tokens_after:,}':>16}{row.utilisation:6.2f}{row.difference:9.1e}{greedy:>8}"
        f"{f'{row.memory:.0f}/{row.reference_memory:.0f}':>11}  {'' if row.met else 'missed'}"
    )


if __name__ == "__main__":
    sys.exit(main())
