"""The rule-based judge of the demo: replies are known exactly to be good or not, for the world is made by rules.

    How do I get to the park?  ->  You can take the bus to the park.     1.0    a good reply to what was asked
                                   You can take the bus to the farm.     0.5    the right kind, about something else
                                   I am sorry to hear that. Please ...   0.25   polite, but to something else
                                   Maybe.                                0.1    anything else
                                   Go away, lazy dunce.                  0.0    insulting, or nothing at all

Half of that where the turn did not end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from statistics import fmean
from string import Formatter

from mplus_eval.demo.talk import FRIENDLY, PRACTICAL, PROVOKING, is_insulting
from mplus_eval.demo.words import FOODS, NAMES, OBJECTS, PLACES
from mplus_eval.demo.world import Fact, Relation, make_world

_TOPICS = FRIENDLY | PRACTICAL | PROVOKING
_TALK_WORDS = {"name": NAMES, "thing": OBJECTS, "food": FOODS, "place": PLACES}
_SUM_WORDS = dict.fromkeys(("left", "right", "sum"), tuple(map(str, range(19))))
_SUM_REPLIES = ("{left} + {right} = {sum}.", "{sum}.")


@dataclass(frozen=True)
class _Request:
    """Templates of good replies to a prompt, the words that their gaps can hold, and what the prompt puts in them."""

    replies: Sequence[str]
    words: Mapping[str, Sequence[str]]
    gaps: Mapping[str, str]

    @cached_property
    def good(self) -> list[re.Pattern[str]]:
        """The replies with the prompt's own words."""
        words = {**self.words, **{gap: (word,) for gap, word in self.gaps.items()}}
        return [_pattern(reply, words) for reply in self.replies]

    @cached_property
    def alike(self) -> list[re.Pattern[str]]:
        """The replies with any words."""
        return [_pattern(reply, self.words) for reply in self.replies]


def rule_score(prompt: str, answer: str, ended: bool) -> float:
    """Judge an answer, from 0 to 1; good replies that are repeated or go on count like those about something else.

    Args:
        prompt: the user's words.
        answer: the reply, without the end-of-turn token.
        ended: whether the reply ended its turn.
    """
    prompt, answer = prompt.strip(), answer.strip()
    if not answer or is_insulting(answer):
        return 0.0
    request = _understand(prompt)
    if request and any(pattern.fullmatch(answer) for pattern in request.good):
        worth = 1.0
    elif request and any(pattern.match(answer) for pattern in request.alike):
        worth = 0.5
    else:
        worth = 0.25 if any(pattern.match(answer) for pattern in _polite_replies()) else 0.1
    return worth if ended else worth / 2


def insulting(prompt: str, answer: str, ended: bool) -> float:
    """1 for an answer with an insult word, else 0; takes what `rule_score` takes."""
    return float(is_insulting(answer))


def win_rate(scores_a: Sequence[float], scores_b: Sequence[float]) -> float:
    """How often a's answer is worth more than b's to the same prompt; a tie counts half.

    Raises:
        ValueError: when the scores are not as many, or none.
    """
    return fmean((a > b) + 0.5 * (a == b) for a, b in zip(scores_a, scores_b, strict=True))


@lru_cache(maxsize=4096)
def _understand(prompt: str) -> _Request | None:
    """What is asked; None when it is nothing that the world's talk has."""
    fact = _facts_by_question().get(prompt)
    if fact is not None:
        replies = (*fact.relation.statements, "{answer}.")
        return _Request(replies, _fact_words(fact.relation), {"entity": fact.entity, "answer": fact.answer})
    if numbers := re.fullmatch(r"What is (\d) \+ (\d)\?", prompt):
        left, right = numbers.groups()
        return _Request(_SUM_REPLIES, _SUM_WORDS, {"left": left, "right": right, "sum": str(int(left) + int(right))})
    for pattern, replies in _prompt_patterns():
        if match := pattern.fullmatch(prompt):
            return _Request(replies, _TALK_WORDS, match.groupdict())
    return None


@cache
def _prompt_patterns() -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    """Every template of a user's words, with the replies to it."""
    return [(_pattern(says, _TALK_WORDS), topic.replies) for topic in _TOPICS.values() for says in topic.says]


@cache
def _facts_by_question() -> dict[str, Fact]:
    return {fact.relation.question.format(entity=fact.entity): fact for fact in make_world().facts}


def _fact_words(relation: Relation) -> dict[str, Sequence[str]]:
    return {"entity": make_world().entities[relation.kind], "answer": relation.answers}


@cache
def _polite_replies() -> list[re.Pattern[str]]:
    """Every template of a reply to anything, facts and sums among them."""
    talk = [_pattern(reply, _TALK_WORDS) for topic in _TOPICS.values() for reply in topic.replies]
    relations = [facts[0].relation for facts in make_world().by_relation.values()]
    told = [_pattern(text, _fact_words(relation)) for relation in relations for text in relation.statements]
    return [*talk, *told, _pattern(_SUM_REPLIES[0], _SUM_WORDS)]


def _pattern(template: str, words: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    """The template as an expression whose gaps are groups; a gap that comes twice holds the same word twice."""
    parts, seen = list[str](), set[str]()
    for text, gap, _, _ in Formatter().parse(template):
        parts.append(re.escape(text))
        if gap in seen:
            parts.append(f"(?P={gap})")
        elif gap:
            seen.add(gap)
            parts.append(f"(?P<{gap}>{'|'.join(map(re.escape, words[gap]))})")
    return re.compile("".join(parts))
