"""Log-probabilities of all requests, pack by pack."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import torch

from mplus_eval.inference.attention import KeyValue, attending, heeds_caps, own_attention
from mplus_eval.inference.budget import Budget
from mplus_eval.inference.cascade import Carried, PackState
from mplus_eval.inference.logits import Totals, input_device, logits_at
from mplus_eval.inference.tree import (
    LONGEST_SEGMENT,
    Request,
    Segment,
    ancestors,
    build_packs,
    build_segments,
    count_tokens,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class TreeScorer:
    """Scores requests with every distinct prefix computed once."""

    def __init__(self, model: PreTrainedModel, budget: Budget) -> None:
        """Keep a decoder model of transformers whose attention goes through `AttentionInterface`."""
        self.model, self.budget = model, budget
        self.n_tokens = 0
        """Tokens computed so far."""
        self.windows: set[int | None] = set()
        """The sliding windows that layers named so far; None is a layer without."""

    @torch.inference_mode()
    def score(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        """Score every request.

        Returns:
            The sum of the targets' log-probabilities, and whether each of them is the likeliest token.
        """
        longest = min(LONGEST_SEGMENT, self.budget.tokens, self.budget.rows)
        segments = build_segments(requests, longest)
        totals = Totals(len(requests))
        carried: dict[int, tuple[list[KeyValue], torch.Tensor]] = {}
        caps = heeds_caps(self.model)
        with own_attention(self.model):
            for pack in build_packs(segments, self.budget.tokens, self.budget.rows):
                keep = [index for index in pack if segments[index].last > pack[-1]]
                result = compute_pack(self.model, segments, pack, carried, keep, caps=caps)
                self.n_tokens += count_tokens(segments, pack)
                self.windows |= result.windows
                totals.add(result.logits, result.wanted)
                carried |= result.kept
                for index in [index for index in carried if segments[index].last <= pack[-1]]:
                    del carried[index]
        return totals.result()


class PackResult(NamedTuple):
    """What one forward gave."""

    logits: torch.Tensor
    """(wanted positions, vocabulary); one row at least."""
    wanted: list[tuple[int, int, int]]
    """Row of the logits, request and target."""
    kept: dict[int, tuple[list[KeyValue], torch.Tensor]]
    """Keys and values by layer, and positions, of the segments that were to be kept."""
    windows: set[int | None]
    """The sliding windows that layers named."""


def compute_pack(
    model: PreTrainedModel,
    segments: Sequence[Segment],
    pack: range,
    carried: Mapping[int, tuple[list[KeyValue], torch.Tensor]],
    keep: Collection[int],
    *,
    caps: bool,
) -> PackResult:
    """Compute the tokens of one pack, inside `own_attention`.

    Args:
        model: a decoder of transformers.
        segments: all of them, in preorder.
        pack: those to compute.
        carried: what earlier packs kept; at least all segments above this pack.
        keep: segments of this pack whose keys and values are needed later.
        caps: whether a layer's cap on its scores is heeded (`heeds_caps`).

    Raises:
        RuntimeError: when attention was not computed once in every layer.
    """
    mine = [segments[index] for index in pack]
    device = input_device(model)
    offsets = [0, *accumulate(len(segment.tokens) for segment in mine)]
    tokens = torch.tensor([token for segment in mine for token in segment.tokens], device=device)
    positions = torch.tensor([place for segment in mine for place in range(segment.start, segment.end)], device=device)

    def below(index: int) -> int:
        """The token after the last descendant of a segment, within this pack."""
        return offsets[min(segments[index].last, pack[-1]) - pack[0] + 1]

    spans = {index: (offsets[place], offsets[place + 1]) for place, index in enumerate(pack)}
    state = PackState(
        blocks=[(*spans[index], below(index)) for index in pack],
        positions=positions,
        carried=[Carried(*carried[index], below(index)) for index in ancestors(segments, pack[0])],
        kept={index: spans[index] for index in keep},
        caps=caps,
    )
    places: dict[int, int] = {}
    wanted = [
        (places.setdefault(offset + row.position - segment.start, len(places)), row.request, row.target)
        for offset, segment in zip(offsets, mine, strict=False)
        for row in segment.rows
    ]
    inputs = {"input_ids": tokens[None], "position_ids": positions[None], "use_cache": False}
    with attending(state):
        logits = logits_at(model, list(places) or [0], inputs)[0]
    if state.n_layers != (layers := model.config.get_text_config().num_hidden_layers):
        raise RuntimeError(f"attention was computed {state.n_layers} times in {layers} layers")
    kept = {index: (state.new[index], positions[start:stop]) for index, (start, stop) in state.kept.items()}
    return PackResult(logits, wanted, kept, state.windows)
