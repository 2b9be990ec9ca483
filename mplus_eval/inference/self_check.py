"""Chooses how a loaded model is scored: each tier must first repeat what plain forwards of made-up requests say.

A tier that is silently wrong for a family of models (attention of its own, a recurrent state, chunks) is off by
hundredths of a nat and more on these requests; a right one by rounding. What the check does not reach: a sliding window
or a chunk longer than `LONGEST` tokens. For the tree, such a window must at least be the one that the layers hand to
attention.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from mplus_eval.inference.budget import Budget
from mplus_eval.inference.logits import Totals, input_device, logits_at
from mplus_eval.inference.shared_prefix import Line, SharedPrefixScorer, build_lines
from mplus_eval.inference.tree import Request
from mplus_eval.inference.tree_scorer import TreeScorer

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

LONGEST = 1152
"""Tokens of a made-up request at most: beyond the usual windows of 1,024 tokens and fewer, and still a short check."""
SHORT = 96
"""Tokens of a made-up request where no window asks for more."""

Name = Literal["tree", "shared prefix", "prefix cache", "prompt rows", "one token", "plain"]
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


class TokenScorer(Protocol):
    """Scores requests at token level."""

    n_tokens: int

    def score(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        """The sum of the targets' log-probabilities of every request, and whether each target is the likeliest."""


DEFAULT = Budget()


SCORERS: dict[Name, Callable[[PreTrainedModel, Budget], TokenScorer]] = {
    "tree": TreeScorer,
    "shared prefix": SharedPrefixScorer,
}


def scorer_of(tier: Tier, model: PreTrainedModel, budget: Budget = DEFAULT) -> TokenScorer | None:
    """The scorer of a tier; None for plain, which is lm-eval's own."""
    return None if tier.name == "plain" else SCORERS[tier.name](model, budget)


