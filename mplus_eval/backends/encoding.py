"""How texts become token ids: which special tokens stand around them, and where a continuation begins.

    "The cat" + " sat"                  <s> The Ġcat | Ġsat       an end token that the tokenizer appends is left off
    "The cat" + "s", where "cats" is    <s> The | Ġcats           scored from what both have in common, and counted
    one token

Where no token spans the boundary and no end token is appended, the ids are those of lm-eval's `HFLM`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mplus_eval.models.tokenizer_check import ENGLISH, TokenizerError, refuse_broken

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from transformers import PreTrainedTokenizerBase

__all__ = ["EncodedRequest", "Encoding", "TokenizerError", "encode_requests"]


@dataclass(frozen=True)
class Encoding:
    """How the texts of one model are encoded; made by `Encoding.of`, which refuses a tokenizer that is broken."""

    tokenizer: PreTrainedTokenizerBase
    begins: tuple[int, ...]
    """Special tokens put before a text that does not bring its own."""
    leaves_off: tuple[int, ...]
    """Special tokens that the tokenizer would put after every text, which would then be what an answer follows."""
    prefix: int
    """What stands before a continuation that has no context: beginning or, without one, end of text."""

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, add_bos: bool | Literal["auto"] = "auto") -> Encoding:
        """Find out what a tokenizer puts around texts.

        Args:
            tokenizer: of a model.
            add_bos: whether a plain text begins with the beginning-of-text token; `auto` leaves it to the tokenizer.

        Raises:
            TokenizerError: when numbers of this tokenizer would mean nothing, or it has no token to begin with.
        """
        refuse_broken(tokenizer)
        bare = list(tokenizer(ENGLISH, add_special_tokens=False)["input_ids"])
        whole = list(tokenizer(ENGLISH)["input_ids"])
        starts = [start for start in range(len(whole)) if whole[start : start + len(bare)] == bare]
        if not starts:
            raise TokenizerError("writes the same text in other tokens where it adds special ones")
        own = tuple(whole[: starts[0]])
        prefix, bos = tokenizer.bos_token_id, tokenizer.bos_token_id
        if prefix is None:
            prefix = tokenizer.eos_token_id
        if prefix is None:
            raise TokenizerError("has neither a beginning- nor an end-of-text token")
        if add_bos is True and bos is None:
            raise TokenizerError("has no beginning-of-text token, though add_bos=true")
        # Doubled where a tokenizer's settings and its post-processor both put it.
        begins = tuple(token for place, token in enumerate(own) if token != bos or token not in own[:place])
        if add_bos is True and bos not in own:
            begins = (bos, *begins)
        elif add_bos is False:
            begins = tuple(token for token in begins if token != bos)
        return cls(tokenizer, begins, tuple(whole[starts[0] + len(bare) :]), prefix)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of prompts and whole texts, with what a text begins with, which is never doubled."""
        begin = str(self.tokenizer.decode([self.prefix]))
        encoded = self.bare(texts)
        return [
            # A template's text brings the beginning itself, and so may a tokenizer that normalises.
            ids if (begin and text.startswith(begin)) or tuple(ids[: len(self.begins)]) == self.begins
            else [*self.begins, *ids]
            for text, ids in zip(texts, encoded, strict=True)
        ]  # fmt: skip

    def bare(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of texts with nothing around them; each distinct text is encoded once."""
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return []
        ids = self.tokenizer(distinct, add_special_tokens=False)["input_ids"]
        of_text = dict(zip(distinct, ids, strict=True))
        return [list(of_text[text]) for text in texts]

    def bare_text(self, text: str) -> list[int]:
        """Ids of one text with nothing around them."""
        return self.bare([text])[0]

    def text_of(self, tokens: Sequence[int]) -> str:
        """Special tokens as the tokenizer writes them."""
        return "".join(map(str, self.tokenizer.convert_ids_to_tokens(list(tokens))))


def unscorable(context: Sequence[int], continuation: Sequence[int], max_length: int) -> str | None:
    """Why a request cannot be scored by a model of that length; None where it can."""
    if not context:
        return "no token of the prompt is left before the continuation, since tokens span both"
    if not continuation:
        return "the continuation is empty"
    if len(continuation) > max_length:
        return f"the continuation has {len(continuation)} tokens, the model's length is {max_length}"
    return None


@dataclass(frozen=True)
class EncodedRequest:
    """A `loglikelihood` request as ids."""

    texts: tuple[str, str]
    context: list[int]
    """What comes before the tokens that are scored; empty where nothing is left before them."""
    continuation: list[int]
    n_spanned: int
    """Tokens of the context that are scored with the continuation."""


def encode_requests(encoding: Encoding, requests: Sequence[Instance]) -> list[EncodedRequest]:
    """Encode whole items; trailing spaces of a context go to the continuation, as in lm-eval.

    Where a token spans the boundary for one choice of an item, all of its choices are scored from as many tokens
    before it, so that none has a token of the prompt more to its account than the others.
    """
    contexts = [request.args[0].rstrip() for request in requests]
    wholes = ["".join(request.args) for request in requests]
    # One call for both, since most contexts are shared and a tokenizer is quickest with many texts.
    with_context = [place for place, request in enumerate(requests) if request.args[0]]
    encoded = encoding.encode([contexts[i] for i in with_context] + [wholes[i] for i in with_context])
    halves = dict(zip(with_context, zip(encoded, encoded[len(with_context) :], strict=False), strict=True))
    without = [place for place in range(len(requests)) if place not in halves]
    for place, ids in zip(without, encoding.bare([wholes[i] for i in without]), strict=True):
        halves[place] = [encoding.prefix], ids if ids[:1] == [encoding.prefix] else [encoding.prefix, *ids]

    n_spanned: dict[Hashable, int] = {}
    for place, (context, whole) in halves.items():
        item = _item(requests[place], place)
        n_spanned[item] = max(n_spanned.get(item, 0), len(context) - _n_common(context, whole))
    found = []
    for place, request in enumerate(requests):
        context, whole = halves[place]
        n_back = n_spanned[_item(request, place)]
        # What begins every prompt is not of the prompt; one token at least must stand before what is scored.
        split = len(context) - n_back
        left = split >= max(1, len(encoding.begins) if n_back else 1)
        found.append(EncodedRequest(request.args, context[:split] if left else [], whole[max(split, 0) :], n_back))
    return found


def _item(request: Instance, place: int) -> Hashable:
    """What the choices of one item share. A text without a context spans nothing, whatever item it belongs to."""
    if request.doc_id is None or not request.args[0]:
        return place
    return request.task_name, request.doc_id


def _n_common(context: Sequence[int], whole: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    if whole[: len(context)] == context:
        return len(context)
    return next(i for i, token in enumerate(context) if i >= len(whole) or whole[i] != token)
