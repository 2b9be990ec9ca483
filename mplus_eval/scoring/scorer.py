"""Log-probabilities of all requests, pack by pack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

from mplus_eval.scoring import cascade
from mplus_eval.scoring.cascade import Carried, KeyValue, PackState
from mplus_eval.scoring.logits import Totals, input_device, logits_at
from mplus_eval.scoring.tree import LONGEST_SEGMENT, Request, Segment, ancestors, build_packs, build_segments


@dataclass(frozen=True)
class Budget:
    """How much is computed at once."""

    tokens: int = 1024
    rows: int = 1024
    """Positions whose logits are held at once, each as wide as the vocabulary."""


class TreeScorer:
    """Scores requests with every distinct prefix computed once."""

    def __init__(self, model: Any, budget: Budget) -> None:
        """Keep a decoder model of transformers whose attention goes through `AttentionInterface`."""
        self.model, self.budget = model, budget
        self.n_tokens = 0
        """Tokens computed so far."""
        self.windows: set[int | None] = set()
        """The sliding windows that layers named so far; None is a layer without."""
        self._n_layers: int = model.config.get_text_config().num_hidden_layers

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
        # The kernel of PyTorch does not cap scores, and numbers are to be those of a plain forward.
        caps = self.model.config._attn_implementation != "sdpa"
        with attention_of(self.model, cascade.NAME):
            for pack in build_packs(segments, self.budget.tokens, self.budget.rows):
                state = self._pack(segments, pack, carried, totals, caps)
                for index, (start, stop) in state.kept.items():
                    carried[index] = (state.new[index], state.positions[start:stop])
                for index in [index for index in carried if segments[index].last <= pack[-1]]:
                    del carried[index]
        return totals.result()

    def _pack(
        self,
        segments: Sequence[Segment],
        pack: range,
        carried: dict[int, tuple[list[KeyValue], torch.Tensor]],
        totals: Totals,
        caps: bool,
    ) -> PackState:
        mine = [segments[index] for index in pack]
        device = input_device(self.model)
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
            kept={index: spans[index] for index in pack if segments[index].last > pack[-1]},
            caps=caps,
        )
        kept: dict[int, int] = {}
        wanted = [
            (kept.setdefault(offset + row.position - segment.start, len(kept)), row.request, row.target)
            for offset, segment in zip(offsets, mine, strict=False)
            for row in segment.rows
        ]
        inputs = {"input_ids": tokens[None], "position_ids": positions[None], "use_cache": False}
        with cascade.attending(state):
            logits = logits_at(self.model, list(kept) or [0], inputs)[0]
        if state.n_layers != self._n_layers:
            raise RuntimeError(f"attention was computed {state.n_layers} times in {self._n_layers} layers")
        self.n_tokens += len(tokens)
        self.windows |= state.windows
        totals.add(logits, wanted)
        return state


@contextmanager
def attention_of(model: Any, name: str) -> Iterator[None]:
    """The model with another attention function inside.

    Raises:
        NotImplementedError: when the model's attention is its own and cannot be exchanged.
    """
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        # Where it cannot be exchanged, transformers only warns.
        if model.config._attn_implementation != name:
            raise NotImplementedError("attention of its own, which cannot be exchanged")
        yield
    finally:
        model.set_attn_implementation(before)
