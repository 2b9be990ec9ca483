"""The measure of everything that may differ between two models as they were asked: one for each of `DIFFERENCES`.

What a measure says follows the name of the model: "its weights are bfloat16, those of base float32". What a backend
does not tell is no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mplus_eval.audit.pair import AskedPair
from mplus_eval.models.chat_format import PLAIN_STOPS
from mplus_eval.records.asking import Asking

NEW_TOKENS = "max_new_tokens"
"""The setting of a checkpoint that is the limit of new tokens."""


@dataclass(frozen=True)
class Found:
    """A difference that is there."""

    says: str
    share: float | None = None


def _token_ids(pair: AskedPair) -> Found | None:
    both = pair.both
    same_prompt = both["prompt_hash"].notna() & (both["prompt_hash"] == both["prompt_hash_other"])
    share = pair.share(same_prompt & pair.differ("token_hash"))
    if not share:
        return _plain_ends(pair)
    why = ""
    if pair.known and pair.known[0].begins_with != pair.known[1].begins_with:
        own, other = (each.begins_with or "nothing" for each in pair.known)
        why = f": its prompts begin with {own}, those of {pair.against.name} with {other}"
    return Found(f"the same prompt has other token ids than for {pair.against.name} in {_percent(share)}{why}", share)


def _plain_ends(pair: AskedPair) -> Found | None:
    """In the plain format the model's end token stands behind its earlier answers, in the prompts of later turns."""
    ends = [_plain_end(asking) for asking in pair.known or ()]
    share = pair.share(pair.differ("prompt_hash"))
    if not pair.chats or not share or None in ends or len(set(ends)) < 2:
        return None
    return Found(
        f"its earlier answers end with {ends[0]!r} in the prompts of later turns, those of {pair.against.name} with "
        f"{ends[1]!r}, in {_percent(share)}",
        share,
    )


def _plain_end(asking: Asking) -> str | None:
    """The end token of the plain format; None where a model is talked to in a template of its own."""
    first, *others = asking.talk_ends or ("",)
    return first if tuple(others) == PLAIN_STOPS else None


def _decoding(pair: AskedPair) -> Found | None:
    own, other = (_settings(each.asking) for each in (pair.model, pair.against))
    if not pair.generates or own == other:
        return None
    return Found(f"its decoding is {own}, that of {pair.against.name} {other}")


def _new_tokens(pair: AskedPair) -> Found | None:
    own, other = (each.asking.decoding.get(NEW_TOKENS, "the protocol's") for each in (pair.model, pair.against))
    if not pair.generates or own == other:
        return None
    return Found(f"its limit of new tokens is {own}, that of {pair.against.name} {other}")


def _cut(pair: AskedPair) -> Found | None:
    share = pair.share(pair.differ("n_truncated"))
    if not share:
        return None
    return Found(f"the prompt is cut to fit in other ways than for {pair.against.name} in {_percent(share)}", share)


def _lost(pair: AskedPair) -> Found | None:
    share = pair.share(pair.both["failed"] != pair.both["failed_other"])
    if not share:
        return None
    return Found(f"its answers and those of {pair.against.name} are not to the same items: {_percent(share)}", share)


def _choices(pair: AskedPair) -> Found | None:
    columns = {pair.model.name: "n_equal_choices", pair.against.name: "n_equal_choices_other"}
    shares = {name: pair.share(pair.both[column].fillna(0) > 0) for name, column in columns.items()}
    name = max(shares, key=lambda name: shares[name])
    if not shares[name]:
        return None
    return Found(f"the choices cannot be told apart by token ids in {_percent(shares[name])} ({name})", shares[name])


def _boundary(pair: AskedPair) -> Found | None:
    both = pair.both
    spanned = [both[f"n_spanned{side}"].fillna(0) > 0 for side in ("", "_other")]
    lost = [holds & both[f"failed{side}"] for holds, side in zip(spanned, ("", "_other"), strict=True)]
    if not (share := pair.share(spanned[0] | spanned[1])):
        return None
    gone = pair.share(lost[0] | lost[1])
    says = f"the boundary of prompt and choice lies inside a token in {_percent(share)}"
    return Found(f"{says}, and leaves nothing to score in {_percent(gone)}" if gone else says, gone)


def _thinking(pair: AskedPair) -> Found | None:
    if not pair.generates:
        return None
    own, other = (each.fillna(0).mean() for each in (pair.both["n_thinking"], pair.both["n_thinking_other"]))
    if own == other:
        return None
    return Found(
        f"its answers come after {own:,.0f} tokens of reasoning, those of {pair.against.name} after {other:,.0f}"
    )


