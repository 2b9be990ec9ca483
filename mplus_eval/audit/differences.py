"""The audit of a contrast: what differs between two models as they were asked, besides their weights.

Every entry of `DIFFERENCES` has its measure here. What can make a verdict by itself withholds it, unless it was allowed
by name. Texts follow the name of the model: "its weights are computed in bfloat16, those of base in float32".
docs/fairness.md says why each is there, and which public reports taught it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import pandas as pd

from mplus_eval.audit.items import AskedItems
from mplus_eval.records.asking import AskedDifference, Asking
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.differences import DIFFERENCES

ContrastT = TypeVar("ContrastT", bound=Contrast)
NEW_TOKENS = "max_new_tokens"
"""The setting of a checkpoint that is the limit of new tokens."""


@dataclass(frozen=True, eq=False)
class AskedModel:
    """One model on one task, as it was asked."""

    name: str
    entry: ModelEntry
    items: AskedItems

    @property
    def asking(self) -> Asking:
        """How it was asked; of a backend that does not tell, as if nothing were special."""
        return self.entry.asking or Asking()


@dataclass(frozen=True, eq=False)
class AskedPair:
    """A model and the one that it is held against, on one task.

    Attributes:
        generates: whether texts are generated, so that decoding matters.
        chats: whether each model is talked to in a format of its own, which is then part of what is compared.
    """

    model: AskedModel
    against: AskedModel
    generates: bool
    chats: bool

    @cached_property
    def both(self) -> pd.DataFrame:
        """The items of either."""
        return self.model.items.beside(self.against.items)

    def share(self, holds: pd.Series[bool]) -> float:
        """The share of the items that both were asked of which something holds; 0 where there is no item."""
        asked = self.both["prompt_hash"].notna() & self.both["prompt_hash_other"].notna()
        return float((holds & asked).sum() / asked.sum()) if asked.any() else 0.0

    def differ(self, column: str) -> pd.Series[bool]:
        """Which items have another value there, where both are known."""
        own, other = self.both[column], self.both[f"{column}_other"]
        return own.notna() & other.notna() & (own != other)

    @property
    def known(self) -> tuple[Asking, Asking] | None:
        """How both were asked, where both tell."""
        pair = self.model.entry.asking, self.against.entry.asking
        return (pair[0], pair[1]) if pair[0] is not None and pair[1] is not None else None


@dataclass(frozen=True)
class _Found:
    """A difference that is there."""

    says: str
    share: float | None = None


@dataclass(frozen=True)
class Auditor:
    """The models of a run, and the differences that shall not withhold a verdict, by name."""

    models: Mapping[str, ModelEntry]
    allowed: Collection[str] = ()

    def find(
        self, names: tuple[str, str], items: tuple[AskedItems, AskedItems], *, generates: bool, chats: bool = False
    ) -> tuple[AskedDifference, ...]:
        """What differs between a model and the one that it is held against, on one task.

        Args:
            names: of the model and the other.
            items: of both, as they were put.
            generates: whether texts are generated.
            chats: whether each model is talked to in a format of its own.
        """
        model, against = (AskedModel(name, self.models[name], asked) for name, asked in zip(names, items, strict=True))
        pair = AskedPair(model, against, generates=generates, chats=chats)
        measured = {name: difference for name, measure in MEASURES.items() if (difference := measure(pair))}
        return tuple(self._told(name, difference) for name, difference in measured.items())

    def _told(self, name: str, found: _Found) -> AskedDifference:
        info = DIFFERENCES[name]
        withholds = info.withholds and (found.share is None or found.share > info.above)
        return AskedDifference(
            name=name,
            says=found.says,
            share=found.share,
            withholds=withholds and name not in self.allowed,
            allowed=withholds and name in self.allowed,
        )


def withheld_for(found: Iterable[AskedDifference]) -> tuple[str, ...]:
    """Why a verdict is withheld, each with the way to have it all the same; empty where it is not."""
    return tuple(f"{each.says} (--allow {each.name} accepts that)" for each in found if each.withholds)


def audited(contrast: ContrastT, found: Sequence[AskedDifference]) -> ContrastT:
    """A contrast with what differs; its verdict is withheld where that says so, and its numbers stay."""
    reasons = (*contrast.reasons, *withheld_for(found))
    flags = tuple(each.says for each in found if not each.withholds and DIFFERENCES[each.name].doubtful)
    verdict = Verdict.NOT_COMPARABLE if reasons else contrast.verdict
    fields = {"differences": tuple(found), "flags": flags, "reasons": reasons, "verdict": verdict}
    return contrast.model_copy(update=fields)


def _token_ids(pair: AskedPair) -> _Found | None:
    both = pair.both
    same_prompt = both["prompt_hash"].notna() & (both["prompt_hash"] == both["prompt_hash_other"])
    share = pair.share(same_prompt & pair.differ("token_hash"))
    if not share:
        return None
    why = ""
    if pair.known and pair.known[0].begins_with != pair.known[1].begins_with:
        own, other = (each.begins_with or "nothing" for each in pair.known)
        why = f": its prompts begin with {own}, those of {pair.against.name} with {other}"
    return _Found(f"the same prompt has other token ids than for {pair.against.name} in {_percent(share)}{why}", share)


def _decoding(pair: AskedPair) -> _Found | None:
    own, other = (_settings(each.asking) for each in (pair.model, pair.against))
    if not pair.generates or own == other:
        return None
    return _Found(f"its decoding is {own}, that of {pair.against.name} {other}")


def _new_tokens(pair: AskedPair) -> _Found | None:
    own, other = (each.asking.decoding.get(NEW_TOKENS, "the protocol's") for each in (pair.model, pair.against))
    if not pair.generates or own == other:
        return None
    return _Found(f"its limit of new tokens is {own}, that of {pair.against.name} {other}")


def _cut(pair: AskedPair) -> _Found | None:
    share = pair.share(pair.differ("n_truncated"))
    if not share:
        return None
    return _Found(f"the prompt is cut to fit in other ways than for {pair.against.name} in {_percent(share)}", share)


def _lost(pair: AskedPair) -> _Found | None:
    share = pair.share(pair.both["failed"] != pair.both["failed_other"])
    if not share:
        return None
    return _Found(f"its answers and those of {pair.against.name} are not to the same items: {_percent(share)}", share)


def _choices(pair: AskedPair) -> _Found | None:
    columns = {pair.model.name: "n_equal_choices", pair.against.name: "n_equal_choices_other"}
    shares = {name: pair.share(pair.both[column].fillna(0) > 0) for name, column in columns.items()}
    name = max(shares, key=lambda name: shares[name])
    if not shares[name]:
        return None
    return _Found(f"the choices cannot be told apart by token ids in {_percent(shares[name])} ({name})", shares[name])


def _boundary(pair: AskedPair) -> _Found | None:
    both = pair.both
    spanned = [both[f"n_spanned{side}"].fillna(0) > 0 for side in ("", "_other")]
    lost = [holds & both[f"failed{side}"] for holds, side in zip(spanned, ("", "_other"), strict=True)]
    if not (share := pair.share(spanned[0] | spanned[1])):
        return None
    gone = pair.share(lost[0] | lost[1])
    says = f"the boundary of prompt and choice lies inside a token in {_percent(share)}"
    return _Found(f"{says}, and leaves nothing to score in {_percent(gone)}" if gone else says, gone)


def _thinking(pair: AskedPair) -> _Found | None:
    if not pair.generates:
        return None
    own, other = (each.fillna(0).mean() for each in (pair.both["n_thinking"], pair.both["n_thinking_other"]))
    if own == other:
        return None
    return _Found(
        f"its answers come after {own:,.0f} tokens of reasoning, those of {pair.against.name} after {other:,.0f}"
    )


def _unclosed(pair: AskedPair) -> _Found | None:
    columns = {pair.model.name: "unclosed", pair.against.name: "unclosed_other"}
    shares = {name: pair.share(pair.both[column].eq(other=True)) for name, column in columns.items()}
    name = max(shares, key=lambda name: shares[name])
    if not shares[name]:
        return None
    return _Found(f"the reasoning never ended in {_percent(shares[name])} ({name})", shares[name])


def _dtype(pair: AskedPair) -> _Found | None:
    own, other = pair.model.entry.dtype, pair.against.entry.dtype
    # Quantized weights are computed with in whatever precision their format brings.
    if own == other or not (own and other) or _quantization(pair):
        return None
    return _Found(f"its weights are {own}, those of {pair.against.name} {other}")


def _quantization(pair: AskedPair) -> _Found | None:
    own, other = (each.asking.quantization or "not quantized" for each in (pair.model, pair.against))
    return None if own == other else _Found(f"its weights are {own}, those of {pair.against.name} {other}")


def _template(pair: AskedPair) -> _Found | None:
    return _Found("chat templates differ") if not pair.chats and _templates_differ(pair) else None


def _prompts(pair: AskedPair) -> _Found | None:
    if pair.chats or _templates_differ(pair):
        return None
    share = pair.share(pair.differ("prompt_hash"))
    return _Found("prompts differ", share) if share else None


def _templates_differ(pair: AskedPair) -> bool:
    return pair.model.entry.chat_template != pair.against.entry.chat_template


def _items(pair: AskedPair) -> _Found | None:
    apart = pair.both["prompt_hash"].isna() | pair.both["prompt_hash_other"].isna()
    return _Found("not the same items", float(apart.mean())) if apart.any() else None


def _told(told: Callable[[Asking], object], words: str) -> Callable[[AskedPair], _Found | None]:
    """The measure of something that both models tell of themselves; `words` take both and the other's name."""

    def measure(pair: AskedPair) -> _Found | None:
        if pair.known is None or (own := told(pair.known[0])) == (other := told(pair.known[1])):
            return None
        return _Found(words.format(own=_words(own), other=_words(other), name=pair.against.name))

    return measure


