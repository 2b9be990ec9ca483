"""What is measured of a saved checkpoint: its dose, and what its answers are like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mplus_eval.records.training import Behaviour, Dose
from mplus_eval.training.diversity import distinct_n, share_distinct
from mplus_eval.training.dose import kl_of_own_answers, kl_of_texts
from mplus_eval.training.sampling import Answer, Messages, sample_answers

RewardFunction = Callable[[Sequence[Messages], Sequence[Answer]], list[float | None]]
"""Prompts and an answer to each, to a reward of each; None where an answer cannot be judged."""

Measure = Callable[[str, str, bool], float]
"""The user's last message, the answer, and whether it ended, to a number."""


def measure_checkpoint(
    model: PreTrainedModel,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Messages],
    texts: Sequence[str],
    *,
    max_new_tokens: int,
    seed: int,
    rewards: Mapping[str, RewardFunction],
    measures: Mapping[str, Measure],
    batch_size: int = 32,
    max_text_tokens: int = 1024,
    stop_strings: Sequence[str] = (),
) -> tuple[Dose, Behaviour]:
    """Sample an answer to each prompt at temperature 1, and measure them and the model.

    Args:
        model: the checkpoint.
        base: what it was trained from, of the same vocabulary.
        tokenizer: the checkpoint's, with a chat template and a padding token.
        prompts: held-out conversations that end with the user's turn; at least one.
        texts: held-out texts; without any, the KL on text is left out.
        max_new_tokens: limit of an answer.
        seed: of the sampling: the same for all checkpoints that are compared.
        rewards: by name; one that judges no answer is left out.
        measures: by name.
        batch_size: prompts, answers or texts put to a model at once.
        max_text_tokens: tokens of a text; the rest is cut off.
        stop_strings: texts that end a turn beside the end tokens.
    """
    answers = sample_answers(
        model,
        tokenizer,
        prompts,
        max_new_tokens=max_new_tokens,
        seed=seed,
        batch_size=batch_size,
        stop_strings=stop_strings,
    )
    kl = kl_of_own_answers(model, base, answers, tokenizer.pad_token_id, batch_size)
    dose = Dose(
        kl_answers=kl.per_answer,
        kl_answers_per_token=kl.per_token,
        kl_text=kl_of_texts(model, base, texts, tokenizer, max_text_tokens, batch_size) if texts else None,
        n_prompts=len(prompts),
        n_texts=len(texts),
    )
    return dose, behaviour(prompts, answers, rewards, measures)


def behaviour(
    prompts: Sequence[Messages],
    answers: Sequence[Answer],
    rewards: Mapping[str, RewardFunction],
    measures: Mapping[str, Measure],
) -> Behaviour:
    """What answers are like; lengths and 2-grams are in tokens, the end-of-turn token included."""
    judged = {name: [x for x in reward(prompts, answers) if x is not None] for name, reward in rewards.items()}
    asked = [last_user_message(messages) for messages in prompts]
    return Behaviour(
        end_of_turn_rate=fmean(answer.ended for answer in answers),
        mean_tokens=fmean(len(answer.token_ids) for answer in answers),
        distinct_answers=share_distinct([answer.text for answer in answers]),
        distinct_2=distinct_n([answer.token_ids for answer in answers], 2),
        rewards={name: fmean(values) for name, values in judged.items() if values},
        measures={
            name: fmean(
                measure(prompt, answer.text, answer.ended) for prompt, answer in zip(asked, answers, strict=True)
            )
            for name, measure in measures.items()
        },
    )


def last_user_message(messages: Messages) -> str:
    """What the user said last; empty where the user said nothing."""
    return next((str(m["content"]) for m in reversed(messages) if m["role"] == "user"), "")
