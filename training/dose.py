"""How far training has moved a model from its base: the dose, as KL(model ‖ base) in nats.

On the model's own answers it is the sum, along each sampled answer, of the KL between the two next-token
distributions, the whole vocabulary at every token. That is the Rao-Blackwellised Monte Carlo estimate of the KL between
the distributions over answers (Amini et al., 2504.10637): unbiased, as the mean of log-ratios of the sampled tokens is,
of no greater variance, and never below zero. On held-out text, which neither model wrote, it is the mean over the
text's tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mplus_eval.errors import SpecError
from mplus_eval.training.data.texts import encode_texts
from mplus_eval.training.kl import kl_of_answers
from mplus_eval.training.next_tokens import next_tokens
from mplus_eval.training.sampling import SampledAnswer, evaluating


class AnswerKl(NamedTuple):
    """KL(model || base) on the model's own answers, in nats."""

    per_answer: float
    per_token: float


def kl_of_own_answers(
    model: PreTrainedModel,
    base: PreTrainedModel,
    answers: Sequence[SampledAnswer],
    pad_token_id: int,
    batch_size: int = 32,
    done: Callable[[int], None] = lambda _: None,
) -> AnswerKl:
    """Rao-Blackwellised estimate of KL(model ‖ base) from answers that the model sampled.

    Args:
        model: which gave the answers, at temperature 1; otherwise the estimate is of something else.
        base: of the same vocabulary.
        answers: with their prompts; the end-of-turn token counts, and what the limit cut does not.
        pad_token_id: any id of the vocabulary; it is masked.
        batch_size: answers put to the models at once.
        done: told how many more answers were measured.

    Returns:
        The mean of an answer, and that of a token over all answers together.

    Raises:
        ValueError: when there is no answer.
    """
    if not answers:
        raise ValueError("the KL of no answers is not defined")
    sequences = [[*answer.prompt_ids, *answer.token_ids] for answer in answers]
    starts = [len(answer.prompt_ids) for answer in answers]
    sums, counts = _kl_of_sequences(model, base, sequences, starts, pad_token_id, batch_size, done)
    return AnswerKl(per_answer=float(sums.mean()), per_token=float(sums.sum() / counts.sum()))


def kl_of_texts(
    model: PreTrainedModel,
    base: PreTrainedModel,
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    batch_size: int = 32,
    done: Callable[[int], None] = lambda _: None,
) -> float:
    """KL(model ‖ base) per token of texts that neither model wrote, in nats.

    Args:
        model: the trained one.
        base: of the same vocabulary.
        texts: each begins anew; its first token, which nothing precedes, is not predicted.
        tokenizer: adds its begin token where it has one.
        max_length: tokens of a text; the rest is cut off.
        batch_size: texts put to the models at once.
        done: told how many more texts were measured; all of them in the end.

    Raises:
        SpecError: when no text has a token to predict.
    """
    sequences = encode_texts(tokenizer, texts, max_length)
    if not sequences:
        raise SpecError([f"held-out texts: none of {len(texts)} has two tokens, so there is nothing to predict"])
    pad = tokenizer.pad_token_id or 0
    sums, counts = _kl_of_sequences(model, base, sequences, [1] * len(sequences), pad, batch_size, done)
    done(len(texts) - len(sequences))
    return float(sums.sum() / counts.sum())


@torch.no_grad()
def _kl_of_sequences(
    model: PreTrainedModel,
    base: PreTrainedModel,
    sequences: Sequence[Sequence[int]],
    starts: Sequence[int],
    pad_token_id: int,
    batch_size: int,
    done: Callable[[int], None],
) -> tuple[Tensor, Tensor]:
    """Sum of KL over the tokens of each sequence from its start on, and how many they are; both (n,), double."""
    sums, counts = [], []
    with evaluating(model, base):
        for first in range(0, len(sequences), batch_size):
            rows = [torch.tensor(ids) for ids in sequences[first : first + batch_size]]
            # Padding stands on the right, where it moves no position.
            ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_token_id)
            place = torch.arange(ids.shape[1])
            length = torch.tensor([len(row) for row in rows])[:, None]
            start = torch.tensor(starts[first : first + batch_size])[:, None]
            attended = (place < length).long()
            # Logits at a place predict the token of the next one.
            predicting = (place >= start - 1) & (place < length - 1)
            of_model, of_base = (next_tokens(each, ids, attended) for each in (model, base))
            batch = kl_of_answers(of_model, of_base, predicting.to(of_model.states.device))
            sums.append(batch[0].double().cpu())
            counts.append(batch[1].double().cpu())
            done(len(rows))
    return torch.cat(sums), torch.cat(counts)
