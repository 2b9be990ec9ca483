"""How quick a model is on its device: measured on the requests that it will really be asked, for some seconds.

scoring   a task's items, four times as many each time for as long as there is time; tokens a second of the last time
reading   one new token behind each of as many prompts as there is time for
writing   a few new tokens behind the same prompts, less that
shares    whole answers: how much of its limit each takes, since most end before it
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Self

from mplus_eval.backends import Backend, Response
from mplus_eval.backends.encoding import Encoding
from mplus_eval.backends.work import Draw, Work, count_inputs, limit_of

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

Clock = Callable[[], float]
CALIBRATION_SECONDS = 30.0
FEWEST_SECONDS = 10.0
"""Of one model, however many there are."""
_FEW_TOKENS = 16
_MORE = 4
"""Times as many requests each time: a batch is soon as large as in a run, and takes less than as many times longer."""
_FEWEST_ANSWERS = 2
_FEW_ANSWERS = 4
"""Below which nothing is made of how answers' lengths differ."""
_SPREAD = 1.25
"""Factor by which a rate that was measured for seconds may be off over hours."""
_ELSEWHERE = 1.6
"""The same where it was measured on other tasks."""


@dataclass(frozen=True)
class Span:
    """Seconds, between two that they will probably lie between."""

    low: float = 0.0
    middle: float = 0.0
    high: float = 0.0

    @classmethod
    def around(cls, middle: float, factor: float) -> Self:
        """From the factor below to the factor above."""
        return cls(middle / factor, middle, middle * factor)

    def __add__(self, other: Span) -> Span:
        """Of both: as far off as if both were off on the same side."""
        return Span(self.low + other.low, self.middle + other.middle, self.high + other.high)


@dataclass(frozen=True)
class Rate:
    """Tokens, and the seconds that they took."""

    tokens: float = 0.0
    seconds: float = 0.0

    def seconds_for(self, tokens: float) -> float:
        """What so many take."""
        return tokens * self.seconds / self.tokens if self.tokens else 0.0

    def __add__(self, other: Rate) -> Rate:
        """Of both."""
        return Rate(self.tokens + other.tokens, self.seconds + other.seconds)


@dataclass(frozen=True)
class Speed:
    """What was measured of one model, by task.

    Attributes:
        loading: seconds that it took to load.
        device: that it computes on, where that is known.
    """

    loading: float
    device: str | None
    scoring: Mapping[str, Rate]
    reading: Mapping[str, Rate]
    writing: Mapping[str, Rate]
    shares: Mapping[str, Sequence[float]]

    def scoring_seconds(self, task: str, work: Work) -> Span | None:
        """How long what is scored takes; None where nothing of the kind was measured."""
        if not work.scored:
            return Span()
        if not (rate := _of(self.scoring, task) or _of(self.reading, task)):
            return None
        off = _off(task in self.scoring, work)
        low, share, high = self._share(task) if work.rescored else (0.0, 0.0, 0.0)
        return Span(
            rate.seconds_for(work.scored + low * work.rescored) / off,
            rate.seconds_for(work.scored + share * work.rescored),
            rate.seconds_for(work.scored + high * work.rescored) * off,
        )

    def generation_seconds(self, task: str, work: Work) -> Span | None:
        """How long what is generated takes, its prompts among it; None where nothing of the kind was measured."""
        if not work.written:
            return Span()
        reading, writing = _of(self.reading, task), _of(self.writing, task)
        if not (reading and writing):
            return None
        # The first token of each text comes with its prompt.
        low, middle, high = (
            reading.seconds_for(work.read) + writing.seconds_for(max(0.0, share * work.written - work.texts))
            for share in self._share(task)
        )
        off = _off(task in self.writing, work)
        return Span(low / off, middle, high * off)

    def _share(self, task: str) -> tuple[float, float, float]:
        """What answers take of their limit, between what may be the mean of them all."""
        shares = self.shares.get(task) or [share for each in self.shares.values() for share in each]
        if not shares:
            return 0.0, 1.0, 1.0
        mean = fmean(shares)
        if len(shares) < _FEW_ANSWERS:
            return mean / 2, mean, min(1.0, 2 * mean)
        beside = 2 * stdev(shares) / math.sqrt(len(shares))
        return max(mean / 2, mean - beside), mean, min(1.0, mean + beside)


def _of(rates: Mapping[str, Rate], task: str) -> Rate | None:
    """A task's own, or that of all tasks."""
    return rates.get(task) or (sum(rates.values(), Rate()) if rates else None)


def _off(is_own: bool, work: Work) -> float:
    return (_SPREAD if is_own else _ELSEWHERE) + 2 * work.error


