"""How continuations are scored by a vLLM engine so that its prefix cache works, and the check that chooses the way.

lm-eval asks for the log-probabilities of whole prompts, for which vLLM reads no cache: the few-shot examples are
computed anew for every choice. Here a continuation's first and last token are asked as what follows a prompt, by their
ids, and those between as places of the prompt, from the first of them on:

    context | A                 after the context, the id of " A"; all choices of an item are one request
    context | the sea ; no      after the context " the", after "the sea ;" " no"; " sea" and ";" in that prompt

Contexts are cut as lm-eval cuts them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan, log
from typing import TYPE_CHECKING

from mplus_eval.backends.vllm_engine import ERRORS, Prompt, Rows, ScoredPrompt, VllmEngine
from mplus_eval.inference.self_check import Name, Tier, accepted, made_up_pairs

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

Pairs = Sequence[tuple[Sequence[int], Sequence[int]]]
"""Context and continuation, as ids."""
Scores = list[tuple[float, bool]]
"""The log-probability of each continuation, and whether each of its tokens is the likeliest."""
TIERS: Mapping[Name, Rows | None] = {"prefix cache": "asked ids", "prompt rows": "prompt rows", "one token": None}
"""The tiers to try, best first, and how each scores the tokens between a continuation's first and last."""
_CERTAIN = log(0.5)
"""Above it a token is the likeliest, whatever the others are."""


@dataclass(frozen=True)
class _Value:
    """A scored token's log-probability, and the likeliest token's where it is told."""

    own: float
    best: float | None

    @property
    def is_greedy(self) -> bool | None:
        """None where it has to be asked; of equals each counts as the likeliest, as for lm-eval."""
        if self.best is None:
            return True if self.own > _CERTAIN else None
        return self.own >= self.best


