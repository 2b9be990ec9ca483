"""The KL of a model from its base: tensors in, tensors out.

    Σ_v p(v) (log p(v) − log q(v)), summed over the tokens         KL of an answer

All other arithmetic of training, the losses and the advantages, is that of TRL's trainers.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mplus_eval.training.next_tokens import NextTokens


def kl_of_answers(model: NextTokens, base: NextTokens, mask: Tensor) -> tuple[Tensor, Tensor]:
    """KL(model ‖ base) over the whole vocabulary at every token, summed along each answer.

    Logits of many tokens of a large vocabulary are made a slice at a time, and made again for gradients.

    Args:
        model: what it says at temperature 1, of (batch, length) places.
        base: the same of the base.
        mask: shape (batch, length), true where the logits predict a token of the answer.

    Returns:
        In nats the sum of each answer, and its number of tokens; both of shape (batch,).
    """

    def kl_of_slice(of_model: Tensor, of_base: Tensor) -> Tensor:
        of_model = model.logits(of_model)
        return _kl_of_tokens(of_model, base.logits(of_base).to(of_model.device))

    n_at_once = min(model.places_at_once, base.places_at_once)
    # One answer at a time: a batch of float32 copies would be the largest thing in memory, and mostly padding.
    sums = []
    for of_model, of_base, is_answer in zip(model.states, base.states, mask.bool(), strict=True):
        states = (of_model[is_answer], of_base[is_answer.to(of_base.device)])
        of_slices = [
            checkpoint(kl_of_slice, *part, use_reentrant=False) if model.head or base.head else kl_of_slice(*part)
            for part in zip(*(each.split(n_at_once) for each in states), strict=True)
        ]
        sums.append(torch.cat(of_slices).sum())
    return torch.stack(sums), mask.bool().sum(dim=1)


def adapt_kl_coefficient(coefficient: float, kl: float, target: float, n_answers: int, horizon: float) -> float:
    """Steer the KL coefficient towards a wanted KL (Ziegler et al., 1909.08593, equation 2).

    Args:
        coefficient: the present one.
        kl: mean KL of an answer, in nats, over the answers just made.
        target: the wanted one, above zero.
        n_answers: how many were just made.
        horizon: answers over which the controller reacts.

    Returns:
        The next coefficient; an error of more than a fifth of the target counts as a fifth.
    """
    error = min(max(kl / target - 1.0, -0.2), 0.2)
    return coefficient * (1.0 + error * n_answers / horizon)


def _kl_of_tokens(model_logits: Tensor, base_logits: Tensor) -> Tensor:
    """Shape (n, vocabulary) to (n,). A token that the model rules out adds nothing; rounding below zero is cut off."""
    log_p = model_logits.float().log_softmax(dim=-1)
    log_q = base_logits.float().log_softmax(dim=-1)
    terms = torch.where(log_p.isneginf(), 0.0, log_p.exp() * (log_p - log_q))
    return terms.sum(dim=-1).clamp(min=0.0)
