"""The arithmetic of training that is ours: losses, advantages, divergences. Tensors in, tensors out.

    −log σ(r_chosen − r_rejected)                                  Bradley–Terry, of a pair
    r_i − (Σ_{j≠i} r_j) / (k − 1)                                  RLOO, of one of k answers
    Σ_v p(v) (log p(v) − log q(v)), summed over the tokens         KL of an answer

The trainers are TRL's and compute the first two themselves; here they stand so that they can be checked and shown.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bradley_terry_loss(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Mean of −log σ(chosen − rejected), in nats (Bradley and Terry, 1952; Ouyang et al., 2203.02155, equation 1).

    Args:
        chosen: rewards of the preferred answers, shape (n_pairs,).
        rejected: rewards of the others, the same shape.

    Returns:
        A scalar.
    """
    return -functional.logsigmoid(chosen - rejected).mean()


def centring_term(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Mean of (chosen + rejected)², which draws rewards to zero (Eisenstein et al., 2312.09244, equation 2).

    Preferences fix only differences of rewards. Times TRL's `center_rewards_coefficient` it is added to the loss.

    Args:
        chosen: rewards of the preferred answers, shape (n_pairs,).
        rejected: rewards of the others, the same shape.

    Returns:
        A scalar.
    """
    return ((chosen + rejected) ** 2).mean()


def leave_one_out_advantages(rewards: Tensor) -> Tensor:
    """What each answer earned above the mean of the other answers to its prompt (Ahmadian et al., 2402.14740).

    Args:
        rewards: shape (n_prompts, k), at least two answers to a prompt.

    Returns:
        The same shape; every row sums to zero.

    Raises:
        ValueError: when there are no other answers.
    """
    k = rewards.shape[1]
    if k < 2:
        raise ValueError("leave-one-out needs at least two answers to a prompt")
    others = (rewards.sum(dim=1, keepdim=True) - rewards) / (k - 1)
    return rewards - others


def kl_of_answers(model_logits: Tensor, base_logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """KL(model ‖ base) over the whole vocabulary at every token, summed along each answer.

    Args:
        model_logits: shape (batch, length, vocabulary), at temperature 1.
        base_logits: the same shape.
        mask: shape (batch, length), true where the logits predict a token of the answer.

    Returns:
        In nats the sum of each answer, and its number of tokens; both of shape (batch,).
    """
    # One answer at a time: a batch of float32 copies would be the largest thing in memory, and mostly padding.
    sums = [
        _kl_of_tokens(p[kept], q[kept]).sum() for p, q, kept in zip(model_logits, base_logits, mask.bool(), strict=True)
    ]
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
