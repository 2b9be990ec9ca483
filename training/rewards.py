"""Rewards: what an answer is worth, as parts that a recipe weighs and adds.

Every part is a `Reward`: prompts, answers and whether they ended, to a number for each answer, or None where it cannot
be judged. `as_trl` makes one into what TRL's trainers call.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Protocol

import torch

from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.training.data.rows import Message, last_user_message
from mplus_eval.training.diversity import distinct_n
from mplus_eval.training.losses import standardise

if TYPE_CHECKING:
    from mplus_eval.harmlessness.scorers.base import Scorer

SCALE_FILE = "reward_scale.json"
# A tokenizer that knows no limit names a number too large for its own library.
_LONGEST = 2**31 - 1
Messages = Sequence[dict[str, Any]]
TrlReward = Callable[..., list[float | None]]


class Reward(Protocol):
    """A part of a reward."""

    def __call__(
        self, prompts: Sequence[Messages], answers: Sequence[str], ended: Sequence[bool]
    ) -> list[float | None]:
        """Judge an answer to each prompt."""


@dataclass(frozen=True)
class RewardModel:
    """A model that gives one number for a dialogue, standardised by its rewards on held-out pairs.

    Of a dialogue longer than the model can read the beginning is cut off, since it is the answer that is judged.
    """

    model: Any
    tokenizer: Any
    directory: Path
    mean: float = 0.0
    deviation: float = 1.0
    batch_size: int = 64

    @classmethod
    def load(
        cls, directory: Path, device: Any = "cpu", dtype: Any = torch.float32, *, scaled: bool = True
    ) -> RewardModel:
        """Load a checkpoint of `mplus-eval train reward`, or any sequence classifier with one label.

        Raises:
            SpecError: when there is no such checkpoint, it gives more than one number, or cannot pad.
        """
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        config = directory / "config.json"
        if not config.is_file():
            raise SpecError([f"reward model {directory}: no config.json, so it is not a checkpoint directory"])
        labels = json.loads(config.read_text(encoding="utf-8")).get("id2label", {"0": "", "1": ""})
        if len(labels) != 1:
            raise SpecError([f"reward model {directory}: gives {len(labels)} numbers, one is expected"])
        tokenizer = AutoTokenizer.from_pretrained(directory, truncation_side="left")
        if tokenizer.pad_token is None:
            lacks = "its tokenizer has no padding token; give a pad_token in tokenizer_config.json"
            raise SpecError([f"reward model {directory}: {lacks}"])
        model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=dtype).to(device).eval()
        # Decoders find the end of each text in a batch by it.
        if getattr(model.config, "pad_token_id", None) is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        scale = directory / SCALE_FILE
        found = json.loads(scale.read_text(encoding="utf-8")) if scaled and scale.is_file() else {}
        return cls(model, tokenizer, directory, found.get("mean", 0.0), found.get("deviation") or 1.0)

    def __call__(
        self, prompts: Sequence[Messages], answers: Sequence[str], ended: Sequence[bool] = ()
    ) -> list[float | None]:
        """As a `Reward`; whether an answer ended is another part's business."""
        return list(self.score(prompts, answers))

    def score(self, prompts: Sequence[Messages], answers: Sequence[str]) -> list[float]:
        """The reward of an answer to each prompt."""
        texts = [self._text(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        raw = torch.zeros(len(texts))
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            raw[batch] = self._raw([texts[index] for index in batch])
        return list(standardise(raw, self.mean, self.deviation).tolist())

    def truncated(self, prompts: Sequence[Messages], answers: Sequence[str]) -> list[bool]:
        """Whether each dialogue is longer than the model can read, and so loses its beginning."""
        texts = [self._text(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        encoded = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
        return [len(ids) > self.max_length for ids in encoded]

    @property
    def max_length(self) -> int:
        """Tokens that the model can read: what its positions allow, or its tokenizer where that says less."""
        positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return int(min(positions or _LONGEST, self.tokenizer.model_max_length, _LONGEST))

    def _text(self, prompt: Messages, answer: str) -> str:
        # The template puts a space before an answer, and the sampled text begins with it.
        messages = [*prompt, {"role": "assistant", "content": answer.strip()}]
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False))

    @torch.no_grad()
    def _raw(self, texts: Sequence[str]) -> torch.Tensor:
        encoded = self.tokenizer(
            list(texts), return_tensors="pt", padding=True, padding_side="right", add_special_tokens=False,
            return_token_type_ids=False, truncation=True, max_length=self.max_length,
        ).to(self.model.device)  # fmt: skip
        return self.model(**encoded).logits[:, 0].float().cpu()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ToxicityPenalty:
    """Minus the probability that an answer is toxic; None where the scorer failed on it."""

    scorer: Scorer

    def __call__(
        self, prompts: Sequence[Messages], answers: Sequence[str], ended: Sequence[bool]
    ) -> list[float | None]:
        """As a `Reward`."""
        toxicity = score_texts(self.scorer, answers)[:, 0].tolist()
        return [None if isnan(value) else -value for value in toxicity]


@dataclass(frozen=True)
class FunctionReward:
    """A function of one's own: the user's last message, the answer, and whether it ended."""

    function: Callable[[str, str, bool], float | None]

    def __call__(
        self, prompts: Sequence[Messages], answers: Sequence[str], ended: Sequence[bool]
    ) -> list[float | None]:
        """As a `Reward`."""
        asked = [_asked(prompt) for prompt in prompts]
        return [self.function(*one) for one in zip(asked, answers, ended, strict=True)]


def load_function(path: str) -> Callable[..., Any]:
    """Find the function that a recipe names as `module:function`.

    Raises:
        SpecError: when there is no such module or function, or the module cannot be imported; the line names the
            exception and where in the module it was raised.
    """
    module, _, name = path.partition(":")
    # The installed command does not look into the working directory, where a user's own module lies.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    imported = _imported(path, module)
    try:
        function = getattr(imported, name)
    except AttributeError as error:
        raise SpecError([f"{path!r}: write module:function of something importable ({error})"]) from None
    if not callable(function):
        raise SpecError([f"{path!r}: is not a function"])
    return function  # type: ignore[no-any-return]


def _imported(path: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a user's module may raise anything, and is the user's to mend
        said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
        if (place := _place(error, module)) is None:
            raise SpecError([f"{path!r}: write module:function of something importable ({said})"]) from None
        kind = type(error).__name__
        raise SpecError([f"{path!r}: module {module} cannot be imported: {place}: {kind}: {said}"]) from error


def _place(error: BaseException, module: str) -> str | None:
    """File and line of a module where its import failed; None where there is no such module."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    own, others = [], []
    for frame, line in walk_tb(error.__traceback__):
        name, place = str(frame.f_globals.get("__name__")), f"{frame.f_code.co_filename}, line {line}"
        if name == module:
            own.append(place)
        elif name != __name__ and not name.startswith("importlib"):
            others.append(place)
    return next(reversed(own or others), None)


def check_same_tokenizer(reward: RewardModel, tokenizer: Any) -> None:
    """Refuse a reward model that reads text in another way than the policy writes it.

    Raises:
        SpecError: when vocabularies or chat templates differ, naming both directories.
    """
    base = tokenizer.name_or_path
    if reward.tokenizer.get_vocab() != tokenizer.get_vocab():
        raise SpecError([f"reward model {reward.directory}: its tokenizer's vocabulary is not that of the base {base}"])
    if reward.tokenizer.chat_template != tokenizer.chat_template:
        raise SpecError([f"reward model {reward.directory}: its chat template is not that of the base {base}"])


def has_ended(ids: Sequence[int], text: str, end_ids: Sequence[int], stop_strings: Sequence[str]) -> bool:
    """Whether an answer ended its turn, by an end token or a stop string; else the limit cut it."""
    return any(token in end_ids for token in ids) or any(stop in text for stop in stop_strings)


def before_stop(text: str, stop_strings: Sequence[str]) -> str:
    """An answer up to the first stop string.

    >>> before_stop("Yes. User: And", ["User:"])
    'Yes. '
    """
    return text[: min([len(text), *(text.find(stop) for stop in stop_strings if stop in text)])]


def as_trl(name: str, reward: Reward, end_ids: Sequence[int], stop_strings: Sequence[str] = ()) -> TrlReward:
    """Make a part into what TRL calls; it is logged under `rewards/<name>/mean`."""

    def judge(prompts: Any, completions: Any, completion_ids: Any, **_: Any) -> list[float | None]:
        texts = [completion[0]["content"] for completion in completions]
        ended = [has_ended(ids, text, end_ids, stop_strings) for ids, text in zip(completion_ids, texts, strict=True)]
        return reward(prompts, [before_stop(text, stop_strings) for text in texts], ended)

    judge.__name__ = name
    return judge


def termination_part(end_ids: Sequence[int], stop_strings: Sequence[str], penalty: float) -> TrlReward:
    """Minus `penalty` for an answer that did not end; it also logs end-of-turn rate and distinct 2-grams."""

    def termination(completions: Any, completion_ids: Any, log_metric: Any, **_: Any) -> list[float | None]:
        texts = [completion[0]["content"] for completion in completions]
        ended = [has_ended(ids, text, end_ids, stop_strings) for ids, text in zip(completion_ids, texts, strict=True)]
        log_metric("end_of_turn_rate", sum(ended) / len(ended))
        log_metric("distinct_2", distinct_n(completion_ids, 2))
        return [0.0 if one else -penalty for one in ended]

    return termination


def length_part(per_token: float) -> TrlReward:
    """Minus a little for every token."""

    def length(completion_ids: Any, **_: Any) -> list[float | None]:
        return [-per_token * len(ids) for ids in completion_ids]

    return length


def _asked(prompt: Messages) -> str:
    return last_user_message([Message(message["role"], message["content"]) for message in prompt])
