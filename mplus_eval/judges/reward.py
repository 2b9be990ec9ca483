"""A reward model as a judge: the answer with the higher reward is preferred.

Local and free, and without an order of the answers, since each is read alone: in the chat template of the reward
model's tokenizer, or in the plain format of `mplus_eval.training.chat` where that has none.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from mplus_eval.errors import SpecError
from mplus_eval.judges.base import LOSS, TIE, WIN, JudgeContext, Judgement, JudgeWeights, OnJudged, PairwiseItem
from mplus_eval.models.checkpoints import PICKLED_WEIGHTS, weight_files
from mplus_eval.store.hashes import hash_components, hash_text, tokenizer_hash, weights_hash

if TYPE_CHECKING:
    from mplus_eval.rewards.model import RewardModel

BESIDE = {"referee": "held-out reward model", "reward": "reward model"}
"""What training leaves beside its models and a judge can be called by, first the one that no model was trained by."""
_PAIRS_AT_ONCE = 128

Dialogue = tuple[tuple[str, ...], tuple[str, ...]]
"""What the user said and what was answered, turn by turn."""


def faults(detail: str, where: str) -> list[str]:
    """Return what is wrong with a reward model's directory; nothing of one that is still to be found."""
    if not detail:
        return []
    directory = Path(detail).expanduser()
    if not directory.is_dir():
        return [f"{where}: no such directory"]
    pickled = [] if weight_files(directory) else weight_files(directory, PICKLED_WEIGHTS)
    return [f"{where}: {pickled[0]} is a pickle, which may run code; save it as safetensors"] if pickled else []


def load(detail: str, context: JudgeContext) -> RewardJudge:
    """The judge of a reward model's directory."""
    return RewardJudge.load(Path(detail).expanduser())


def weights(detail: str) -> JudgeWeights:
    """Those in the reward model's directory."""
    return JudgeWeights(hash=weights_hash(Path(detail).expanduser()))


@dataclass(frozen=True)
class RewardJudge:
    """A reward model, and how close two rewards are for a tie."""

    model: RewardModel
    template: Literal["own", "plain"]
    """Whether dialogues are put in the template of the model's tokenizer or in the plain format."""
    fingerprint: str
    tie_width: float = 0.0
    """Rewards that differ by no more are a tie, in units of the model's reward."""
    rewards: dict[Dialogue, tuple[float, bool]] = field(default_factory=dict, repr=False, compare=False)
    """Of every dialogue that was read, and whether it was cut: the baseline's stand in the pairs of every model."""

    @classmethod
    def load(cls, directory: Path, *, tie_width: float = 0.0) -> Self:
        """Load a checkpoint of `mplus-eval train reward`, or any sequence classifier with one label.

        Args:
            directory: the checkpoint.
            tie_width: rewards that differ by no more are a tie.

        Raises:
            SpecError: when there is no such checkpoint, it gives more than one number, or cannot pad.
            ValueError: when the tie width is negative.
        """
        from mplus_eval.models.chat_format import PLAIN_TEMPLATE
        from mplus_eval.rewards.model import RewardModel

        if not tie_width >= 0:
            raise ValueError(f"tie width {tie_width}: 0 or more is expected")
        model = RewardModel.load(directory)
        template: Literal["own", "plain"] = "own" if model.tokenizer.chat_template else "plain"
        if template == "plain":
            model.tokenizer.chat_template = PLAIN_TEMPLATE
        fingerprint = hash_components(
            {
                "weights": weights_hash(directory),
                "tokenizer": tokenizer_hash(directory),
                "template": f"{template} {hash_text(model.tokenizer.chat_template)}",
                "scale": f"{model.mean} {model.deviation}",
                "tie_width": str(tie_width),
                "dtype": str(model.model.dtype),
            }
        )
        return cls(model, template, fingerprint, tie_width)

    @property
    def name(self) -> str:
        """The name of the checkpoint's directory."""
        return self.model.directory.resolve().name

    def judge(self, items: Sequence[PairwiseItem], on_judged: OnJudged | None = None) -> list[Judgement]:
        """Judge pairs; a dialogue that stands in several of them, or in those of an earlier call, is read once.

        A dialogue that is longer than the model can read loses its beginning, and is counted in `n_truncated`.
        """
        judgements: list[Judgement] = []
        for start in range(0, len(items), _PAIRS_AT_ONCE):
            pairs = []
            for item in items[start : start + _PAIRS_AT_ONCE]:
                asked = item.question.turns[: item.turn]
                pairs.append(((asked, item.first), (asked, item.second)))
            unread = [dialogue for pair in pairs for dialogue in pair if dialogue not in self.rewards]
            self._read(dict.fromkeys(unread))
            for first, second in pairs:
                judgements.append(self._judgement(self.rewards[first], self.rewards[second]))
                if on_judged is not None:
                    on_judged(len(judgements) - 1, judgements[-1])
        return judgements

    def _read(self, dialogues: Collection[Dialogue]) -> None:
        """Add the rewards of dialogues to those that are known."""
        prompts, answers = [], []
        for turns, answered in dialogues:
            # Everything before the last answer, as a chat template takes it.
            messages = []
            for text, answer in zip(turns, answered, strict=True):
                messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer.strip()}]
            prompts.append(messages[:-1])
            answers.append(answered[-1])
        scores, cut = self.model.score(prompts, answers), self.model.truncated(prompts, answers)
        self.rewards.update(zip(dialogues, zip(scores, cut, strict=True), strict=True))

    def _judgement(self, first: tuple[float, bool], second: tuple[float, bool]) -> Judgement:
        margin = second[0] - first[0]
        n_truncated = first[1] + second[1]
        if not math.isfinite(margin):
            return Judgement(None, cause="the reward is no finite number", n_truncated=n_truncated)
        preference = TIE if abs(margin) <= self.tie_width else WIN if margin > 0 else LOSS
        return Judgement(preference, margin=margin, n_truncated=n_truncated)


def reward_model_beside(directories: Iterable[Path | None], name: str = "reward") -> Path | None:
    """The reward model that stands beside one of these checkpoints, as training leaves it; None when none does.

    Args:
        directories: of the checkpoints; None of a server's.
        name: one of `BESIDE`.
    """
    from mplus_eval.records.training import read_record

    for directory in directories:
        beside = directory.parent / name if directory else None
        record = read_record(beside) if beside else None
        if record is not None and record.method == "reward model":
            return beside
    return None


def with_reward_model(sources: Sequence[str], directories: Sequence[Path | None]) -> tuple[str, ...]:
    """Judges with a reward model's directory in place of a name of `BESIDE`.

    Raises:
        SpecError: none lies beside one of the checkpoints.
    """

    def found(name: str) -> str:
        if (beside := reward_model_beside(directories, name)) is None:
            raise SpecError(
                [f"judge {name!r}: no {BESIDE[name]} of mplus-eval train lies beside a model; write reward:PATH"]
            )
        return f"reward:{beside}"

    return tuple(found(source) if source in BESIDE else source for source in sources)
