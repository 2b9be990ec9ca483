"""The second tier: a common prefix is computed once, and its cache is expanded over a padded batch of what follows.

    requests        groups               computed
    a b c d e       a b c before d e     first  a b c,  then  d e
    a b c f         a b c before f                            f -
    x y             x y                  x y

Only the model's own attention and cache are used, so this holds where a tree does not: attention of a family's own,
biases of positions, chunks. One prefix is shared at a time, so more is computed than with a tree.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from transformers import DynamicCache

from mplus_eval.inference.budget import Budget
from mplus_eval.inference.logits import Totals, input_device, logits_at
from mplus_eval.inference.tree import Request, common_length

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FORWARD = 32
"""A forward costs about as much as this many more tokens in one; a prefix that saves less is not shared."""
CACHED = 8
"""Tokens in the expanded cache of a batch, for each token that a forward may compute."""


@dataclass
class Line:
    """Distinct input tokens, and what is to be scored in them: (position, request, target)."""

    inputs: tuple[int, ...]
    wanted: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def context(self) -> int:
        """How many tokens come before the first scored position."""
        return min(position for position, _, _ in self.wanted)


class Group(NamedTuple):
    """The lines from `low` up to `high`, whose first `prefix` tokens are computed once."""

    low: int
    high: int
    prefix: int


class SharedPrefixScorer:
    """Scores requests with each group's common prefix computed once."""

    def __init__(self, model: PreTrainedModel, budget: Budget) -> None:
        """Keep a decoder model of transformers that takes a `DynamicCache`."""
        self.model, self.budget = model, budget
        self.n_tokens = 0
        """Tokens computed so far, padding included."""

    @torch.inference_mode()
    def score(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        """Score every request.

        Returns:
            The sum of the targets' log-probabilities, and whether each of them is the likeliest token.
        """
        totals = Totals(len(requests))
        lines = build_lines(requests)
        alone: list[Line] = []
        for low, high, prefix in build_groups(lines):
            if not prefix:
                alone += lines[low:high]
                continue
            cache = DynamicCache(config=self.model.config)
            shared = Line(lines[low].inputs[:prefix])
            # Its last position is not scored; the logits of one are the fewest that a forward computes.
            logits_at(self.model, [prefix - 1], self._inputs([shared], 0, cache))
            for batch in self._batches(lines[low:high], prefix):
                expanded = copy.deepcopy(cache)
                expanded.batch_repeat_interleave(len(batch))
                self._forward(batch, prefix, expanded, totals)
        for batch in self._batches(alone, 0):
            self._forward(batch, 0, None, totals)
        return totals.result()

    def _forward(self, lines: Sequence[Line], prefix: int, cache: DynamicCache | None, totals: Totals) -> None:
        positions = sorted({position - prefix for line in lines for position, _, _ in line.wanted})
        logits = logits_at(self.model, positions, self._inputs(lines, prefix, cache))
        column = {position: place for place, position in enumerate(positions)}
        wanted = [
            (row * len(positions) + column[position - prefix], request, target)
            for row, line in enumerate(lines)
            for position, request, target in line.wanted
        ]
        totals.add(logits.flatten(0, 1), wanted)

    def _inputs(self, lines: Sequence[Line], prefix: int, cache: DynamicCache | None) -> dict[str, object]:
        """What a forward takes, padded on the right with token 0, which nothing before it sees."""
        suffixes = [line.inputs[prefix:] for line in lines]
        width = max(map(len, suffixes))
        self.n_tokens += len(lines) * width
        device = input_device(self.model)
        padding = [width - len(suffix) for suffix in suffixes]
        tokens = [[*suffix, *[0] * n] for suffix, n in zip(suffixes, padding, strict=True)]
        real = [[1] * (prefix + width - n) + [0] * n for n in padding]
        inputs = {
            "input_ids": torch.tensor(tokens, device=device),
            "attention_mask": torch.tensor(real, device=device),
            "position_ids": torch.arange(prefix, prefix + width, device=device).expand(len(lines), -1),
            "use_cache": cache is not None,
        }
        return inputs if cache is None else {**inputs, "past_key_values": cache}

    def _batches(self, lines: Sequence[Line], prefix: int) -> Iterator[list[Line]]:
        """Lines of similar length, as many as the budget allows and one at least."""
        batch: list[Line] = []
        positions: set[int] = set()
        for line in sorted(lines, key=lambda line: len(line.inputs), reverse=True):
            more = positions | {position for position, _, _ in line.wanted}
            longest = len(batch[0].inputs) if batch else 0
            n_lines = len(batch) + 1
            if batch and (
                n_lines * (longest - prefix) > self.budget.tokens
                or n_lines * len(more) > self.budget.rows
                or n_lines * longest > CACHED * self.budget.tokens
            ):
                yield batch
                batch, more = [], {position for position, _, _ in line.wanted}
            batch.append(line)
            positions = more
        if batch:
            yield batch


def build_lines(requests: Sequence[Request]) -> list[Line]:
    """The distinct inputs that something is scored in, sorted, so that those with a common prefix are neighbours."""
    lines: dict[tuple[int, ...], Line] = {}
    for number, (inputs, targets) in enumerate(requests):
        if targets:
            first = len(inputs) - len(targets)
            wanted = [(first + place, number, target) for place, target in enumerate(targets)]
            lines.setdefault(inputs, Line(inputs)).wanted.extend(wanted)
    return [lines[inputs] for inputs in sorted(lines)]


@dataclass
class _Node:
    """Lines from `low` on that share `depth` tokens, and the cheapest way to compute those seen so far."""

    depth: int
    low: int
    context: int
    cost: int
    groups: list[Group]


def build_groups(lines: Sequence[Line]) -> list[Group]:
    """Choose the prefixes that leave the fewest tokens to compute; a group without one has the prefix 0.

    The lines' tree of common prefixes is walked from its leaves: each node is either one group of all its lines, or
    leaves them to the nodes below.
    """
    stack: list[_Node] = []
    shared = [*(common_length(line.inputs, after.inputs) for line, after in pairwise(lines)), -1]
    ends = [0]
    for place, (line, depth) in enumerate(zip(lines, shared, strict=False)):
        length = len(line.inputs)
        ends.append(ends[-1] + length)
        node = _Node(length, place, line.context, length, [Group(place, place + 1, 0)])
        while stack and stack[-1].depth > depth:
            node = _joined(stack.pop(), node)
            # All lines of a node as one group, where that is cheaper.
            prefix = min(node.depth, node.context)
            cost = ends[place + 1] - ends[node.low] - (place - node.low) * prefix + FORWARD
            if prefix > 0 and cost < node.cost:
                node = replace(node, cost=cost, groups=[Group(node.low, place + 1, prefix)])
        if stack and stack[-1].depth == depth:
            node = _joined(stack.pop(), node)
        stack.append(_Node(depth, node.low, node.context, node.cost, node.groups))
    return stack[0].groups if stack else []


def _joined(node: _Node, other: _Node) -> _Node:
    node.groups.extend(other.groups)
    return _Node(node.depth, node.low, min(node.context, other.context), node.cost + other.cost, node.groups)
