"""Log-probabilities of all requests, pack by pack."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import torch

from mplus_eval.scoring import cascade
from mplus_eval.scoring.cascade import Carried, KeyValue, PackState
from mplus_eval.scoring.tree import Request, Segment, ancestors, build_packs, build_segments


@dataclass(frozen=True)
class Budget:
    """How much is computed at once."""

    tokens: int = 1024
    rows: int = 1024
    """Positions whose logits are held at once, each as wide as the vocabulary."""


class TreeScorer:
    """Scores requests with every distinct prefix computed once."""

    def __init__(self, model: Any, budget: Budget) -> None:
        """Keep a decoder model of transformers that takes `logits_to_keep` and a registered attention function."""
        self.model, self.budget = model, budget
        self.n_tokens = 0
        """Tokens computed so far."""

    @torch.inference_mode()
    def score(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        """Score every request.

        Returns:
            The sum of the targets' log-probabilities, and whether each of them is the likeliest token.
        """
        segments = build_segments(requests)
        sums = torch.zeros(len(requests), dtype=torch.float64)
        greedy = torch.ones(len(requests), dtype=torch.bool)
        carried: dict[int, tuple[list[KeyValue], torch.Tensor]] = {}
        with attention_of(self.model, cascade.NAME):
            for pack in build_packs(segments, self.budget.tokens, self.budget.rows):
                keep = [index for index in pack if segments[index].last > pack[-1]]
                result = compute_pack(self.model, segments, pack, carried, keep)
                self.n_tokens += sum(len(segments[index].tokens) for index in pack)
                if result.wanted:
                    _add(result.logits, result.wanted, sums, greedy)
                carried |= result.kept
                for index in [index for index in carried if segments[index].last <= pack[-1]]:
                    del carried[index]
        return list(zip(sums.tolist(), greedy.tolist(), strict=True))


class PackResult(NamedTuple):
    """What one forward gave."""

    logits: torch.Tensor
    """(wanted positions, vocabulary); one row at least."""
    wanted: list[tuple[int, int, int]]
    """Row of the logits, request and target."""
    kept: dict[int, tuple[list[KeyValue], torch.Tensor]]
    """Keys and values by layer, and positions, of the segments that were to be kept."""


def compute_pack(
    model: Any,
    segments: Sequence[Segment],
    pack: range,
    carried: Mapping[int, tuple[list[KeyValue], torch.Tensor]],
    keep: Collection[int],
) -> PackResult:
    """Compute the tokens of one pack; the model's attention must be `cascade.NAME`.

    Args:
        model: a decoder of transformers.
        segments: all of them, in preorder.
        pack: those to compute.
        carried: what earlier packs kept; at least all segments above this pack.
        keep: segments of this pack whose keys and values are needed later.
    """
    mine = [segments[index] for index in pack]
    device = model.device
    offsets = [0, *accumulate(len(segment.tokens) for segment in mine)]
    tokens = torch.tensor([token for segment in mine for token in segment.tokens], device=device)
    positions = torch.tensor([place for one in mine for place in range(one.start, one.end)], device=device)

    def below(index: int) -> int:
        """The token after the last descendant of a segment, within this pack."""
        return offsets[min(segments[index].last, pack[-1]) - pack[0] + 1]

    spans = {index: (offsets[place], offsets[place + 1]) for place, index in enumerate(pack)}
    state = PackState(
        blocks=[(*spans[index], below(index)) for index in pack],
        positions=positions,
        carried=[Carried(*carried[index], below(index)) for index in ancestors(segments, pack[0])],
        kept={index: spans[index] for index in keep},
    )
    places: dict[int, int] = {}
    wanted = [
        (places.setdefault(offset + row.position - segment.start, len(places)), row.request, row.target)
        for offset, segment in zip(offsets, mine, strict=False)
        for row in segment.rows
    ]
    with cascade.attending(state):
        logits = model(
            input_ids=tokens[None],
            position_ids=positions[None],
            use_cache=False,
            logits_to_keep=torch.tensor(list(places) or [0], device=device),
        ).logits[0]
    kept = {index: (state.new[index], positions[start:stop]) for index, (start, stop) in state.kept.items()}
    return PackResult(logits, wanted, kept)


def _add(
    logits: torch.Tensor, wanted: Sequence[tuple[int, int, int]], sums: torch.Tensor, greedy: torch.Tensor
) -> None:
    rows, requests, targets = torch.tensor(wanted).T
    best = logits.argmax(-1)
    total = torch.logsumexp(logits.float(), -1)
    on = rows.to(logits.device)
    targets_on = targets.to(logits.device)
    values = (logits[on, targets_on].float() - total[on]).double().cpu()
    sums.index_add_(0, requests, values)
    greedy[requests[(best[on] != targets_on).cpu()]] = False


@contextmanager
def attention_of(model: Any, name: str) -> Iterator[None]:
    """The model with another attention function inside."""
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
