"""A served model: what it is asked for texts and log-probabilities, as JSON, and what is read of its answers.

Several samples of one prompt are one request with `n` where the server gives as many different ones; what it does not
give is asked for one by one, each with the seed of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any

from mplus_eval.backends.base import Response
from mplus_eval.models.thinking import KNOWN
from mplus_eval.servers.api import PATHS, ServedApi, first_choice
from mplus_eval.servers.client import Json, ServerClient
from mplus_eval.servers.failures import RequestFailed, UnreadableError
from mplus_eval.spec.decoding import served_name
from mplus_eval.store.outcomes import OUTSIDE

SEED = 1234
"""lm-eval's, where a request has none."""
_MOST_SAMPLES = 64  # of one request
_MOST_STOPS = 4  # that OpenAI takes; texts are cut here at all of them
_HELD_BACK = "content_filter"
_NEUTRAL: dict[str, Json] = {
    "vllm": {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "sglang": {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "llamacpp": {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
}
"""By who serves (`/models` says it), what must be said lest the server takes a checkpoint's settings or its own."""
_NEUTRAL_ANYWHERE: Json = {"top_p": 1.0}
_SHOWS_SPECIAL = ("vllm", "sglang")
"""Servers that can leave special tokens in a text, where stop strings and the ends of reasoning are found."""


@dataclass(frozen=True)
class Written:
    """One text that a server gave."""

    text: str
    ended: bool | None = None
    """Whether the model ended by itself; None where the server does not say."""
    thinking: str | None = None
    """The reasoning, where the server takes it apart itself."""

    @property
    def response(self) -> Response:
        """As a backend gives it; stop strings are still in it."""
        unclosed = None if self.thinking is None else not self.text and self.ended is False
        return Response(text=self.text, ended=self.ended, thinking=self.thinking, unclosed=unclosed)


@dataclass
class Served:
    """One model of one server.

    Attributes:
        client: asks it.
        name: of the model there.
        api: how it is asked.
        owner: who serves it, as its `/models` says: vllm, sglang, llamacpp.
        own_decoding: whether the server's own settings hold where a request names none.
        further: what every request says besides.
    """

    client: ServerClient
    name: str
    api: ServedApi
    owner: str = ""
    own_decoding: bool = False
    further: Json = field(default_factory=dict)
    _gives_samples: bool = True

    def options(self, settings: Mapping[str, Any], *, reads_special: bool = False) -> dict[str, Any]:
        """Normalised settings as the server names them, with what it would otherwise take from a checkpoint.

        Args:
            settings: of a request; `until` holds all of its stop strings.
            reads_special: whether special tokens are to be left in the text.
        """
        neutral = {} if self.own_decoding else _NEUTRAL.get(self.owner, _NEUTRAL_ANYWHERE)
        named = {served_name(name): value for name, value in settings.items()}
        if self.owner == "llamacpp" and "repetition_penalty" in named:
            named["repeat_penalty"] = named.pop("repetition_penalty")
        shown = {"skip_special_tokens": False} if self.owner in _SHOWS_SPECIAL and reads_special else {}
        return {**neutral, **shown, **named}

    def write(self, prompts: Sequence[Json], options: Sequence[Mapping[str, Any]]) -> list[Response]:
        """Have a text written to each prompt.

        Args:
            prompts: what goes into a request, as `{"prompt": …}` or `{"messages": …}`.
            options: of each, as `options` makes them.

        Raises:
            ServerGoneError: the server answers nobody.
        """
        bodies = [self._body(prompt, each) for prompt, each in zip(prompts, options, strict=True)]
        written: dict[int, Written | RequestFailed] = {}
        groups = list(self._groups(bodies))
        together = [{**bodies[group[0]], **({"n": len(group)} if len(group) > 1 else {})} for group in groups]
        apart: list[int] = []
        for group, said in zip(groups, self._ask(together), strict=True):
            if len(group) > 1 and not _are_samples(said, len(group)):
                apart.append(group[0])
                # What is refused together may be taken one by one, and the first text is an answer all the same.
                said = [] if isinstance(said, RequestFailed) else said[:1]
            written |= zip(group, [said] * len(group) if isinstance(said, RequestFailed) else said, strict=False)
        left = [place for place in range(len(bodies)) if place not in written]
        for place, said in zip(left, self._ask([bodies[place] for place in left]), strict=True):
            written[place] = said if isinstance(said, RequestFailed) else said[0]
        # A prompt that is refused alone, too, says nothing of samples.
        self._gives_samples = self._gives_samples and not any(isinstance(written[place], Written) for place in apart)
        ordered = [written[place] for place in range(len(bodies))]
        return [self.failed(one) if isinstance(one, RequestFailed) else one.response for one in ordered]

    def score(self, prompts: Sequence[tuple[Sequence[int], int]]) -> list[Response]:
        """The log-probability of what follows a context.

        Args:
            prompts: ids of context and continuation, and how many of them are the context's, one at least.

        Raises:
            ServerGoneError: the server answers nobody.
        """
        by_echo = self.api.scores == "echo"
        told = {"echo": True, "logprobs": 1} if by_echo else {"prompt_logprobs": 1}
        base = {"model": self.name, "temperature": 0, "max_tokens": 1, "seed": SEED, **told}
        read = _read_echo if by_echo else _read_prompt_logprobs
        said = self.client.ask(
            PATHS["completions"],
            [({**base, "prompt": [list(ids)]}, partial(read, ids=ids, n_context=n)) for ids, n in prompts],
        )
        return [self.failed(one) if isinstance(one, RequestFailed) else one for one in said]

    def failed(self, failure: RequestFailed) -> Response:
        """The response to a request without answer; what was not for its own sake is marked as outside the model."""
        where = "" if failure.of_this_request else OUTSIDE
        return Response(error=f"{where}the server {self.client.url} {failure}")

    def _ask(self, bodies: Sequence[Json]) -> list[list[Written] | RequestFailed]:
        return self.client.ask(PATHS[self.api.kind], [(body, _read_texts) for body in bodies])

    def _body(self, prompt: Json, options: Mapping[str, Any]) -> Json:
        rest = {name: value for name, value in options.items() if name not in ("do_sample", "max_gen_toks", "until")}
        limit: Json = {self.api.limit: options["max_gen_toks"]}
        if not self.api.takes_settings:
            return {"model": self.name, **prompt, **limit, **self.further}
        stops = list(options["until"])
        if self.owner not in _NEUTRAL:
            stops = stops[:_MOST_STOPS]
        settings = {"temperature": 0, "seed": SEED, **rest, **({"stop": stops} if stops else {})}
        return {"model": self.name, **prompt, **limit, **settings, **self.further}

    def _groups(self, bodies: Sequence[Json]) -> Iterator[list[int]]:
        """Places of requests that are samples of one prompt; the others stand alone."""

        def of_prompt(place: int) -> Json | int:
            body = bodies[place]
            may_be_sampled = self._gives_samples and body.get("temperature")
            return {name: value for name, value in body.items() if name != "seed"} if may_be_sampled else place

        for _, group in groupby(range(len(bodies)), of_prompt):
            places = list(group)
            yield from (places[start : start + _MOST_SAMPLES] for start in range(0, len(places), _MOST_SAMPLES))


def cut(response: Response, settings: Mapping[str, Any]) -> Response:
    """A text that ends at the first stop string of its request, which a server may have passed over."""
    turns = settings.get("turns")
    stops = [*settings["until"], *(settings.get("ends") or ()), *(turns or ())]
    text = response.text or ""
    found = {stop: text.index(stop) for stop in stops if stop and stop in text}
    first = min(found, key=lambda stop: found[stop], default=None)
    ran_on = None if turns is None else first in turns
    if first is None:
        return replace(response, ran_on=ran_on)
    return replace(response, text=text[: found[first]], ended=True, ran_on=ran_on)


def without_thinking(response: Response) -> Response:
    """An answer without the reasoning that it begins with in a form that is known, where nobody named one."""
    text = (response.text or "").lstrip()
    pair = next((pair for pair in KNOWN if text.startswith(pair.start)), None)
    if pair is None or response.thinking is not None:
        return response
    parted = pair.cut(text)
    return replace(response, text=parted.answer, thinking=parted.thinking, unclosed=parted.unclosed)


def _are_samples(said: list[Written] | RequestFailed, n: int) -> bool:
    """Whether a request for several texts brought them; a server that seeds all alike gives one several times."""
    if isinstance(said, RequestFailed):
        return not said.of_this_request
    return len(said) == n and len({one.text for one in said}) > 1


def _read_texts(reply: Json) -> list[Written]:
    """The texts of completions or chat completions, in order.

    Raises:
        UnreadableError: it holds none.
        RequestFailed: the server wrote one and holds it back.
    """
    first_choice(reply)
    return [_written(choice) for choice in sorted(reply["choices"], key=_index)]


def _index(choice: object) -> int:
    index = choice.get("index", 0) if isinstance(choice, dict) else None
    if not isinstance(index, int):
        raise UnreadableError("no index")
    return index


def _written(choice: Json) -> Written:
    finished = choice.get("finish_reason")
    message = choice.get("message", choice)
    if not isinstance(message, dict):
        raise UnreadableError("no message")
    text = _text(message.get("content", message.get("text")))
    if not text and finished == _HELD_BACK:
        # Asked again it would be held back again.
        raise RequestFailed(f"holds the answer back ({_HELD_BACK})", status=400)
    # A model may refuse in a field of its own.
    text = text or _text(message.get("refusal"))
    thinking = message.get("reasoning_content") or message.get("reasoning")
    ended = finished == "stop" if isinstance(finished, str) else None
    return Written(text, ended, _text(thinking) if isinstance(thinking, str) else None)


def _text(content: object) -> str:
    """A text that can be stored; none is an empty one. JSON allows halves of surrogate pairs, which no encoding has."""
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    if content is None:
        return ""
    if not isinstance(content, str):
        raise UnreadableError("a text that is none")
    return content.encode("utf-8", "replace").decode("utf-8")


def _read_echo(reply: Json, ids: Sequence[int], n_context: int) -> Response:
    """Of a completion that repeats its prompt: the best token's log-probability stands beside each one's."""
    told = first_choice(reply).get("logprobs")
    if not isinstance(told, dict):
        raise UnreadableError("prompt log-probabilities need echo and logprobs")
    values, best = (_slice(told.get(name), n_context, len(ids)) for name in ("token_logprobs", "top_logprobs"))
    if not all(_is_number(value) for value in values):
        raise UnreadableError("a token without a log-probability")
    if not all(isinstance(each, dict) and each and all(map(_is_number, each.values())) for each in best):
        raise UnreadableError("no top_logprobs")
    greedy = all(value == max(each.values()) for value, each in zip(values, best, strict=True))
    return Response(log_probability=float(sum(values)), is_greedy=greedy)


def _read_prompt_logprobs(reply: Json, ids: Sequence[int], n_context: int) -> Response:
    """VLLM's own: of each token of the prompt the entries of likely ids, and its own among them."""
    entries = _slice(first_choice(reply).get("prompt_logprobs"), n_context, len(ids))
    own = [
        entry.get(str(token)) if isinstance(entry, dict) else None
        for entry, token in zip(entries, ids[n_context:], strict=True)
    ]
    if not all(isinstance(each, dict) and _is_number(each.get("logprob")) for each in own):
        raise UnreadableError("a token without a log-probability")
    value = float(sum(each["logprob"] for each in own if each))
    return Response(log_probability=value, is_greedy=all(each.get("rank") == 1 for each in own if each))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _slice(values: object, start: int, stop: int) -> list[Any]:
    if not isinstance(values, list) or len(values) < stop:
        raise UnreadableError("fewer log-probabilities than tokens")
    return values[start:stop]
