"""What a model will be asked, counted: items, requests and tokens, before any of it is computed.

    drawn items      the first ones of a few groups, asked just as all of them will be
    distinct tokens  D(16) = 1,900 of 16 items, D(8) = 1,500 of the first 8
    an item adds     (1,900 - 1,500) / 8 = 50 tokens, and a call shares 1,900 - 16 · 50 = 1,100
    all 500 items    in calls of 64: 8 · 1,100 + 500 · 50 = 33,800 tokens

Where all items are drawn nothing is extrapolated, and the count is what a tree of prefixes computes.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from statistics import pvariance
from typing import TYPE_CHECKING, TypeVar

from mplus_eval.backends.encoding import Encoding
from mplus_eval.backends.lm_eval_model import DEFAULT_NEW_TOKENS
from mplus_eval.inference.tree import count_distinct

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

Item = Sequence["Instance"]
"""The requests of one item."""
Tokens = tuple[Hashable, ...]
One = TypeVar("One")
LETTERS_PER_TOKEN = 4
"""Of a model whose tokenizer is not at hand."""
_ROW_BYTES = 130
"""Of a stored answer and its outcome besides their texts: what numbers, names and hashes took, compressed."""
_COMPRESSED = 0.4
"""What compression leaves of the texts that models write."""


@dataclass(frozen=True)
class Draw:
    """Some of the items of a group that is asked in one way, such as a slice of a subtask.

    Attributes:
        n_items: of the whole group.
        items: those that were drawn, in order.
        weight: how many such groups it stands for.
        requests_per_call: that are put to a backend at once; the backend's own number when None.
        rescored: answers of an item that are scored again once they are there.
        counts_items: whether its items are counted as such, and not those of another group too, as later turns are.
        building: seconds that it took to build these requests.
    """

    n_items: int
    items: Sequence[Item]
    weight: float = 1.0
    requests_per_call: int | None = None
    rescored: float = 0.0
    counts_items: bool = True
    building: float = 0.0


@dataclass(frozen=True)
class Work:
    """What is to be computed, as counted or extrapolated.

    Attributes:
        items: of tasks, prompt sets and dialogues.
        requests: that are put to the model.
        sent: tokens of all prompts and choices, as a server counts them.
        scored: tokens that are computed to score them, where every prefix of a call is computed once.
        read: tokens of prompts that are gone on from, likewise.
        texts: that are generated.
        written: tokens of them, at most.
        rescored: of these, tokens that are scored again, at most; their prompts are among `scored`.
        building: seconds that building the requests takes.
        stored: bytes of answers and outcomes on the disk.
        variance: of `scored + read`, where only some of the groups were counted.
    """

    items: float = 0.0
    requests: float = 0.0
    sent: float = 0.0
    scored: float = 0.0
    read: float = 0.0
    texts: float = 0.0
    written: float = 0.0
    rescored: float = 0.0
    building: float = 0.0
    stored: float = 0.0
    variance: float = 0.0

    def __add__(self, other: Work) -> Work:
        """Both, which were counted apart."""
        return Work(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Work)))

    def times(self, factor: float) -> Work:
        """So many times as much."""
        scaled = {field.name: factor * getattr(self, field.name) for field in fields(Work)}
        return Work(**{**scaled, "variance": factor**2 * self.variance})

    @property
    def error(self) -> float:
        """Standard error of the tokens, relative to them."""
        tokens = self.scored + self.read
        return math.sqrt(self.variance) / tokens if tokens else 0.0

    @staticmethod
    def total(works: Iterable[Work]) -> Work:
        """All of it."""
        return sum(works, Work())


def count_work(draws: Sequence[Draw], encoding: Encoding | None, requests_per_call: int) -> Work:
    """Count what is asked.

    Args:
        draws: groups of items, of one cell.
        encoding: of the model's texts; tokens of four letters when None.
        requests_per_call: of the backend.
    """
    counted = [(draw, _of_group(draw, encoding, draw.requests_per_call or requests_per_call)) for draw in draws]
    total = Work.total(work.times(draw.weight) for draw, work in counted)
    return Work(**{**vars(total), "variance": _variance(counted)})


def prompt_of(request: Instance) -> str:
    """The text before what is scored or generated; all of it where that is scored."""
    return str(request.args[0])


def limit_of(request: Instance) -> int:
    """How many tokens may be generated; 0 where something is scored."""
    if request.request_type != "generate_until":
        return 0
    options = request.args[1]
    return int(options.get("max_gen_toks") or options.get("max_new_tokens") or DEFAULT_NEW_TOKENS)


def count_inputs(requests: Sequence[Instance], encoding: Encoding | None) -> int:
    """Tokens that a tree computes of requests of one call and type."""
    return count_distinct(token_inputs(requests, encoding))


def token_inputs(requests: Sequence[Instance], encoding: Encoding | None) -> list[Tokens]:
    """What goes into the model for each request: all but the last token, where tokens are scored."""
    texts = [prompt_of(request) if limit_of(request) else "".join(request.args) for request in requests]
    if encoding is None:
        ids: list[Sequence[Hashable]] = [
            [text[at : at + LETTERS_PER_TOKEN] for at in range(0, len(text), LETTERS_PER_TOKEN)] for text in texts
        ]
    else:
        ids = list(encoding.encode(texts))
        # A continuation without a context follows the token that begins every text (`encode_requests`).
        for place, request in enumerate(requests):
            if request.request_type == "loglikelihood" and not request.args[0] and ids[place][:1] != [encoding.prefix]:
                ids[place] = [encoding.prefix, *encoding.bare_text(texts[place])]
    return [tuple(each if limit_of(request) else each[:-1]) for request, each in zip(requests, ids, strict=True)]


def calls(items: Sequence[Sequence[One]], size: int) -> Iterator[list[Sequence[One]]]:
    """Whole items together, as many as have about `size` requests in all."""
    call: list[Sequence[One]] = []
    for item in items:
        if call and sum(map(len, call)) + len(item) > size:
            yield call
            call = []
        call.append(item)
    if call:
        yield call


def _of_group(draw: Draw, encoding: Encoding | None, size: int) -> Work:
    """What one group takes."""
    drawn = len(draw.items)
    if not drawn:
        return Work(items=draw.n_items if draw.counts_items else 0)
    share = draw.n_items / drawn
    requests = [request for item in draw.items for request in item]
    inputs = iter(token_inputs(requests, encoding))
    items = [[(request, next(inputs)) for request in item] for item in draw.items]
    n_requests = sum(request.repeats or 1 for request in requests)
    written = sum(limit_of(request) * (request.repeats or 1) for request in requests)
    scored = _tokens([[ids for request, ids in item if not limit_of(request)] for item in items], draw.n_items, size)
    read = _tokens([[ids for request, ids in item if limit_of(request)] for item in items], draw.n_items, size)
    if draw.rescored:
        scored += read  # an answer is scored behind its prompt
    return Work(
        items=draw.n_items if draw.counts_items else 0,
        requests=share * n_requests,
        sent=share * sum(len(ids) for item in items for _, ids in item),
        scored=scored,
        read=read,
        texts=share * sum(1 for request in requests if limit_of(request)),
        written=share * written,
        rescored=draw.n_items * draw.rescored * written / n_requests,
        building=share * draw.building,
        stored=_stored_bytes(draw, share * written),
    )


def _stored_bytes(draw: Draw, written: float) -> float:
    """Of answers and outcomes: both hold the texts where an item has one; what prompts share is compressed away."""
    has_samples = any(len(item) > 1 and limit_of(item[0]) for item in draw.items)
    half = len(draw.items) // 2
    whole = _compressed(draw.items)
    own = (whole - _compressed(draw.items[:half])) / (len(draw.items) - half)
    n_rows = draw.n_items * sum(1 if limit_of(request) else 1 / len(item) for item in draw.items for request in item)
    prompts = whole + max(0.0, draw.n_items - len(draw.items)) * own
    return _ROW_BYTES * n_rows / len(draw.items) + (1 if has_samples else 2) * (
        prompts + _COMPRESSED * LETTERS_PER_TOKEN * written
    )


def _compressed(items: Sequence[Item]) -> int:
    """Bytes of the prompts, as parts are compressed."""
    import pyarrow as pa

    texts = "".join(prompt_of(request) for item in items for request in item)
    return len(pa.compress(texts.encode(errors="replace"), codec="zstd", asbytes=True))


def _tokens(items: Sequence[Sequence[Tokens]], n_items: int, size: int) -> float:
    """Distinct tokens of a group of which some items were drawn, in calls of a size."""
    if not any(items):
        return 0.0
    if len(items) == n_items:
        return float(sum(_distinct(call) for call in calls(items, size)))
    half = len(items) // 2
    whole = _distinct(items)
    own = (whole - _distinct(items[:half])) / (len(items) - half)
    shared = max(0.0, whole - len(items) * own)
    n_calls = math.ceil(n_items * sum(map(len, items)) / len(items) / size)
    return n_calls * shared + n_items * own


def _distinct(items: Sequence[Sequence[Tokens]]) -> int:
    return count_distinct(ids for item in items for ids in item)


def _variance(counted: Sequence[tuple[Draw, Work]]) -> float:
    """Of the tokens of all groups, from how those that were counted differ in tokens an item."""
    sampled = [(draw, (work.scored + work.read) / draw.n_items) for draw, work in counted if draw.weight > 1]
    if len(sampled) < 2:
        return 0.0
    stands_for = sum(draw.weight * draw.n_items for draw, _ in sampled)
    unseen = 1 - len(sampled) / sum(draw.weight for draw, _ in sampled)
    return stands_for**2 * unseen * pvariance([rate for _, rate in sampled]) / (len(sampled) - 1)