def _unclosed(pair: AskedPair) -> Found | None:
    columns = {pair.model.name: "unclosed", pair.against.name: "unclosed_other"}
    shares = {name: pair.share(pair.both[column].eq(other=True)) for name, column in columns.items()}
    name = max(shares, key=lambda name: shares[name])
    if not shares[name]:
        return None
    return Found(f"the reasoning never ended in {_percent(shares[name])} ({name})", shares[name])


def _dtype(pair: AskedPair) -> Found | None:
    own, other = pair.model.entry.dtype, pair.against.entry.dtype
    # Quantized weights are computed with in whatever precision their format brings.
    if own == other or not (own and other) or _quantization(pair):
        return None
    return Found(f"its weights are {own}, those of {pair.against.name} {other}")


def _quantization(pair: AskedPair) -> Found | None:
    own, other = (each.asking.quantization or "not quantized" for each in (pair.model, pair.against))
    return None if own == other else Found(f"its weights are {own}, those of {pair.against.name} {other}")


def _template(pair: AskedPair) -> Found | None:
    return Found("chat templates differ") if not pair.chats and _templates_differ(pair) else None


def _prompts(pair: AskedPair) -> Found | None:
    if pair.chats or _templates_differ(pair):
        return None
    share = pair.share(pair.differ("prompt_hash"))
    return Found("prompts differ", share) if share else None


def _templates_differ(pair: AskedPair) -> bool:
    return pair.model.entry.chat_template != pair.against.entry.chat_template


def _items(pair: AskedPair) -> Found | None:
    apart = pair.both["prompt_hash"].isna() | pair.both["prompt_hash_other"].isna()
    return Found("not the same items", float(apart.mean())) if apart.any() else None


def _told(told: Callable[[Asking], object], words: str) -> Callable[[AskedPair], Found | None]:
    """The measure of something that both models tell of themselves; `words` take both and the other's name."""

    def measure(pair: AskedPair) -> Found | None:
        if pair.known is None or (own := told(pair.known[0])) == (other := told(pair.known[1])):
            return None
        # A server does not tell all that a model here does.
        if any(asking.api and not value for asking, value in zip(pair.known, (own, other), strict=True)):
            return None
        return Found(words.format(own=_words(own), other=_words(other), name=pair.against.name))

    return measure


def _system(pair: AskedPair) -> Found | None:
    if not pair.chats:
        return None
    return _said_by_itself(pair) or _system_turn(pair)


def _description(pair: AskedPair) -> Found | None:
    return _system_turn(pair) if pair.describes else None


_said_by_itself = _told(
    lambda asking: asking.template_system and repr(asking.template_system[:80]),
    "its template says {own} by itself, that of {name} {other}",
)
_system_turn = _told(
    lambda asking: "the user's first turn" if asking.folds_system else "a turn of its own",
    "a system's words go to {own}, for {name} to {other}",
)


def _ends(pair: AskedPair) -> Found | None:
    measure = _told(lambda asking: asking.talk_ends if pair.chats else asking.end_tokens, _WORDS["ends"])
    return measure(pair) if pair.generates else None


def _backend(pair: AskedPair) -> Found | None:
    own, other = pair.model.entry.backend, pair.against.entry.backend
    return None if own == other else Found(f"its backend is {own}, that of {pair.against.name} {other}")


def _scoring(pair: AskedPair) -> Found | None:
    own, other = pair.model.entry.scoring, pair.against.entry.scoring
    if own is None or other is None or own.name == other.name:
        return None
    return Found(f"its tier of scoring is {own.name}, that of {pair.against.name} {other.name}")


def _tokenizer(pair: AskedPair) -> Found | None:
    own, other = pair.model.entry.vocabulary, pair.against.entry.vocabulary
    if own == other or not (own and other):
        return None
    return Found(f"its tokenizer has another vocabulary than that of {pair.against.name}")


_WORDS = {
    "ends": "its texts end with {own}, those of {name} with {other}",
    "context": "its longest sequence is {own} tokens, that of {name} {other}",
}
MEASURES: dict[str, Callable[[AskedPair], Found | None]] = {
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
    "description": _description,
    "system": _system,
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
    if isinstance(value, tuple):
        return " ".join(map(repr, value)) or "nothing"
    return str(value or "nothing")


def _percent(share: float) -> str:
    """A share of items that is above 0, never rounded to it."""
    return f"{100 * share:.1f} % of items" if share >= 0.0005 else "less than 0.1 % of items"
