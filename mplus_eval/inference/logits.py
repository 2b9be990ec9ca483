"""Logits at the scored positions only, and what they say of the targets."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ROWS_IN_CACHE = 32


class NotANumberError(ArithmeticError):
    """The model returned NaN logits."""


def accepted(model: PreTrainedModel) -> frozenset[str]:
    """Names of what a model's forward takes; an adapter's are those of the model inside."""
    return frozenset(inspect.signature(without_adapter(model).forward).parameters)


def without_adapter(model: PreTrainedModel) -> PreTrainedModel:
    """The model of transformers; the layers of an adapter stand inside it."""
    inner: PreTrainedModel = getattr(model, "get_base_model", lambda: model)()
    return inner


def input_device(model: PreTrainedModel) -> torch.device:
    """Where a model takes its tokens; one whose embeddings are offloaded fetches them from main memory."""
    return torch.device("cpu") if model.device.type == "meta" else model.device


def logits_at(model: PreTrainedModel, positions: Sequence[int], inputs: Mapping[str, object]) -> Tensor:
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
        logits: Tensor = model(**given, logits_to_keep=wanted).logits
    else:
        logits = model(**given).logits[:, wanted]
    return logits


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
        # On a processor few rows at once, for its cache.
        n_rows = _ROWS_IN_CACHE if logits.device.type == "cpu" else logits.shape[0]
        parts = [(part.argmax(-1), torch.logsumexp(part.float(), -1)) for part in logits.split(n_rows)]
        best, total = (torch.cat(each) for each in zip(*parts, strict=True))
        rows, requests, targets = torch.tensor(wanted).T
        rows_there, targets_there = rows.to(logits.device), targets.to(logits.device)
        values = logits[rows_there, targets_there].float() - total[rows_there]
        self._sums.index_add_(0, requests, values.double().cpu())
        self._greedy[requests[(best[rows_there] != targets_there).cpu()]] = False

    def result(self) -> list[tuple[float, bool]]:
        """Both, in the order of the requests."""
        return list(zip(self._sums.tolist(), self._greedy.tolist(), strict=True))
