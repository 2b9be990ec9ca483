"""Chooses how a loaded model is scored: each tier must first repeat what plain forwards of made-up requests say.

A tier that is silently wrong for a family of models (attention of its own, a recurrent state, chunks) is off by
hundredths of a nat and more on these requests; a right one by rounding. What the check does not reach: a sliding window
or a chunk longer than `LONGEST` tokens. For the tree, such a window must at least be the one that the layers hand to
attention.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import Any, Literal, Protocol

import torch

from mplus_eval.inference.budget import Budget
from mplus_eval.inference.logits import Totals, input_device
from mplus_eval.inference.shared_prefix import Line, SharedPrefixScorer, build_lines
from mplus_eval.inference.tree import Request
from mplus_eval.inference.tree_scorer import TreeScorer

LONGEST = 1152
"""Tokens of a made-up request at most: beyond the usual windows of 1,024 tokens and fewer, and still a short check."""
SHORT = 96
"""Tokens of a made-up request where no window asks for more."""

Name = Literal["tree", "shared prefix", "plain"]
KINDS: dict[Name, frozenset[str]] = {
    "tree": frozenset({"full_attention", "sliding_attention"}),
    "shared prefix": frozenset({"full_attention", "sliding_attention", "chunked_attention"}),
}
"""The tiers to try, best first, and the kinds of layers that each may be right for; recurrent ones are in none."""
ERRORS = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What the code of a model raises that cannot do what a tier asks; NotImplementedError is a RuntimeError."""


@dataclass(frozen=True)
class Tier:
    """How a model is scored, and how well that repeats plain forwards."""

    name: Name
    difference: float
    """Largest absolute difference of a log-probability from a plain forward's, in nats a scored token; 0 for plain."""
    tolerance: float
    """The largest difference accepted, in the same unit; 0 for plain."""
    why: str
    """Why a better tier was left, in one line; empty for the best."""