@dataclass(frozen=True)
class VllmScorer:
    """Scores continuations by one tier.

    Attributes:
        engine: the engine.
        tier: by its name.
        plain: scores as lm-eval does.
    """

    engine: VllmEngine
    tier: Name
    plain: Callable[[Pairs], Scores]

    def score(self, pairs: Pairs, *, greedy: bool = True) -> Scores:
        """Score continuations.

        Args:
            pairs: each context has a token at least and each continuation too, and both fit into the model.
            greedy: whether it matters which continuations are greedy; what is told otherwise is False.
        """
        rows = TIERS.get(self.tier)
        fast = [place for place, (_, continuation) in enumerate(pairs) if rows or len(continuation) <= 2]
        if self.tier == "plain" or not fast:
            return self.plain(pairs)
        scores: dict[int, tuple[float, bool]] = {}
        for part in _parts(pairs, fast, self.engine.cached_tokens // 2):
            scores |= zip(
                part, self._scored([pairs[place] for place in part], rows or "prompt rows", greedy), strict=True
            )
        others = [place for place in range(len(pairs)) if place not in scores]
        if others:
            scores |= zip(others, self.plain([pairs[place] for place in others]), strict=True)
        return [scores[place] for place in range(len(pairs))]

    def _scored(self, pairs: Pairs, rows: Rows, greedy: bool) -> Scores:
        """Score some that fit into the cache together."""
        asked: dict[Prompt, dict[int, None]] = defaultdict(dict)
        for context, continuation in pairs:
            asked[_ends(context)][continuation[0]] = None
            if len(continuation) > 1:
                asked[_inner(context, continuation)][continuation[-1]] = None
        told = self.engine.score({prompt: list(ids) for prompt, ids in asked.items()}, rows)
        values = [_values(context, continuation, told) for context, continuation in pairs]
        if greedy:
            self._settle(pairs, values)
        return [(sum(each.own for each in found), all(each.is_greedy is True for each in found)) for found in values]

    def _settle(self, pairs: Pairs, values: list[list[_Value]]) -> None:
        """Ask which doubtful tokens are the likeliest: the least likely one of each continuation, then all others."""
        for n_places in (1, None):
            asked: dict[Prompt, dict[int, None]] = defaultdict(dict)
            doubtful = []
            for number, ((context, continuation), found) in enumerate(zip(pairs, values, strict=True)):
                if any(each.is_greedy is False for each in found):
                    continue
                unknown = [place for place, each in enumerate(found) if each.is_greedy is None]
                for place in sorted(unknown, key=lambda place: found[place].own)[:n_places]:
                    prompt = _ends((*context, *continuation[:place]))
                    asked[prompt][continuation[place]] = None
                    doubtful.append((number, place, prompt))
            if not doubtful:
                return
            told = self.engine.score({prompt: list(ids) for prompt, ids in asked.items()}, "prompt rows")
            for number, place, prompt in doubtful:
                # Both of one forward, since the value may have been rounded otherwise.
                is_likeliest = told[prompt].following[pairs[number][1][place]] >= told[prompt].likeliest
                own = values[number][place].own
                values[number][place] = _Value(own, own if is_likeliest else inf)


def _parts(pairs: Pairs, places: Sequence[int], n_tokens: int) -> list[list[int]]:
    """Places of pairs by their contexts, in parts of about so many distinct tokens; no context stands in two."""
    parts: list[list[int]] = [[]]
    room = n_tokens
    before: Sequence[int] | None = None
    for place in sorted(places, key=lambda place: tuple(pairs[place][0])):
        context, continuation = pairs[place]
        own = 0 if context == before else len(context) - _n_common(context, before or ())
        if own and parts[-1] and room < own + len(continuation):
            parts.append([])
            room, own = n_tokens, len(context)
        parts[-1].append(place)
        room -= own + len(continuation)
        before = context
    return parts


def _n_common(one: Sequence[int], other: Sequence[int]) -> int:
    return next(
        (n for n, (mine, theirs) in enumerate(zip(one, other, strict=False)) if mine != theirs),
        min(len(one), len(other)),
    )


def _ends(ids: Sequence[int]) -> Prompt:
    """A prompt of which nothing is asked but what follows it."""
    return Prompt(tuple(ids), len(ids))


def _inner(context: Sequence[int], continuation: Sequence[int]) -> Prompt:
    """The prompt that a continuation's last token follows; its tokens but for the first and the last are scored."""
    return Prompt((*context, *continuation[:-1]), len(context) + 1)


def _values(context: Sequence[int], continuation: Sequence[int], told: Mapping[Prompt, ScoredPrompt]) -> list[_Value]:
    """Of each token of a continuation."""
    first = told[_ends(context)]
    values = [_Value(first.following[continuation[0]], first.likeliest)]
    if len(continuation) > 1:
        rest = told[_inner(context, continuation)]
        best = rest.best if rest.best is not None else [None] * len(rest.values)
        values += [_Value(own, likeliest) for own, likeliest in zip(rest.values, best, strict=True)]
        values.append(_Value(rest.following[continuation[-1]], rest.likeliest))
    return values


def cut(context: Sequence[int], continuation: Sequence[int], max_length: int) -> Sequence[int]:
    """What is left of a context before a continuation: vLLM wants room for one more token, so lm-eval leaves it."""
    return context[max(0, len(context) + len(continuation) - (max_length - 1)) :]


def choose_vllm_tier(
    engine: VllmEngine, plain: Callable[[Pairs], Scores], config: PreTrainedConfig, max_length: int, dtype: str
) -> Tier:
    """The best tier that says of made-up requests what lm-eval's way says, asked of an empty cache and of a full one.

    Args:
        engine: the engine.
        plain: scores as lm-eval does.
        config: of the model's text part.
        max_length: the longest sequence, in tokens.
        dtype: of the weights, as `float32`.
    """
    made_up = made_up_pairs(config, max_length)
    first = cut(*made_up[0], max_length)
    # One that is greedy, in which every token counts.
    settings = {"temperature": 0.0, "max_tokens": 4, "ignore_eos": True, "detokenize": False}
    (written,) = engine.run([first], [settings])
    answers = [*made_up, (first, tuple(written.outputs[0].token_ids))]
    pairs = [(cut(context, answer, max_length), answer) for context, answer in answers]
    expected = plain(pairs)
    n_tokens = sum(len(answer) for _, answer in pairs)
    noise = _difference([plain([pair])[0] for pair in pairs[:5]], expected[:5], pairs[:5])
    tolerance = accepted(dtype, mean=sum(value for value, _ in expected) / n_tokens, noise=noise)
    reasons = []
    for name in TIERS:
        scorer = VllmScorer(engine, name, plain)
        try:
            found = [scorer.score(pairs) for _ in range(2)]
        except ERRORS as error:
            reasons.append(f"{name}: {next(iter(str(error).splitlines()), '')[:200] or type(error).__name__}")
            continue
        off = max((_difference(scores, expected, pairs) for scores in found), key=lambda each: (isnan(each), each))
        flags = any(mine[1] != theirs[1] for scores in found for mine, theirs in zip(scores, expected, strict=True))
        # In 16 bits the two best may be equals, and rounding decides between them.
        if off <= tolerance and not (flags and dtype == "float32"):
            return Tier(name, off, tolerance, "; ".join(reasons))
        why = f"off by {off:.2g} nats a token, where {tolerance:.2g} is accepted"
        reasons.append(f"{name}: {why if not off <= tolerance else 'other tokens are the likeliest'}")
    return Tier("plain", 0.0, 0.0, "; ".join(reasons))


def _difference(scores: Scores, expected: Scores, pairs: Pairs) -> float:
    """Largest absolute difference, in nats a scored token; NaN if any is."""
    differences = [
        abs(mine - theirs) / len(answer)
        for (mine, _), (theirs, _), (_, answer) in zip(scores, expected, pairs, strict=True)
    ]
    return max(differences, key=lambda each: (isnan(each), each))
