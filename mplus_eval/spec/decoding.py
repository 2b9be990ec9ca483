"""Settings of a checkpoint's generation_config by name: what they must be, and the values at which they do nothing.

    models:
      chat: {source: ./chat, generation: {repetition_penalty: 1.1}}

Decoding of every model comes from the task or the protocol; these apply only where a model names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mplus_eval.spec.faults import nearest
from mplus_eval.spec.model import ModelSpec


@dataclass(frozen=True)
class Setting:
    """One setting that can be named.

    Attributes:
        accepts: in words.
        kinds: types of its value.
        neutral: values at which it does nothing, besides none at all.
        low: the lowest number.
        high: the highest.
        above: whether `low` itself is too low.
        served: its name at servers and engines that sample themselves (vLLM's, SGLang's); None where they have none.
    """

    accepts: str
    kinds: tuple[type, ...]
    neutral: tuple[object, ...]
    low: float = float("-inf")
    high: float = float("inf")
    above: bool = False
    served: str | None = None

    def takes(self, value: object) -> bool:
        """Whether a value can be meant."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return isinstance(value, self.kinds) and (bool in self.kinds or not isinstance(value, bool))
        fits = isinstance(value, self.kinds)
        return fits and self.low <= value <= self.high and not (self.above and value == self.low)


def _switch(neutral: object = False) -> Setting:
    return Setting("true or false", (bool,), (neutral,))


def _count(lowest: int, *neutral: object, served: str | None = None) -> Setting:
    return Setting(f"a whole number from {lowest}", (int,), neutral, lowest, served=served)


def _number(neutral: object, *, low: float = 0, above: bool = True, served: str | None = None) -> Setting:
    words = f"a number {'above' if above else 'from'} {low:g}"
    return Setting(words, (int, float), (neutral,), low, above=above, served=served)


def _share(neutral: object, *, above: bool = False, served: str | None = None) -> Setting:
    words = f"a number {'above 0, at most 1' if above else 'from 0 to 1'}"
    return Setting(words, (int, float), (neutral,), 0, 1, above, served)


SETTINGS: Mapping[str, Setting] = {
    "do_sample": _switch(),
    "temperature": _number(1.0, above=False, served="temperature"),
    "top_k": _count(0, 0, -1, served="top_k"),
    "top_p": _share(1.0, above=True, served="top_p"),
    "min_p": _share(0.0, served="min_p"),
    "top_h": _share(None, above=True),
    "typical_p": _share(1.0, above=True),
    "epsilon_cutoff": _share(0.0),
    "eta_cutoff": _share(0.0),
    "repetition_penalty": _number(1.0, served="repetition_penalty"),
    "encoder_repetition_penalty": _number(1.0),
    "no_repeat_ngram_size": _count(0, 0),
    "num_beams": _count(1, 1),
    "length_penalty": Setting("a number", (int, float), (1.0,)),
    "early_stopping": _switch(),
    "guidance_scale": _number(1.0),
    "renormalize_logits": _switch(),
    # 20 is what older versions of transformers wrote where nobody had named one.
    "max_length": _count(1, 20),
    "max_new_tokens": _count(1, served="max_tokens"),
    "min_length": _count(0, 0),
    "min_new_tokens": _count(0, 0, served="min_tokens"),
    "stop_strings": Setting("a text or a list of texts", (str, list), (), served="stop"),
}
"""Settings that a model can name one by one."""

TABLES: Mapping[str, tuple[object, ...]] = {
    "bad_words_ids": (), "force_words_ids": (), "suppress_tokens": (), "begin_suppress_tokens": (),
    "forced_bos_token_id": (), "forced_eos_token_id": (), "exponential_decay_length_penalty": (), "sequence_bias": (),
    "constraints": (), "watermarking_config": (), "token_healing": (False,), "dola_layers": (), "penalty_alpha": (0,),
    "encoder_no_repeat_ngram_size": (0,), "diversity_penalty": (0.0,), "num_beam_groups": (1,), "max_time": (),
    "remove_invalid_values": (False,),
}  # fmt: skip
"""Settings that only `generation=own` applies, mostly tables of token ids, with the values at which they do nothing."""


def is_neutral(name: str, value: object) -> bool:
    """Whether a setting of a generation_config changes nothing of a text."""
    if value is None or value == []:
        return True
    if name in SETTINGS:
        return value in SETTINGS[name].neutral
    # What is in neither table is how a text is computed, and not which.
    return name not in TABLES or value in TABLES[name]


def is_served(name: str) -> bool:
    """Whether servers and engines that sample themselves have a setting; sampling itself is temperature there."""
    return name == "do_sample" or (name in SETTINGS and SETTINGS[name].served is not None)


def served_name(name: str) -> str:
    """What such a server calls a setting; the limit of new tokens and stop strings keep lm-eval's names."""
    kept = name not in SETTINGS or name in ("max_new_tokens", "stop_strings")
    return name if kept else SETTINGS[name].served or name


def decoding_faults(model: ModelSpec, where: str, *, serves_itself: bool) -> list[str]:
    """Return what is wrong with the decoding settings that a model names, a line each.

    Args:
        model: the model.
        where: how messages begin.
        serves_itself: whether its backend samples itself, and so knows fewer settings than transformers.
    """
    if not isinstance(model.generation, dict):
        return []
    known = [name for name in SETTINGS if not serves_itself or is_served(name)]
    faults = []
    for name, value in model.generation.items():
        if name not in known:
            why = "is no setting of this backend" if name in SETTINGS else "is no setting of decoding"
            faults.append(f"{where}: generation: {name!r} {why}; {nearest(name, known)}")
        elif not SETTINGS[name].takes(value):
            faults.append(f"{where}: generation: {name} {value!r}: {SETTINGS[name].accepts}")
    return faults
