"""A loaded model's reasoning: followed token by token while it is generated, or cut off after a text came back.

A model that reasons may use so many tokens more than the answer's limit, as many as `thinking_tokens` says and the
context leaves. Neither the answer's limit nor its stop strings act inside the reasoning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mplus_eval.backends.base import Response
from mplus_eval.models.thinking import DEFAULT_TOKENS, Cut, Thinking, thinking_of
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

Encode = Callable[[str], Sequence[int]]
Decode = Callable[[Sequence[int]], str]
_STEP = 256
"""Room that is less than all of it comes in whole multiples of so many tokens."""


@dataclass(frozen=True)
class Reasoning:
    """How a loaded model's reasoning is treated.

    Attributes:
        thinking: the texts around it.
        tokens: most tokens of it.
        decode: token ids to text, with these texts in it and no other special tokens.
        read: token ids to text, with all special tokens.
        encode: text to token ids, without any that is added; None behind a server that tells none.
    """

    thinking: Thinking
    tokens: int
    decode: Decode
    read: Decode
    encode: Encode | None = None

    def room(self, n_prompt: int, limit: int, max_length: int) -> int:
        """Most tokens of reasoning after a prompt, which is never cut for them."""
        left = max(0, max_length - n_prompt - limit)
        if left >= self.tokens:
            return self.tokens
        # What is asked together is asked with one limit of new tokens.
        return left // _STEP * _STEP or left

    def widened(self, request: Instance, max_length: int) -> Instance:
        """A request to a model that cannot be followed: without stop strings, and with room for the reasoning.

        Its settings are normalised; `ends` and `turns` are what `ChatFormat.options` makes them.
        """
        from lm_eval.api.instance import Instance

        prompt, settings = request.args
        limit = settings["max_gen_toks"]
        n_prompt = len(self.encode(prompt)) if self.encode else max_length // 2
        # What begins a prompt is not in this count.
        room = self.room(n_prompt + 2, limit, max_length)
        kept = {name: value for name, value in settings.items() if name not in ("until", "ends", "turns")}
        # The end of a turn ends its reasoning too.
        ends = [text for text in settings.get("ends") or () if text not in self.thinking.tail]
        wider = {**kept, "until": ends, "max_gen_toks": limit + room}
        return Instance("generate_until", request.doc, (prompt, wider), request.idx)

    def parted(self, request: Instance, text: str) -> Response:
        """What such a model said, cut as its request asks."""
        prompt, settings = request.args
        turns = settings.get("turns")
        stops = [*settings["until"], *(turns or ()), *(settings.get("ends") or ())]
        begun = self.thinking.begun(prompt)
        cut = self.thinking.cut(text, begun=begun, stops=stops)
        ran_on = None if turns is None else cut.stop in turns
        if self.encode is None:
            return Response(cut.answer, thinking=cut.thinking, unclosed=cut.unclosed, ran_on=ran_on)
        answer, ids = cut.answer, self.encode(cut.answer)
        if len(ids) > settings["max_gen_toks"]:
            ids = ids[: settings["max_gen_toks"]]
            answer = self.decode(ids)
        around = ("" if begun else self.thinking.start, "" if cut.unclosed else self.thinking.end)
        n_thinking = 0 if cut.thinking is None else len(self.encode(cut.thinking.join(around)))
        return Response(
            answer,
            n_tokens=len(ids),
            thinking=cut.thinking,
            n_thinking=n_thinking,
            unclosed=cut.unclosed,
            ran_on=ran_on,
        )


@dataclass(frozen=True)
class Reasons:
    """A model that reasons after one prompt.

    Attributes:
        reasoning: of the model.
        prompt: what is gone on from.
        room: most tokens of reasoning after it.
    """

    reasoning: Reasoning
    prompt: str
    room: int

    def watch(self, *, stops: Sequence[str], limit: int, ends: Collection[int] = ()) -> Watch:
        """Follow what is generated, from its beginning.

        Args:
            stops: texts that end an answer.
            limit: most tokens of the answer.
            ends: tokens that end a text.
        """
        return Watch(self, stops, limit, frozenset(ends))


def reasoning_of(model: ModelSpec, tokenizer: Any, *, encode: Encode | None = None) -> Reasoning | None:
    """How a loaded model's reasoning is treated; None where it has none.

    Args:
        model: as it was asked for.
        tokenizer: of transformers, or lm-eval's of a server, which tells no tokens; None where there is none.
        encode: text to token ids.
    """
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, dict):
        template = "\n".join(map(str, template.values()))
    is_local = hasattr(tokenizer, "get_added_vocab")
    thinking = thinking_of(model, template, tokenizer.get_added_vocab() if is_local else ())
    if thinking is None:
        return None
    read = getattr(tokenizer, "decode", str)
    decode = decoder(tokenizer, thinking) if is_local else read
    return Reasoning(thinking, model.thinking_tokens or DEFAULT_TOKENS, decode, read, encode)


def decoder(tokenizer: Any, thinking: Thinking) -> Decode:
    """Decode as answers are, though special tokens of the texts around reasoning stay."""
    texts = (thinking.start, thinking.end, thinking.tail, *thinking.around)
    marks = {token for text in texts for token in tokenizer(text, add_special_tokens=False)["input_ids"]}
    hidden = set(tokenizer.all_special_ids) - marks

    def decode(tokens: Sequence[int]) -> str:
        return str(tokenizer.decode([token for token in tokens if token not in hidden], skip_special_tokens=False))

    return decode


class Watch:
    """Follows one text as it is generated: which tokens are reasoning, and whether the answer has come to its end."""

    def __init__(self, reasons: Reasons, stops: Sequence[str], limit: int, ends: frozenset[int]) -> None:
        """Begin with nothing generated; the arguments are those of `Reasons.watch`."""
        self.reasoning, self.thinking = reasons.reasoning, reasons.reasoning.thinking
        self.begun = self.thinking.begun(reasons.prompt)
        self.stops = tuple(text for text in stops if text)
        self.limit, self.room, self.ends = limit, reasons.room, ends
        tail = self.reasoning.encode(self.thinking.tail) if self.reasoning.encode and self.thinking.tail else ()
        self.passing = self.ends & set(tail)
        """End tokens that end no reasoning."""
        # No token is shorter than a byte; one more, since some decoders drop the first token's leading space.
        self._reach = max(len(text.encode()) for text in (*self.stops, self.thinking.start, self.thinking.end)) + 1
        self._tokens: Sequence[int] = ()
        self._restart()

    @property
    def done(self) -> bool:
        """Whether nothing more is to be generated."""
        return self.by_text or self.by_token or self.exhausted

    def __call__(self, tokens: Sequence[int]) -> bool:
        """Look at what is new of the tokens so far; tell whether nothing more is to be generated."""
        # A list that grew holds what was seen; of beams any may come next.
        if tokens is not self._tokens and list(tokens[: self._seen]) != list(self._tokens[: self._seen]):
            self._restart()
        self._tokens = tokens
        while self._seen < len(tokens) and not self.done:
            self._seen += 1
            self._take(tokens, self._seen)
        return self.done

    def response(self, tokens: Sequence[int]) -> tuple[Response, str | None]:
        """What was generated, parted and cut; and the stop string that ended it, where one did."""
        cut = self.cut(tokens)
        # A stop string that is one token is not counted, as an end token is not.
        by_one = self.by_text and self.reasoning.read(tokens[-1:]) in self.stops
        response = Response(
            cut.answer,
            n_tokens=self.n_answer - by_one,
            ended=self.by_text or self.by_token,
            thinking=cut.thinking,
            n_thinking=self.n_thinking,
            unclosed=cut.unclosed,
        )
        return response, cut.stop

    def cut(self, tokens: Sequence[int]) -> Cut:
        """The text of what was generated, parted."""
        self(tokens)
        text = self.reasoning.decode(tokens[:-1] if self.by_token else tokens)
        return self.thinking.cut(text, begun=self.begun, stops=self.stops)

    def _restart(self) -> None:
        self.inside = self.begun
        self.n_thinking, self.n_answer = 0, 0
        self.by_text = self.by_token = self.exhausted = False
        self._seen, self._since, self._carried = 0, 0, ""

    def _take(self, tokens: Sequence[int], n: int) -> None:
        """Look at the newest of n tokens."""
        if tokens[n - 1] in self.ends and not (self.inside and tokens[n - 1] in self.passing):
            self.by_token = True
            return
        newest = self._text(tokens, max(self._since, n - self._reach), n)
        if self.inside:
            self.n_thinking += 1
            if self.thinking.end in newest:
                self._turn(n, newest.rpartition(self.thinking.end)[2], inside=False)
            else:
                self.exhausted = self.n_thinking >= self.room
            return
        self.n_answer += 1
        # The whole answer is worth reading while it is short, or where a stop string seems to be in it.
        is_read = self.n_answer <= self._reach or any(text in newest for text in self.stops)
        said = self._text(tokens, self._since, n) if is_read else newest
        said = said.lstrip() if self.n_thinking else said
        if any(text in said for text in self.stops):
            self.by_text = True
        elif self.thinking.start in newest:
            self._count_as_thinking(self._length_of(self.thinking.start, tokens, n))
            self._turn(n, newest.rpartition(self.thinking.start)[2], inside=True)
        elif self.thinking.end in newest:
            # Only the end came back.
            self._count_as_thinking(self.n_answer)
            self._turn(n, newest.rpartition(self.thinking.end)[2], inside=False)
        elif self.n_thinking and not said.strip():
            # Blank lines between reasoning and answer are none of the answer's tokens.
            self._count_as_thinking(1)
        else:
            # Nor is a start that is not whole yet.
            is_starting = bool(said.strip()) and self.thinking.start.startswith(said.strip())
            self.exhausted = self.n_answer >= self.limit and not is_starting

    def _text(self, tokens: Sequence[int], first: int, n: int) -> str:
        """What tokens say, with what a token that ended the reasoning said of the answer already."""
        return (self._carried if first == self._since else "") + self.reasoning.read(tokens[first:n])

    def _turn(self, n: int, carried: str, *, inside: bool) -> None:
        """Go on with reasoning or answer."""
        self.inside, self._since, self._carried = inside, n, carried

    def _count_as_thinking(self, n: int) -> None:
        self.n_answer -= n
        self.n_thinking += n

    def _length_of(self, text: str, tokens: Sequence[int], n: int) -> int:
        """How many of the newest tokens a text takes."""
        return next((k for k in range(1, n - self._since + 1) if text in self.reasoning.read(tokens[n - k : n])), 1)
