"""Rewards: what an answer is worth, as parts that a recipe weighs and adds.

Every part is a `Reward`: prompts, answers and whether they ended, to a number for each answer, or None where it cannot
be judged. `as_trl` makes one into what TRL's trainers call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.harmlessness.scorers.base import PairScorer
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.rewards.functions import load_function
from mplus_eval.rewards.model import Messages, RewardModel
from mplus_eval.training.chat import last_user_message
from mplus_eval.training.diversity import distinct_n
from mplus_eval.training.sampling import before_stop

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from mplus_eval.harmlessness.scorers.base import Scorer
    from mplus_eval.training.recipe import RewardPart, RlhfStage

TrlReward = Callable[..., list[float | None]]
Completions = Sequence[Sequence[Mapping[str, str]]]
"""As TRL hands them to a reward: of each answer one message, the assistant's."""


class Reward(Protocol):
    """A part of a reward."""

    def __call__(
        self, prompts: Sequence[Messages], answers: Sequence[str], ended: Sequence[bool]
    ) -> list[float | None]:
        """Judge an answer to each prompt."""


@dataclass(frozen=True)
class ToxicityPenalty:
    """Minus the probability that an answer is toxic; None where the scorer failed on it."""

    scorer: Scorer

    def __call__(
        self, prompts: Sequence[Messages], answers: Sequence[str], ended: Sequence[bool]
    ) -> list[float | None]:
        """As a `Reward`."""
        asked = [last_user_message(prompt) for prompt in prompts] if isinstance(self.scorer, PairScorer) else None
        toxicity = score_texts(self.scorer, answers, asked)[:, 0].tolist()
        return [None if isnan(value) else -value for value in toxicity]


@dataclass(frozen=True)
class FunctionReward:
    """A function of one's own: the user's last message, the answer, and whether it ended."""

    function: Callable[[str, str, bool], float | None]

    def __call__(
        self, prompts: Sequence[Messages], answers: Sequence[str], ended: Sequence[bool]
    ) -> list[float | None]:
        """As a `Reward`."""
        asked = [last_user_message(prompt) for prompt in prompts]
        return [self.function(*answered) for answered in zip(asked, answers, ended, strict=True)]


def load_rewards(
    parts: Mapping[str, RewardPart],
    reward_directory: Path,
    tokenizer: PreTrainedTokenizerBase,
    device: torch.device,
    dtype: torch.dtype,
) -> dict[str, Reward]:
    """Load the parts of a reward.

    Args:
        parts: by name.
        reward_directory: where the recipe's own reward model lies.
        tokenizer: the policy's.
        device: where reward models and scorers compute.
        dtype: in what precision reward models do.

    Raises:
        SpecError: when a reward model has another tokenizer or template than the policy, or a function is not found.
    """
    rewards: dict[str, Reward] = {}
    for name, part in parts.items():
        if part.kind == "function":
            rewards[name] = FunctionReward(load_function(part.source))
        elif part.kind == "toxicity":
            rewards[name] = ToxicityPenalty(load_scorer(part.source, str(device)))
        else:
            model = RewardModel.load(reward_directory if part.is_recipes_own else Path(part.source), device, dtype)
            check_same_tokenizer(model, tokenizer)
            rewards[name] = model
    return rewards


def check_same_tokenizer(reward: RewardModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a reward model that reads text in another way than the policy writes it.

    Raises:
        SpecError: when vocabularies or chat templates differ, naming both directories.
    """
    base = tokenizer.name_or_path
    if reward.tokenizer.get_vocab() != tokenizer.get_vocab():
        raise SpecError([f"reward model {reward.directory}: its tokenizer's vocabulary is not that of the base {base}"])
    if reward.tokenizer.chat_template != tokenizer.chat_template:
        raise SpecError([f"reward model {reward.directory}: its chat template is not that of the base {base}"])


def end_token_ids(settings: RlhfStage, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of the tokens that end an answer; the tokenizer's own end token first.

    Raises:
        SpecError: when a token that the recipe names is not one token.
    """
    ids = [tokenizer.eos_token_id]
    for token in settings.termination.tokens:
        number = tokenizer.convert_tokens_to_ids(token)
        if number is None or number == tokenizer.unk_token_id:
            raise SpecError([f"termination.tokens {token!r}: the tokenizer has no such token; use stop_strings"])
        ids.append(number)
    return list(dict.fromkeys(ids))


def has_ended(ids: Sequence[int], text: str, end_ids: Sequence[int], stop_strings: Sequence[str]) -> bool:
    """Whether an answer ended its turn, by an end token or a stop string; else the limit cut it."""
    return any(token in end_ids for token in ids) or any(stop in text for stop in stop_strings)


def as_trl(name: str, reward: Reward, end_ids: Sequence[int], stop_strings: Sequence[str] = ()) -> TrlReward:
    """Make a part into what TRL calls; it is logged under `rewards/<name>/mean`."""

    def judge(
        prompts: Sequence[Messages], completions: Completions, completion_ids: Sequence[Sequence[int]], **_: object
    ) -> list[float | None]:
        texts = [completion[0]["content"] for completion in completions]
        ended = [has_ended(ids, text, end_ids, stop_strings) for ids, text in zip(completion_ids, texts, strict=True)]
        return reward(prompts, [before_stop(text, stop_strings) for text in texts], ended)

    judge.__name__ = name
    return judge


def termination_part(end_ids: Sequence[int], stop_strings: Sequence[str], penalty: float) -> TrlReward:
    """Minus `penalty` for an answer that did not end; it also logs end-of-turn rate and distinct 2-grams."""

    def termination(
        completions: Completions,
        completion_ids: Sequence[Sequence[int]],
        log_metric: Callable[[str, float], None],
        **_: object,
    ) -> list[float | None]:
        texts = [completion[0]["content"] for completion in completions]
        ended = [has_ended(ids, text, end_ids, stop_strings) for ids, text in zip(completion_ids, texts, strict=True)]
        log_metric("end_of_turn_rate", sum(ended) / len(ended))
        log_metric("distinct_2", distinct_n(completion_ids, 2))
        return [0.0 if answer_ended else -penalty for answer_ended in ended]

    return termination


def length_part(per_token: float) -> TrlReward:
    """Minus a little for every token."""

    def length(completion_ids: Sequence[Sequence[int]], **_: object) -> list[float | None]:
        return [-per_token * len(ids) for ids in completion_ids]

    return length
