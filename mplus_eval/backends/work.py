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
from typing import TYPE_CHECKING, Self

from mplus_eval.backends.encoding import Encoding, encode_requests
from mplus_eval.backends.lm_eval_model import DEFAULT_NEW_TOKENS
from mplus_eval.inference.tree import count_distinct

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

Item = Sequence["Instance"]
"""The requests of one item."""
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
    """

    n_items: int
    items: Sequence[Item]
    weight: float = 1.0
    requests_per_call: int | None = None
    rescored: float = 0.0
    counts_items: bool = True


@dataclass(frozen=True)
class Work:
    """What is to be computed, as counted or extrapolated.

    Attributes:
        items: of tasks, prompt sets and dialogues.
        requests: that are put to the model.
        sent: tokens of all prompts and choices, as a server counts them.
        scored: tokens that are computed to score them, where every prefix of a call is computed once.
        read: tokens of prompts that are gone on from, likewise.
        written: tokens that are generated, at most.
        stored: bytes of answers and outcomes on the disk.
        variance: of `scored + read`, where only some of the groups were counted.
    """

    items: float = 0.0
    requests: float = 0.0
    sent: float = 0.0
    scored: float = 0.0
    read: float = 0.0
    written: float = 0.0
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

    @classmethod
    def total(cls, works: Iterable[Work]) -> Self:
        """All of it."""
        return sum(works, cls())


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


def token_inputs(requests: Sequence[Instance], encoding: Encoding | None) -> list[tuple[Hashable, ...]]:
    """What goes into the model for requests of one type: all but the last token, where tokens are scored."""
    if not requests:
        return []
    scores = requests[0].request_type != "generate_until"
    texts = ["".join(request.args) if scores else prompt_of(request) for request in requests]
    if encoding is None:
        pieces = [tuple(text[at : at + LETTERS_PER_TOKEN] for at in range(0, len(text), 4)) for text in texts]
        return [tuple(each[:-1]) if scores else each for each in pieces]
    if requests[0].request_type == "loglikelihood":
        encoded = encode_requests(encoding, requests)
        return [tuple([*each.context, *each.continuation][:-1]) for each in encoded]
    return [tuple(ids) for ids in encoding.encode(texts)]


def calls(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """Whole items together, as many as have about `size` requests in all."""
    call: list[Item] = []
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
    n_requests = sum(request.repeats or 1 for request in requests)
    written = sum(limit_of(request) * (request.repeats or 1) for request in requests)
    each = [token_inputs(of_type, encoding) for of_type in _by_type(requests)]
    sent = sum(len(one) for of_type in each for one in of_type)
    scored = read = 0.0
    for generates in (False, True):
        of_kind = [
            [request for request in item if (request.request_type == "generate_until") is generates]
            for item in draw.items
        ]
        tokens = _tokens([item for item in of_kind if item], draw.n_items, encoding, size)
        scored, read = (scored, tokens) if generates else (tokens, read)
    if draw.rescored and n_requests:
        # An answer is scored behind its prompt, which is shared once more.
        scored += read + draw.n_items * draw.rescored * written / n_requests
    return Work(
        items=draw.n_items if draw.counts_items else 0,
        requests=share * n_requests,
        sent=share * sent,
        scored=scored,
        read=read,
        written=share * written,
        stored=_stored_bytes(draw, share * written),
    )


def _stored_bytes(draw: Draw, written: float) -> float:
    """Of answers and outcomes, which both hold the texts; what prompts share is compressed away."""
    half = len(draw.items) // 2
    whole = _compressed(draw.items)
    own = (whole - _compressed(draw.items[:half])) / (len(draw.items) - half)
    n_rows = draw.n_items * sum(1 if limit_of(request) else 1 / len(item) for item in draw.items for request in item)
    prompts = whole + max(0.0, draw.n_items - len(draw.items)) * own
    return _ROW_BYTES * n_rows / len(draw.items) + 2 * (prompts + _COMPRESSED * LETTERS_PER_TOKEN * written)


def _compressed(items: Sequence[Item]) -> int:
    """Bytes of the prompts, as parts are compressed."""
    import pyarrow as pa

    texts = "".join(prompt_of(request) for item in items for request in item)
    return len(pa.compress(texts.encode(errors="replace"), codec="zstd", asbytes=True))


def _tokens(items: Sequence[Item], n_items: int, encoding: Encoding | None, size: int) -> float:
    """Distinct tokens of a group of which some items were drawn, in calls of a size."""
    if not items:
        return 0.0
    if len(items) == n_items:
        return float(sum(_distinct(call, encoding) for call in calls(items, size)))
    half = len(items) // 2
    whole = _distinct(items, encoding)
    own = (whole - _distinct(items[:half], encoding)) / (len(items) - half)
    shared = max(0.0, whole - len(items) * own)
    n_calls = math.ceil(n_items * sum(map(len, items)) / len(items) / size)
    return n_calls * shared + n_items * own


def _distinct(items: Sequence[Item], encoding: Encoding | None) -> int:
    requests = [request for item in items for request in item]
    return sum(count_inputs(of_type, encoding) for of_type in _by_type(requests))


def _by_type(requests: Sequence[Instance]) -> list[list[Instance]]:
    kinds = dict.fromkeys(str(request.request_type) for request in requests)
    return [[request for request in requests if request.request_type == kind] for kind in kinds]


def _variance(counted: Sequence[tuple[Draw, Work]]) -> float:
    """Of the tokens of all groups, from how those that were counted differ in tokens an item."""
    sampled = [(draw, (work.scored + work.read) / draw.n_items) for draw, work in counted if draw.weight > 1]
    if len(sampled) < 2:
        return 0.0
    stands_for = sum(draw.weight * draw.n_items for draw, _ in sampled)
    unseen = 1 - len(sampled) / sum(draw.weight for draw, _ in sampled)
    return stands_for**2 * unseen * pvariance([rate for _, rate in sampled]) / (len(sampled) - 1)