@dataclass
class Calibration:
    """Measures a loaded model."""

    backend: Backend
    encoding: Encoding | None
    clock: Clock = time.monotonic
    scoring: dict[str, Rate] = field(default_factory=dict)
    reading: dict[str, Rate] = field(default_factory=dict)
    writing: dict[str, Rate] = field(default_factory=dict)
    shares: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, draws: Mapping[str, Sequence[Draw]], seconds: float, loading: float = 0.0) -> Speed:
        """Ask some of what was drawn, task by task, each for as long as its share of the time.

        Args:
            draws: by task, those that take most first.
            seconds: for all of it; the last requests of a slow model take what they take.
            loading: seconds that loading took.
        """
        ends = self.clock() + seconds
        self._warm_up(draws)
        for place, (task, of_task) in enumerate(draws.items()):
            now = self.clock()
            # What has not been asked of any kind is asked once, however late it is.
            self._measure_task(task, of_task, now + max(0.0, ends - now) / (len(draws) - place))
        facts = self.backend.facts
        return Speed(loading, facts.device, self.scoring, self.reading, self.writing, self.shares)

    def _warm_up(self, draws: Mapping[str, Sequence[Draw]]) -> None:
        """Let what happens once happen: compilation, the first use of memory."""
        for of_task in draws.values():
            for request in (item[0] for draw in of_task for item in draw.items[:1]):
                self._seconds([_limited(request, 1)])
                return

    def _measure_task(self, task: str, draws: Sequence[Draw], ends: float) -> None:
        items = [item for draw in draws for item in draw.items]
        scored = [item for each in items if (item := [one for one in each if not limit_of(one)])]
        written = [request for each in items for request in each if limit_of(request)]
        if scored and (not self.scoring or self.clock() < ends):
            middle = self.clock() + (ends - self.clock()) / (2 if written else 1)
            self.scoring[task] = self._scoring_rate(scored, middle)
        if written and (not self.writing or self.clock() < ends):
            start = self.clock()
            n_timed = self._time_tokens(task, written, start + (ends - start) / 2)
            answers = self._time_answers(task, written, ends, n_timed)
            if any(draw.rescored for draw in draws):
                self._time_rescoring(task, answers)

    def _scoring_rate(self, items: Sequence[Sequence[Instance]], ends: float) -> Rate:
        number = 1
        while True:
            requests = [request for item in items[:number] for request in item]
            by_kind = {kind: [each for each in requests if each.request_type == kind] for kind in _kinds(requests)}
            seconds = sum(self._seconds(of_kind) for of_kind in by_kind.values())
            tokens = sum(count_inputs(of_kind, self.encoding) for of_kind in by_kind.values())
            if number >= len(items) or self.clock() + 2 * seconds > ends:
                return Rate(tokens, seconds)
            number *= _MORE

    def _time_tokens(self, task: str, requests: Sequence[Instance], ends: float) -> int:
        """Time the same prompts with one new token each and with a few; return how many there were at last."""
        number = 1
        while True:
            prompts = requests[:number]
            started = self.clock()
            n_first = self._answer([_limited(each, 1) for each in prompts])
            between = self.clock()
            n_few = self._answer([_limited(each, _FEW_TOKENS) for each in prompts])
            first, few = between - started, self.clock() - between
            if number >= len(requests) or self.clock() + 2 * (first + few) > ends:
                break
            number *= _MORE
        # Where all of them end at once, or time is too coarse, a token takes what the whole took.
        more, longer = sum(n_few) - sum(n_first), few - first
        self.writing[task] = Rate(more, longer) if more > 0 and longer > 0 else Rate(max(sum(n_few), 1), few)
        self.reading[task] = Rate(count_inputs(prompts, self.encoding), first)
        return len(prompts)

    def _time_answers(
        self, task: str, requests: Sequence[Instance], ends: float, n_timed: int
    ) -> list[tuple[str, str]]:
        """Have as many whole answers as there is time for, spread over all of what was drawn; return what was said.

        As many at once as those that were timed by single tokens, or more, tell better what a token takes.
        """
        limit = fmean(map(limit_of, requests))
        left, each_takes = max(0.0, ends - self.clock()), self.writing[task].seconds_for(limit)
        # A clock too coarse for what was timed says that there is time for all.
        affordable = int(left / each_takes) if each_takes else len(requests)
        number = min(len(requests), max(_FEWEST_ANSWERS, affordable))
        chosen = [requests[place * len(requests) // number] for place in range(number)]
        started = self.clock()
        responses = self.backend.respond(chosen)
        seconds = self.clock() - started
        lengths = _lengths(chosen, responses)
        self.shares[task] = [min(1.0, n / limit_of(each)) for n, each in zip(lengths, chosen, strict=True)]
        reading = self.reading[task].seconds_for(count_inputs(chosen, self.encoding))
        # The first token of each comes with its prompt.
        if len(chosen) >= n_timed and (more := sum(lengths) - len(chosen)) > 0 and seconds > reading:
            self.writing[task] = Rate(more, seconds - reading)
        return [(str(each.args[0]), one.text) for each, one in zip(chosen, responses, strict=True) if one.text]

    def _time_rescoring(self, task: str, answers: Sequence[tuple[str, str]]) -> None:
        """Time how likely the model thinks answers behind their prompts."""
        from lm_eval.api.instance import Instance

        if requests := [Instance("loglikelihood", {}, answer, 0) for answer in answers if answer[1].strip()]:
            seconds = self._seconds(requests)
            self.scoring[task] = Rate(count_inputs(requests, self.encoding), seconds)

    def _answer(self, requests: Sequence[Instance]) -> list[float]:
        return _lengths(requests, self.backend.respond(requests))

    def _seconds(self, requests: Sequence[Instance]) -> float:
        started = self.clock()
        self.backend.respond(requests)
        return self.clock() - started


def _lengths(requests: Sequence[Instance], responses: Sequence[Response]) -> list[float]:
    """Tokens of each answer; its limit where the backend does not count them."""
    return [
        float(limit_of(request) if each.n_tokens is None else each.n_tokens + (each.n_thinking or 0))
        for request, each in zip(requests, responses, strict=True)
    ]


def _limited(request: Instance, limit: int) -> Instance:
    """A request to generate with a lower limit, and nothing that ends it before; any other as it is."""
    from lm_eval.api.instance import Instance

    if not limit_of(request):
        return request
    options = {**request.args[1], "until": [], "max_gen_toks": min(limit, limit_of(request))}
    return Instance("generate_until", {}, (request.args[0], options), request.idx)


def _kinds(requests: Sequence[Instance]) -> list[str]:
    return list(dict.fromkeys(str(request.request_type) for request in requests))
