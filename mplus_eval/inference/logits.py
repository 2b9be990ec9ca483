"""Logits at the scored positions only, and what they say of the targets."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_ROWS_IN_CACHE = 32


class NotANumberError(ArithmeticError):
    """The model returned NaN logits."""


def accepted(model: Any) -> frozenset[str]:
    """Names of what a model's forward takes; an adapter's are those of the model inside."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return frozenset(inspect.signature(inner.forward).parameters)


def input_device(model: Any) -> torch.device:
    """Where a model takes its tokens; one whose embeddings are offloaded fetches them from main memory."""
    device: torch.device = model.device
    return torch.device("cpu") if device.type == "meta" else device


def logits_at(model: Any, positions: Sequence[int], inputs: dict[str, Any]) -> Tensor:
    """Run a forward, and give the logits of some positions.

    Args:
        model: a decoder; one that does not take `logits_to_keep` computes them all.
        positions: of the tokens handed over, the same in every row of a batch.
        inputs: of the forward; those that the model does not take are left out.

    Returns:
        (batch, positions, vocabulary).
    """
    names = accepted(model)
    given = {name: value for name, value in inputs.items() if name in names}
    # A list, not a tensor: it indexes on whatever device the last layer lies.
    wanted = list(positions)
    if "logits_to_keep" in names:
        return model(**given, logits_to_keep=wanted).logits  # type: ignore[no-any-return]
    return model(**given).logits[:, wanted]  # type: ignore[no-any-return]


class Totals:
    """Per request, the sum of its targets' log-probabilities and whether each target is the likeliest token."""

    def __init__(self, n_requests: int) -> None:
        self._sums = torch.zeros(n_requests, dtype=torch.float64)
        self._greedy = torch.ones(n_requests, dtype=torch.bool)

    def add(self, logits: Tensor, wanted: Sequence[tuple[int, int, int]]) -> None:
        """Add some targets.

        Args:
            logits: (rows, vocabulary).
            wanted: of every target, the row, the request and the token.
        """
        if not wanted:
            return
        best, total = _best_and_total(logits)
        rows, requests, targets = torch.tensor(wanted).T
        rows_there, targets_there = rows.to(logits.device), targets.to(logits.device)
        values = logits[rows_there, targets_there].float() - total[rows_there]
        self._sums.index_add_(0, requests, values.double().cpu())
        self._greedy[requests[(best[rows_there] != targets_there).cpu()]] = False

    def result(self) -> list[tuple[float, bool]]:
        """Both, in the order of the requests."""
        return list(zip(self._sums.tolist(), self._greedy.tolist(), strict=True))


def _best_and_total(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest token and the log-sum-exp of every row; on a processor few rows at once, for its cache."""
    rows = _ROWS_IN_CACHE if logits.device.type == "cpu" else logits.shape[0]
    parts = [(part.argmax(-1), torch.logsumexp(part.float(), -1)) for part in logits.split(rows)]
    return torch.cat([best for best, _ in parts]), torch.cat([total for _, total in parts])
