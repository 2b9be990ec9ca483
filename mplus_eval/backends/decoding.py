"""What of decoding comes from elsewhere than the task or the protocol: nothing, unless a model names it.

generation_config.json     {"repetition_penalty": 1.3, "do_sample": true, "max_new_tokens": 200}
nothing named              the protocol's 20 greedy tokens, and the three settings are told as ignored
generation=own             200 sampled tokens with the penalty, told as applied
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval.models.utils import normalize_gen_kwargs

from mplus_eval.spec.decoding import SETTINGS, TABLES, is_neutral, is_served

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel

GenerationKey = Mapping[str, Any] | str | None
"""As a model's key `generation`: the checkpoint's own, or settings by name."""
_MOST_CHARACTERS = 100


@dataclass(frozen=True)
class Decoding:
    """Settings besides the protocol's.

    Attributes:
        applied: over the protocol's, in transformers' names.
        ignored: of the checkpoint's generation_config, which would have changed texts and did not.
    """

    applied: Mapping[str, Any] = field(default_factory=dict)
    ignored: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, wanted: GenerationKey, configured: GenerationConfig | None, *, serves_itself: bool = False) -> Decoding:
        """Part what a checkpoint brings from what applies.

        Args:
            wanted: the model's key `generation`.
            configured: the checkpoint's generation_config, where there is one.
            serves_itself: whether its backend samples itself, and cannot apply what transformers alone knows.
        """
        brought = configured.to_dict() if configured is not None else {}
        brought = {name: value for name in (*SETTINGS, *TABLES) if not is_neutral(name, value := brought.get(name))}
        if isinstance(wanted, str):
            applied = {name: brought[name] for name in brought if not serves_itself or is_served(name)}
        else:
            applied = dict(wanted or {})
        return cls(applied, {name: value for name, value in brought.items() if name not in applied})

    def over(self, options: Mapping[str, Any], *, n_prompt: int = 0, default_limit: int = 256) -> dict[str, Any]:
        """lm-eval's options of a request, normalised, with what applies put over them.

        Sampling that is switched on or off by neither stays as the protocol has it.

        Args:
            options: of the request.
            n_prompt: tokens of its prompt, which count towards a `max_length`.
            default_limit: of new tokens, where the request names none.
        """
        settings: dict[str, Any] = dict(normalize_gen_kwargs(dict(options), default_limit))
        own = dict(self.applied)
        longest, limit = own.pop("max_length", None), own.pop("max_new_tokens", None)
        if limit is not None:
            settings["max_gen_toks"] = limit
        elif longest is not None:
            settings["max_gen_toks"] = min(settings["max_gen_toks"], max(1, longest - n_prompt))
        stops = own.pop("stop_strings", [])
        settings["until"] = [*settings["until"], *([stops] if isinstance(stops, str) else stops)]
        settings |= own
        if own.get("do_sample") and "temperature" not in own and not settings.get("temperature"):
            settings["temperature"] = 1.0
        if not settings.get("do_sample") or settings.get("temperature") == 0:
            settings |= {"do_sample": False, "temperature": 0.0}
        return settings

    @property
    def applied_words(self) -> dict[str, str]:
        """What applied, as it is shown."""
        return {name: _words(value) for name, value in self.applied.items()}

    @property
    def ignored_words(self) -> dict[str, str]:
        """What did not, as it is shown."""
        return {name: _words(value) for name, value in self.ignored.items()}


def stored_config(directory: Path) -> GenerationConfig | None:
    """The generation_config of a checkpoint that is not loaded by transformers; None where it has none."""
    from transformers import GenerationConfig

    if not (directory / "generation_config.json").is_file():
        return None
    return GenerationConfig.from_pretrained(directory)


def end_ids(*configured: GenerationConfig | PreTrainedConfig | None) -> list[int]:
    """Ids of the tokens that end a text, as configurations of a checkpoint name them."""
    ids: list[int] = []
    for config in configured:
        named = getattr(config, "eos_token_id", None)
        ids += named if isinstance(named, list) else [] if named is None else [named]
    return list(dict.fromkeys(ids))


def neutralise(model: PreTrainedModel) -> None:
    """Leave nothing of a checkpoint's generation_config but its special tokens.

    Transformers fills from it whatever a call of `generate` does not say.
    """
    from transformers import GenerationConfig

    from mplus_eval.inference.logits import without_adapter

    configured: GenerationConfig | None = model.generation_config
    if configured is None:
        return
    tokens = {name: getattr(configured, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    for each in (model, without_adapter(model)):
        each.generation_config = GenerationConfig(**tokens)


def _words(value: object) -> str:
    return str(value)[:_MOST_CHARACTERS]