def _of_talk(measure: Callable[[AskedPair], _Found | None]) -> Callable[[AskedPair], _Found | None]:
    return lambda pair: measure(pair) if pair.chats else None


def _ends(pair: AskedPair) -> _Found | None:
    measure = _told(lambda asking: asking.talk_ends if pair.chats else asking.end_tokens, _WORDS["ends"])
    return measure(pair) if pair.generates else None


def _backend(pair: AskedPair) -> _Found | None:
    own, other = pair.model.entry.backend, pair.against.entry.backend
    return None if own == other else _Found(f"its backend is {own}, that of {pair.against.name} {other}")


def _scoring(pair: AskedPair) -> _Found | None:
    own, other = pair.model.entry.scoring, pair.against.entry.scoring
    if own is None or other is None or own.name == other.name:
        return None
    return _Found(f"its tier of scoring is {own.name}, that of {pair.against.name} {other.name}")


def _tokenizer(pair: AskedPair) -> _Found | None:
    own, other = pair.model.entry.vocabulary, pair.against.entry.vocabulary
    if own == other or not (own and other):
        return None
    return _Found(f"its tokenizer has another vocabulary than that of {pair.against.name}")


_WORDS = {
    "system": "its template says {own} by itself, that of {name} {other}",
    "ends": "its texts end with {own}, those of {name} with {other}",
    "context": "its longest sequence is {own} tokens, that of {name} {other}",
}
MEASURES: dict[str, Callable[[AskedPair], _Found | None]] = {
    "token-ids": _token_ids,
    "decoding": _decoding,
    "new-tokens": _new_tokens,
    "cut": _cut,
    "lost": _lost,
    "choices": _choices,
    "boundary": _boundary,
    "unclosed": _unclosed,
    "dtype": _dtype,
    "thinking": _thinking,
    "quantization": _quantization,
    "template": _template,
    "prompts": _prompts,
    "items": _items,
    "system": _of_talk(_told(lambda asking: asking.template_system, _WORDS["system"])),
    "ends": _ends,
    "tokenizer": _tokenizer,
    "context": _told(lambda asking: asking.max_length, _WORDS["context"]),
    "backend": _backend,
    "scoring": _scoring,
}


def _settings(asking: Asking) -> str:
    settings = [f"{name} {value}" for name, value in sorted(asking.decoding.items()) if name != NEW_TOKENS]
    return ", ".join(settings) or "the protocol's"


def _words(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(repr, value)) or "nothing"
    return f"{str(value)[:80]!r}" if isinstance(value, str) and value else str(value or "nothing")


def _percent(share: float) -> str:
    """A share of items that is above 0, never rounded to it."""
    return f"{100 * share:.1f} % of items" if share >= 0.0005 else "less than 0.1 % of items"