class Scorer(Protocol):
    """Scores requests at token level."""

    n_tokens: int

    def score(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        """The sum of the targets' log-probabilities of every request, and whether each target is the likeliest."""


DEFAULT = Budget()


def scorer_of(tier: Tier, model: Any, budget: Budget = DEFAULT) -> Scorer | None:
    """The scorer of a tier; None for plain, which is lm-eval's own."""
    return None if tier.name == "plain" else _scorer(tier.name, model, budget)


def _scorer(name: Name, model: Any, budget: Budget) -> Scorer:
    return TreeScorer(model, budget) if name == "tree" else SharedPrefixScorer(model, budget)


@torch.inference_mode()
def choose_tier(model: Any, max_length: int, budget: Budget = DEFAULT) -> Tier:
    """Choose the best tier that repeats plain forwards.

    Args:
        model: a decoder of transformers, loaded.
        max_length: tokens of a request at most.
        budget: what the model will be scored with; a smaller one is checked too, which splits what is computed.

    Raises:
        torch.OutOfMemoryError: when a made-up request does not fit the device's memory.
    """
    reasons = {name: _unknown_layers(model, kinds) for name, kinds in KINDS.items()}
    if all(reasons.values()):
        return _plain_tier(reasons)
    requests = made_up_requests(model, max_length)
    try:
        plain = _plain(model, requests)
        tolerance = _tolerance(model, requests, plain)
    except ERRORS as error:
        return _plain_tier({"made-up requests": _told(error)})
    longest = max(len(request.inputs) for request in requests)
    small = Budget(min(budget.tokens, longest // 3 + 1), min(budget.rows, 8))
    for name in [name for name, reason in reasons.items() if not reason]:
        try:
            found = _check(name, model, requests, plain, (small, budget))
        except ERRORS as error:
            reasons[name] = _told(error)
            continue
        # Written so that a difference that is not a number fails.
        if found <= tolerance:
            return Tier(name, found, tolerance, _why(reasons))
        reasons[name] = f"off by {found:.2g} nats a token, where {tolerance:.2g} is accepted"
    return _plain_tier(reasons)


def _check(
    name: Name, model: Any, requests: Sequence[Request], plain: Sequence[float], budgets: Sequence[Budget]
) -> float:
    """The largest difference of a tier, with budgets of several sizes."""
    found = []
    for budget in budgets:
        scorer = _scorer(name, model, budget)
        found.append(difference(scorer.score(requests), plain, requests))
        if isinstance(scorer, TreeScorer):
            _refuse_unnamed_window(model, scorer, max(len(request.inputs) for request in requests))
    return _largest(found)


def _plain_tier(reasons: Mapping[Any, str]) -> Tier:
    return Tier("plain", 0.0, 0.0, _why(reasons))


def _why(reasons: Mapping[Any, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)


def difference(found: Sequence[tuple[float, bool]], plain: Sequence[float], requests: Sequence[Request]) -> float:
    """Largest absolute difference of a request's log-probability, over the number of its targets; NaN if any is."""
    each = zip(found, plain, requests, strict=True)
    return _largest([abs(value - expected) / len(request.targets) for (value, _), expected, request in each])


def _largest(values: Sequence[float]) -> float:
    return max(values, key=lambda value: inf if isnan(value) else value)


def _tolerance(model: Any, requests: Sequence[Request], plain: Sequence[float]) -> float:
    """What is accepted, in nats a scored token.

    float32: 2e-4, and more in proportion where a token's log-probability is beyond 20 in size, since rounding grows
    with it. Over families, right tiers were measured at 8e-6 and less, wrong ones at 0.02 and more.

    bfloat16 and float16: rounding hides small errors, so that only a gross one is found. Right tiers were measured at
    0.37 and 0.1 and less, wrong ones (a tree for Llama 4 and Falcon-H1) at 2.6 and more: 0.5 and 0.25 are accepted; or
    four times what plain forwards differ by between a batch and each request alone, where a model rounds worse than
    that. A quantised model counts as bfloat16.
    """
    tokens = sum(len(request.targets) for request in requests)
    scale = max(1.0, -sum(plain) / tokens / 20)
    if model.dtype in (torch.float32, torch.float64) and not getattr(model, "is_quantized", False):
        return 2e-4 * scale
    is_float16 = model.dtype == torch.float16 and not getattr(model, "is_quantized", False)
    return max((0.25 if is_float16 else 0.5) * scale, 4 * _noise(model, requests, plain))


def _noise(model: Any, requests: Sequence[Request], plain: Sequence[float]) -> float:
    """What the first requests, of several lengths, differ by when they are computed together."""
    some = requests[:5]
    totals = Totals(len(some))
    _plain_forward(model, build_lines(some), totals)
    return difference(totals.result(), plain[: len(some)], some)


def _unknown_layers(model: Any, known: frozenset[str]) -> str:
    """Kinds that a tier does not know, refused whatever the numbers say: a chunk may be longer than the check."""
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or []
    unknown = sorted(set(kinds) - known)
    return f"layers of the kind {', '.join(unknown)}" if unknown else ""


def _refuse_unnamed_window(model: Any, scorer: TreeScorer, longest: int) -> None:
    """Refuse where no layer hands on a window that the made-up requests do not reach."""
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
    if window and window >= longest and "sliding_attention" in kinds and window not in scorer.windows:
        raise NotImplementedError(f"attention is not told of the sliding window of {window} tokens")


def _told(error: Exception) -> str:
    """An error in one line; out of memory, said by a class on accelerators and by words on processors, is raised."""
    if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error):
        raise error
    line = next(iter(str(error).splitlines()), "")[:200]
    return line if isinstance(error, NotImplementedError) else f"{type(error).__name__}: {line}"


def made_up_requests(model: Any, max_length: int) -> list[Request]:
    """Requests of seeded tokens: a branched tree, duplicates, one within another, one cut on the left, two long ones.

    The long ones reach beyond the model's sliding window, where `LONGEST` and `max_length` let them.
    """
    source = random.Random(0)
    usable = _ordinary_tokens(model.config.get_text_config())

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(source.choices(usable, k=n))

    found: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    shared = tokens(24)
    for _ in range(2):
        context = shared + tokens(source.randint(4, 12))
        answers = [tokens(n) for n in (1, 1, 3, 6)]
        found += [(context, answer) for answer in [*answers, answers[-1][:4]]]
    found.append((tokens(5), tokens(2)))
    # As left truncation leaves it: the same tokens at other positions.
    found.append((shared[3:], tokens(4)))
    long = tokens(_long(model, max_length) - 8)
    found += [(long + tokens(3), tokens(n)) for n in (6, 2)]
    return [_cut(context, answer, max_length) for context, answer in found]


def _cut(context: tuple[int, ...], answer: tuple[int, ...], max_length: int) -> Request:
    """As lm-eval does: the last token is never an input, and what is too long loses its beginning."""
    inputs = (context + answer)[:-1][-max_length:]
    return Request(inputs, answer[-len(inputs) :])


def _long(model: Any, max_length: int) -> int:
    windows = [window + 32 for window in _windows(model) if window + 32 <= LONGEST]
    return max(min(max([SHORT, *windows]), max_length), 16)


def _windows(model: Any) -> list[int]:
    """How far back layers see, by what configurations call it."""
    config = model.config.get_text_config()
    names = ("sliding_window", "attention_chunk_size", "window_size", "local_attention_window")
    return [value for name in names if isinstance(value := getattr(config, name, None), int) and value > 0]


def _ordinary_tokens(config: Any) -> list[int]:
    """Ids of the vocabulary that stand for text; special ones may be treated in a way of their own."""
    special: set[int] = set()
    for name, value in config.to_dict().items():
        if name.endswith(("token_id", "token_index")):
            special |= {one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int)}
    return [token for token in range(config.vocab_size) if token not in special] or [0]


def _plain(model: Any, requests: Sequence[Request]) -> list[float]:
    """Log-probabilities from forwards of each distinct input alone."""
    totals = Totals(len(requests))
    for line in build_lines(requests):
        _plain_forward(model, [line], totals)
    return [value for value, _ in totals.result()]


def _plain_forward(model: Any, lines: Sequence[Line], totals: Totals) -> None:
    """One forward of some inputs, padded on the right; every position's logits, as in lm-eval."""
    width = max(len(line.inputs) for line in lines)
    padded = [[*line.inputs, *[0] * (width - len(line.inputs))] for line in lines]
    logits = model(input_ids=torch.tensor(padded, device=input_device(model))).logits
    for row, line in enumerate(lines):
        first = line.context
        totals.add(logits[row, first:], [(position - first, number, token) for position, number, token in line.wanted])