@torch.inference_mode()
def choose_tier(model: PreTrainedModel, max_length: int, budget: Budget = DEFAULT) -> Tier:
    """Choose the best tier that repeats plain forwards.

    Args:
        model: a decoder of transformers, loaded.
        max_length: tokens of a request at most.
        budget: what the model will be scored with; a smaller one is checked too, which splits what is computed.

    Raises:
        torch.OutOfMemoryError: when a made-up request does not fit the device's memory.
    """
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    # Layers that a tier does not know refuse it whatever the numbers say: a chunk may be longer than the check.
    reasons: dict[str, str] = {
        name: f"layers of the kind {', '.join(sorted(kinds - usable))}"
        for name, usable in KINDS.items()
        if kinds - usable
    }
    if len(reasons) == len(KINDS):
        return _plain_tier(reasons)
    requests = made_up_requests(model, max_length)
    try:
        totals = Totals(len(requests))
        # Each distinct input alone.
        for line in build_lines(requests):
            _plain_forward(model, [line], totals)
        plain = [value for value, _ in totals.result()]
        tolerance = _tolerance(model, requests, plain)
    except ERRORS as error:
        return _plain_tier({"made-up requests": _told(error)})
    longest = max(len(request.inputs) for request in requests)
    small = Budget(min(budget.tokens, longest // 3 + 1), min(budget.rows, 8))
    for name in [name for name in KINDS if name not in reasons]:
        try:
            off = _largest_difference(name, model, requests, plain, (small, budget))
        except ERRORS as error:
            reasons[name] = _told(error)
            continue
        # Written so that a difference that is not a number fails.
        if off <= tolerance:
            return Tier(name, off, tolerance, _why(reasons))
        reasons[name] = f"off by {off:.2g} nats a token, where {tolerance:.2g} is accepted"
    return _plain_tier(reasons)


def _largest_difference(
    name: Name, model: PreTrainedModel, requests: Sequence[Request], plain: Sequence[float], budgets: Sequence[Budget]
) -> float:
    """Of a tier, with budgets of several sizes.

    Raises:
        NotImplementedError: where no layer hands on a window that the made-up requests do not reach.
    """
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    slides = "sliding_attention" in (getattr(config, "layer_types", None) or ["sliding_attention"])
    differences = []
    for budget in budgets:
        scorer = SCORERS[name](model, budget)
        differences.append(difference(scorer.score(requests), plain, requests))
        is_reached = not window or window < max(len(request.inputs) for request in requests)
        if isinstance(scorer, TreeScorer) and slides and not is_reached and window not in scorer.windows:
            raise NotImplementedError(f"attention is not told of the sliding window of {window} tokens")
    return _largest(differences)


def _plain_tier(reasons: Mapping[str, str]) -> Tier:
    return Tier("plain", 0.0, 0.0, _why(reasons))


def _why(reasons: Mapping[str, str]) -> str:
    """The reasons in the order of the tiers, best first."""
    order = [name for name in KINDS if name in reasons] + [name for name in reasons if name not in KINDS]
    return "; ".join(f"{name}: {reasons[name]}" for name in order)


def difference(scores: Sequence[tuple[float, bool]], plain: Sequence[float], requests: Sequence[Request]) -> float:
    """Largest absolute difference of a request's log-probability, over the number of its targets; NaN if any is."""
    each = zip(scores, plain, requests, strict=True)
    return _largest([abs(value - expected) / len(request.targets) for (value, _), expected, request in each])


def _largest(values: Sequence[float]) -> float:
    return max(values, key=lambda value: inf if isnan(value) else value)


def _tolerance(model: PreTrainedModel, requests: Sequence[Request], plain: Sequence[float]) -> float:
    """What is accepted, in nats a scored token.

    float32: 2e-4, and more in proportion where a token's log-probability is beyond 20 in size, since rounding grows
    with it. Over families, right tiers were measured at 8e-6 and less, wrong ones at 0.02 and more.

    bfloat16 and float16: rounding hides small errors, so that only a gross one is found. Right tiers were measured at
    0.51 (an adapter on Gemma 3 270M) and 0.1 and less, wrong ones (a tree for Llama 4 and Falcon-H1) at 2.6 and more: 1
    and 0.25 are accepted; or four times what plain forwards differ by between a batch and each request alone, where a
    model rounds worse than that. A quantised model counts as bfloat16.
    """
    tokens = sum(len(request.targets) for request in requests)
    dtype = "quantized" if getattr(model, "is_quantized", False) else str(model.dtype).removeprefix("torch.")
    # The first requests are of several lengths.
    some = requests[:5]
    together = Totals(len(some))
    _plain_forward(model, build_lines(some), together)
    noise = difference(together.result(), plain[: len(some)], some)
    return accepted(dtype, mean=sum(plain) / tokens, noise=noise)


def accepted(dtype: str, *, mean: float, noise: float) -> float:
    """As `_tolerance`, of a model of that dtype whose made-up tokens have that mean log-probability."""
    scale = max(1.0, -mean / 20)
    if dtype in ("float32", "float64"):
        return 2e-4 * scale
    return max((0.25 if dtype == "float16" else 1.0) * scale, 4 * noise)


def _told(error: Exception) -> str:
    """An error in one line; out of memory, said by a class on accelerators and by words on processors, is raised."""
    if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error):
        raise error
    line = next(iter(str(error).splitlines()), "")[:200]
    return line if isinstance(error, NotImplementedError) else f"{type(error).__name__}: {line}"


def made_up_requests(model: PreTrainedModel, max_length: int) -> list[Request]:
    """Requests of seeded tokens, as `made_up_pairs` has them."""
    pairs = made_up_pairs(model.config.get_text_config(), max_length)
    # As lm-eval does: the last token is never an input, and what is too long loses its beginning.
    inputs = [(context + answer)[:-1][-max_length:] for context, answer in pairs]
    return [Request(cut, answer[-len(cut) :]) for cut, (_, answer) in zip(inputs, pairs, strict=True)]


def made_up_pairs(config: PreTrainedConfig, max_length: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Contexts and answers: a branched tree, duplicates, one within another, one cut on the left, two long ones.

    The long ones reach beyond the model's sliding window, where `LONGEST` and `max_length` let them.
    """
    source = random.Random(0)
    # Ids of the vocabulary that stand for text; special ones may be treated in a way of their own.
    special: set[int] = set()
    for name, value in config.to_dict().items():
        if name.endswith(("token_id", "token_index")):
            special |= {token for token in (value if isinstance(value, list) else [value]) if isinstance(token, int)}
    usable = [token for token in range(config.vocab_size) if token not in special] or [0]
    # How far back layers see, by what configurations call it.
    names = ("sliding_window", "attention_chunk_size", "window_size", "local_attention_window")
    windows = [value for name in names if isinstance(value := getattr(config, name, None), int) and value > 0]
    longest = max(min(max([SHORT, *(window + 32 for window in windows if window + 32 <= LONGEST)]), max_length), 16)

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(source.choices(usable, k=n))

    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    shared = tokens(24)
    for _ in range(2):
        context = shared + tokens(source.randint(4, 12))
        answers = [tokens(n) for n in (1, 1, 3, 6)]
        pairs += [(context, answer) for answer in [*answers, answers[-1][:4]]]
    pairs.append((tokens(5), tokens(2)))
    # As left truncation leaves it: the same tokens at other positions.
    pairs.append((shared[3:], tokens(4)))
    long = tokens(longest - 8)
    pairs += [(long + tokens(3), tokens(n)) for n in (6, 2)]
    return pairs


def _plain_forward(model: PreTrainedModel, lines: Sequence[Line], totals: Totals) -> None:
    """One forward of some inputs, padded on the right; logits of scored positions alone: a vocabulary is large."""
    width = max(len(line.inputs) for line in lines)
    padded = [[*line.inputs, *[0] * (width - len(line.inputs))] for line in lines]
    places = sorted({position for line in lines for position, _, _ in line.wanted})
    rows = {position: row for row, position in enumerate(places)}
    inputs = {"input_ids": torch.tensor(padded, device=input_device(model))}
    for line, logits in zip(lines, logits_at(model, places, inputs), strict=True):
        totals.add(logits, [(rows[position], number, token) for position, number, token in line.wanted])
