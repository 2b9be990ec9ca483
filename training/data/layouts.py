r"""What a row of a dataset says: the layouts that preference data come in.

    dialogue   Anthropic/hh-rlhf: {"chosen": "\n\nHuman: …\n\nAssistant: …", "rejected": the same up to there}
    pku        PKU-Alignment/PKU-SafeRLHF: {"prompt", "response_0", "response_1", "safer_response_id"}; safer is chosen
    messages   HuggingFaceH4/ultrafeedback_binarized: {"prompt", "chosen": [{"role", "content"}…], "rejected": […]}
    columns    one's own: {"prompt": text or messages, "chosen": text or messages, "rejected": text or messages}

A row that says nothing usable raises a `BadRowError` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mplus_eval.training.data.rows import Demonstration, Message, Pair, Prompt

Row = Mapping[str, Any]
_TURN = re.compile(r"\n\n(Human|Assistant):[ ]?")
_ROLES = {"Human": "user", "Assistant": "assistant"}
ANSWER_COLUMNS = ("completion", "answer", "response", "chosen")
PROMPT_COLUMNS = ("prompt", "messages", "text", "question", "chosen")


class BadRowError(ValueError):
    """Why a row cannot be used."""


def pair_of(row: Row, layout: str) -> Pair:
    """Read a preference pair."""
    if layout == "auto":
        layout = layout_of(row)
    pair = _pku(row) if layout == "pku" else _sides(row, "dialogue" if layout == "dialogue" else layout)
    if pair.chosen.strip() == pair.rejected.strip():
        raise BadRowError("chosen and rejected are equal")
    return pair


def demonstration_of(row: Row) -> Demonstration:
    """Read a demonstration: messages, a pair's chosen side, or a prompt and its answer."""
    if isinstance(row.get("messages"), Sequence) and not isinstance(row["messages"], str):
        return Demonstration(*_history_and_answer(_messages(row["messages"])))
    column = next((name for name in ANSWER_COLUMNS if row.get(name)), None)
    if column is None:
        raise BadRowError(f"no answer ({', '.join(ANSWER_COLUMNS)} or messages)")
    return Demonstration(*_side(row, column))


def prompt_of(row: Row, column: str | None) -> Prompt:
    """Read a prompt: a text, messages, a list of turns, a record with `text`, or a pair's."""
    name = column or next((name for name in PROMPT_COLUMNS if row.get(name)), None)
    if name is None or name not in row:
        raise BadRowError(f"no column {column!r}" if column else f"no prompt ({', '.join(PROMPT_COLUMNS)})")
    value = row[name]
    if isinstance(value, Mapping):
        value = value.get("text")
    if isinstance(value, str) and _TURN.match(value):
        return Prompt(_until_user(_dialogue(value)))
    if isinstance(value, Sequence) and not isinstance(value, str):
        if value and isinstance(value[0], str):
            return Prompt(_asked(value[0]))
        return Prompt(_until_user(_messages(value)))
    return Prompt(_asked(value))


def layout_of(row: Row) -> str:
    """Recognise a layout by its columns."""
    if "response_0" in row and "response_1" in row:
        return "pku"
    if "chosen" not in row or "rejected" not in row:
        raise BadRowError(f"no chosen and rejected; its columns are {', '.join(row)}")
    if isinstance(row["chosen"], str) and _TURN.match(row["chosen"]):
        return "dialogue"
    return "columns"


def _pku(row: Row) -> Pair:
    safer = row.get("safer_response_id", row.get("better_response_id"))
    if safer not in (0, 1):
        raise BadRowError("safer_response_id is neither 0 nor 1")
    chosen, rejected = (_answer(row.get(f"response_{side}")) for side in (safer, 1 - safer))
    return Pair(_asked(row.get("prompt")), chosen, rejected)


def _sides(row: Row, layout: str) -> Pair:
    if layout == "dialogue":
        sides = [_history_and_answer(_dialogue(row.get(side))) for side in ("chosen", "rejected")]
    else:
        sides = [_side(row, side) for side in ("chosen", "rejected")]
    if sides[0][0] != sides[1][0]:
        raise BadRowError("chosen and rejected have different histories")
    return Pair(sides[0][0], sides[0][1], sides[1][1])


def _side(row: Row, column: str) -> tuple[tuple[Message, ...], str]:
    """One side of a row: its history, and its answer."""
    value, prompt = row.get(column), row.get("prompt")
    if isinstance(value, str) and _TURN.match(value):
        return _history_and_answer(_dialogue(value))
    if isinstance(value, str):
        history = _asked(prompt) if isinstance(prompt, str) else _until_user(_messages(prompt))
        return history, _answer(value)
    messages = _messages(value)
    if len(messages) == 1 and prompt is not None:
        history = _asked(prompt) if isinstance(prompt, str) else _until_user(_messages(prompt))
        return history, _answer(messages[0].content)
    return _history_and_answer(messages)


def _dialogue(text: Any) -> tuple[Message, ...]:
    if not isinstance(text, str) or not _TURN.match(text):
        raise BadRowError("not a dialogue that begins with Human:")
    parts = _TURN.split(text)[1:]
    return tuple(Message(_ROLES[role], content.strip()) for role, content in zip(parts[::2], parts[1::2], strict=True))


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise BadRowError("no messages")
    found = []
    for one in value:
        if not isinstance(one, Mapping) or not isinstance(one.get("content"), str) or "role" not in one:
            raise BadRowError("a message without role and content")
        found.append(Message(str(one["role"]), one["content"].strip()))
    return tuple(found)


def _history_and_answer(messages: Sequence[Message]) -> tuple[tuple[Message, ...], str]:
    if messages[-1].role != "assistant":
        raise BadRowError("does not end with an answer")
    return _checked(messages[:-1]), _answer(messages[-1].content)


def _until_user(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The dialogue up to the user's last message."""
    last = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
    return _checked(messages[: last + 1])


def _checked(history: Sequence[Message]) -> tuple[Message, ...]:
    """Refuse a history whose roles do not take turns, or with an empty message."""
    talk = [message.role for message in history if message.role != "system"]
    if not talk or talk != ["user", "assistant"] * (len(talk) // 2) + ["user"] * (len(talk) % 2) or len(talk) % 2 == 0:
        raise BadRowError("user and assistant do not take turns up to a user's message")
    if not all(message.content for message in history):
        raise BadRowError("an empty prompt")
    return tuple(history)


def _asked(text: Any) -> tuple[Message, ...]:
    if not isinstance(text, str) or not text.strip():
        raise BadRowError("an empty prompt")
    return (Message("user", text.strip()),)


def _answer(text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise BadRowError("an empty answer")
    return text.strip()
