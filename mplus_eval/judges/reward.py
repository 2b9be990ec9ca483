"""A reward model as a judge: the answer with the higher reward is preferred.

Local and free, and without an order of the answers, since each is read alone: in the chat template of the reward
model's tokenizer, or in the plain format of `mplus_eval.training.chat` where that has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from mplus_eval.judges.base import LOSS, TIE, WIN, Judgement, PairwiseItem
from mplus_eval.store.hashes import hash_components, hash_text, tokenizer_hash, weights_hash

if TYPE_CHECKING:
    from mplus_eval.rewards.model import RewardModel

_PAIRS_AT_ONCE = 128

Dialogue = tuple[tuple[str, ...], tuple[str, ...]]
"""What the user said and what was answered, turn by turn."""


@dataclass(frozen=True)
class RewardJudge:
    """A reward model, and how close two rewards are for a tie."""

    model: RewardModel
    template: Literal["own", "plain"]
    """Whether dialogues are put in the template of the model's tokenizer or in the plain format."""
    fingerprint: str
    tie_width: float = 0.0
    """Rewards that differ by no more are a tie, in units of the model's reward."""

    @classmethod
    def load(cls, directory: Path, *, device: str = "cpu", dtype: Any = None, tie_width: float = 0.0) -> Self:
        """Load a checkpoint of `mplus-eval train reward`, or any sequence classifier with one label.

        Args:
            directory: the checkpoint.
            device: where it computes.
            dtype: torch's; None is float32.
            tie_width: rewards that differ by no more are a tie.

        Raises:
            SpecError: when there is no such checkpoint, it gives more than one number, or cannot pad.
            ValueError: when the tie width is negative.
        """
        import torch

        from mplus_eval.models.chat_format import PLAIN_TEMPLATE
        from mplus_eval.rewards.model import RewardModel

        if not tie_width >= 0:
            raise ValueError(f"tie width {tie_width}: 0 or more is expected")
        model = RewardModel.load(directory, device, dtype or torch.float32)
        template: Literal["own", "plain"] = "own" if model.tokenizer.chat_template else "plain"
        if template == "plain":
            model.tokenizer.chat_template = PLAIN_TEMPLATE
        return cls(model, template, _fingerprint(directory, template, tie_width, model), tie_width)

    @property
    def name(self) -> str:
        """The name of the checkpoint's directory."""
        return self.model.directory.resolve().name

    def judge(
        self, pairings: Sequence[PairwiseItem], on_judged: Callable[[int, Judgement], None] | None = None
    ) -> list[Judgement]:
        """Judge pairs; a dialogue that stands in several of them is read once.

        A dialogue that is longer than the model can read loses its beginning, and is counted in `n_truncated`.
        """
        known: dict[Dialogue, tuple[float, bool]] = {}
        judgements: list[Judgement] = []
        for start in range(0, len(pairings), _PAIRS_AT_ONCE):
            pairs = [_dialogues(pairing) for pairing in pairings[start : start + _PAIRS_AT_ONCE]]
            self._read(dict.fromkeys(one for pair in pairs for one in pair if one not in known), known)
            for first, second in pairs:
                judgements.append(self._judgement(known[first], known[second]))
                if on_judged is not None:
                    on_judged(len(judgements) - 1, judgements[-1])
        return judgements

    def _read(self, dialogues: dict[Dialogue, None], known: dict[Dialogue, tuple[float, bool]]) -> None:
        """Add to what is known of dialogues: the reward, and whether the dialogue was cut."""
        prompts = [_messages(*dialogue) for dialogue in dialogues]
        answers = [dialogue[1][-1] for dialogue in dialogues]
        rewards = self.model.score(prompts, answers)
        cut = self.model.truncated(prompts, answers)
        known.update(zip(dialogues, zip(rewards, cut, strict=True), strict=True))

    def _judgement(self, first: tuple[float, bool], second: tuple[float, bool]) -> Judgement:
        margin = second[0] - first[0]
        n_truncated = first[1] + second[1]
        if not math.isfinite(margin):
            return Judgement(None, cause="the reward is no finite number", n_truncated=n_truncated)
        preference = TIE if abs(margin) <= self.tie_width else WIN if margin > 0 else LOSS
        return Judgement(preference, margin=margin, n_truncated=n_truncated)


def _dialogues(pairing: PairwiseItem) -> tuple[Dialogue, Dialogue]:
    asked = pairing.question.turns[: pairing.turn]
    return (asked, pairing.first), (asked, pairing.second)


def _messages(asked: Sequence[str], answers: Sequence[str]) -> list[dict[str, Any]]:
    """Everything before the last answer, as a chat template takes it."""
    messages: list[dict[str, Any]] = []
    for text, answer in zip(asked, answers, strict=True):
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer.strip()}]
    return messages[:-1]


def _fingerprint(directory: Path, template: str, tie_width: float, model: RewardModel) -> str:
    return hash_components(
        {
            "weights": weights_hash(directory),
            "tokenizer": tokenizer_hash(directory),
            "template": f"{template} {hash_text(model.tokenizer.chat_template)}",
            "scale": f"{model.mean} {model.deviation}",
            "tie_width": str(tie_width),
            "dtype": str(model.model.dtype),
        }
    )
