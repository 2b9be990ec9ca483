"""Where an answer ends in a chat template, and what begins another turn, found by rendering it.

    <|im_start|>assistant
    It is.<|im_end|>          what follows the assistant's words ends its turn: <|im_end|>
    <|im_start|>user          what stands between them and the user's next words begins another: <|im_start|>

A checkpoint's `eos_token` may name another token, as in a chat model whose tokenizer is its base's; the template is
what the model was trained on. Where the template writes no token, the texts between are what begins another turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile

from mplus_eval.models.thinking import KNOWN

Messages = list[dict[str, str]]
Render = Callable[[Messages, bool], str]
"""Messages, and whether the prompt to answer follows them, in a template; raises what the template raises."""

_SYSTEM, _FIRST, _ANSWER, _SECOND = "Zebrasystem", "Zebrafirst", "Zebraanswer", "Zebrasecond"
_TOKEN_LIKE = r"<[^<>\s]{1,40}>|\[/?[A-Z_]{2,20}\]"
_THINKING = "".join(text for pair in KNOWN for text in (pair.start, pair.end, pair.tail, *pair.around))


@dataclass(frozen=True)
class ChatTurns:
    """How turns are told apart.

    Attributes:
        ends: tokens that end an answer.
        begins: tokens and texts that begin another turn, at which an answer ends too.
        system: what the template says as the system where nothing is said.
        folds_system: whether it takes no system, whose words then go into the user's first turn.
    """

    ends: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    system: str = ""
    folds_system: bool = False


def find_turns(render: Render, tokens: Collection[str] | None = None) -> ChatTurns:
    """Render a template and look.

    Args:
        render: by the template.
        tokens: texts of the tokens that a tokenizer never makes of plain text; None where it is not at hand, and what
            looks like one is taken for one.
    """
    folds = _takes_no_system(render)
    user = {"role": "user", "content": _FIRST}
    answer = {"role": "assistant", "content": _ANSWER}
    opened = _rendered(render, [user], True)
    dialogue = _rendered(render, [user, answer, {"role": "user", "content": _SECOND}], True)
    before = opened.partition(_FIRST)[0]
    between, _, _ = dialogue.partition(_ANSWER)[2].partition(_SECOND)
    tail = _rendered(render, [user, answer], False).partition(_ANSWER)[2]
    prompt = opened.partition(_FIRST)[2]
    header = opened.removeprefix(_rendered(render, [user], False))
    find = _finder(tokens)
    ends = _ends(find(tail), find(between), find(header))
    begins = [*_begins(between, ends, find), *_begins(prompt, ends, find)[:1]]
    return ChatTurns(ends, tuple(dict.fromkeys(begins)), _said_by_itself(before, between, find), folds)


def fold_system(messages: Messages) -> Messages:
    """Put the system's words before the user's first ones, for a template that takes no system.

    [system "Be brief.", user "Hello"] becomes [user "Be brief.\n\nHello"].
    """
    said = [turn["content"] for turn in messages if turn["role"] == "system" and turn["content"]]
    rest = [dict(turn) for turn in messages if turn["role"] != "system"]
    first = next((turn for turn in rest if turn["role"] == "user"), None)
    if not said or first is None:
        return rest
    first["content"] = "\n\n".join([*said, first["content"]])
    return rest


def _rendered(render: Render, messages: Messages, prompt: bool) -> str:
    """Empty where the template refuses such a dialogue, so that nothing is found in it."""
    from jinja2 import TemplateError

    try:
        return render(messages, prompt)
    except (TemplateError, ValueError, TypeError):
        return ""


def _takes_no_system(render: Render) -> bool:
    """Whether a template that shows a user's turn refuses a system's before it, or drops it."""
    user = {"role": "user", "content": _FIRST}
    if _FIRST not in _rendered(render, [user], True):
        return False
    return _SYSTEM not in _rendered(render, [{"role": "system", "content": _SYSTEM}, user], True)


Find = Callable[[str], list[str]]


def _finder(tokens: Collection[str] | None) -> Find:
    """What tells the tokens in a rendered text, in their order."""

    def find(text: str) -> list[str]:
        if tokens is None:
            return re.findall(_TOKEN_LIKE, text)
        # A longer token is read before one that begins it; blank ones tell nothing.
        here = sorted((token for token in tokens if token.strip() and token in text), key=len, reverse=True)
        return re.findall("|".join(map(re.escape, here)), text) if here else []

    return find


def _ends(tail: Sequence[str], between: Sequence[str], header: Sequence[str]) -> tuple[str, ...]:
    """Tokens after an answer; of those before the user's next turn the first, where no turn begins with it."""
    ends = list(tail)
    # Some write another token after an answer within a dialogue than after the last, or none after the last; where none
    # is written at all, the token of the next turn is what ends an answer.
    if between and between[0] not in ends and (not ends or between[0] not in header):
        ends.append(between[0])
    return tuple(dict.fromkeys(ends))


def token_like(text: str) -> set[str]:
    """What looks like a token in a template."""
    return set(re.findall(_TOKEN_LIKE, text))


def _begins(text: str, ends: Sequence[str], find: Find) -> list[str]:
    """Tokens that begin a turn; where there are none, the line that does, if it is no plain word."""
    found = find(text)
    if own := [token for token in found if token not in ends]:
        return [token for token in own if token not in _THINKING]
    for token in found:
        text = text.replace(token, "")
    line = text.strip().partition("\n")[0].strip()
    if len(line) < 3 or line.isalpha() or line in _THINKING:
        return []
    # A header on a line of its own is one only there: an answer may speak of it.
    return [f"\n{line}" if "\n" in "".join(takewhile(str.isspace, text)) else line]


def _said_by_itself(before: str, between: str, find: Find) -> str:
    """What stands before the first user's words, without the user's header and the tokens and word of a system's."""
    if not between:
        return ""
    for token in {*find(before), *find(between)}:
        before, between = before.replace(token, "\n"), between.replace(token, "\n")
    common = 0
    while common < min(len(before), len(between)) and before[-1 - common] == between[-1 - common]:
        common += 1
    said = before[: len(before) - common]
    return re.sub(r"^\s*system\b:?", "", said.strip(), flags=re.IGNORECASE).strip()
