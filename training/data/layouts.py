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

from mplus_eval.training.data.rows import Demonstration, Message, OpenDialogue, PreferencePair

Row = Mapping[str, object]
Messages = tuple[Message, ...]
_TURN = re.compile(r"\n\n(Human|Assistant):[ ]?")
_ROLES = {"Human": "user", "Assistant": "assistant"}
ANSWER_COLUMNS = ("completion", "answer", "response", "chosen")
PROMPT_COLUMNS = ("prompt", "messages", "text", "question", "chosen")


class BadRowError(ValueError):
    """Why a row cannot be used."""


def pair_of(row: Row, layout: str) -> PreferencePair:
    """Read a preference pair."""
    if layout == "auto":
        layout = layout_of(row)
    if layout == "pku":
        safer = row.get("safer_response_id", row.get("better_response_id"))
        if not isinstance(safer, int) or safer not in (0, 1):
            raise BadRowError("safer_response_id is neither 0 nor 1")
        chosen, rejected = (_answer(row.get(f"response_{side}")) for side in (safer, 1 - safer))
        pair = PreferencePair(_user_message(row.get("prompt")), chosen, rejected)
    else:
        # Each side has the whole dialogue, or the answer beside a common prompt.
        (history, chosen), (other_history, rejected) = (
            _history_and_answer(_dialogue(row.get(column))) if layout == "dialogue" else _side(row, column)
            for column in ("chosen", "rejected")
        )
        if history != other_history:
            raise BadRowError("chosen and rejected have different histories")
        pair = PreferencePair(history, chosen, rejected)
    if pair.chosen.strip() == pair.rejected.strip():
        raise BadRowError("chosen and rejected are equal")
    return pair


def demonstration_of(row: Row) -> Demonstration:
    """Read a demonstration: messages, a pair's chosen side, or a prompt and its answer."""
    if isinstance(messages := row.get("messages"), Sequence) and not isinstance(messages, str):
        return Demonstration(*_history_and_answer(_messages(messages)))
    column = next((name for name in ANSWER_COLUMNS if row.get(name)), None)
    if column is None:
        raise BadRowError(f"no answer ({', '.join(ANSWER_COLUMNS)} or messages)")
    return Demonstration(*_side(row, column))


def prompt_of(row: Row, column: str | None) -> OpenDialogue:
    """Read a prompt: a text, messages, a list of turns, a record with `text`, or a pair's."""
    name = column or next((name for name in PROMPT_COLUMNS if row.get(name)), None)
    if name is None or name not in row:
        raise BadRowError(f"no column {column!r}" if column else f"no prompt ({', '.join(PROMPT_COLUMNS)})")
    value = row[name]
    if isinstance(value, Mapping):
        value = value.get("text")
    if isinstance(value, str) and _TURN.match(value):
        return OpenDialogue(_until_user(_dialogue(value)))
    if isinstance(value, Sequence) and not isinstance(value, str):
        if value and isinstance(value[0], str):
            return OpenDialogue(_user_message(value[0]))
        return OpenDialogue(_until_user(_messages(value)))
    return OpenDialogue(_user_message(value))


def layout_of(row: Row) -> str:
    """Recognise a layout by its columns."""
    if "response_0" in row and "response_1" in row:
        return "pku"
    if "chosen" not in row or "rejected" not in row:
        raise BadRowError(f"no chosen and rejected; its columns are {', '.join(row)}")
    if isinstance(row["chosen"], str) and _TURN.match(row["chosen"]):
        return "dialogue"
    return "columns"


def _side(row: Row, column: str) -> tuple[Messages, str]:
    """One side of a row: its history, and its answer."""
    value, prompt = row.get(column), row.get("prompt")
    if isinstance(value, str) and _TURN.match(value):
        return _history_and_answer(_dialogue(value))
    if isinstance(value, str):
        return _history(prompt), _answer(value)
    messages = _messages(value)
    if len(messages) == 1 and prompt is not None:
        return _history(prompt), _answer(messages[0].content)
    return _history_and_answer(messages)


def _history(prompt: object) -> Messages:
    """What stands before an answer: a text of the user's, or messages."""
    return _user_message(prompt) if isinstance(prompt, str) else _until_user(_messages(prompt))


def _dialogue(text: object) -> Messages:
    if not isinstance(text, str) or not _TURN.match(text):
        raise BadRowError("not a dialogue that begins with Human:")
    parts = _TURN.split(text)[1:]
    return tuple(Message(_ROLES[role], content.strip()) for role, content in zip(parts[::2], parts[1::2], strict=True))


def _messages(value: object) -> Messages:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise BadRowError("no messages")
    messages = []
    for entry in value:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("content"), str) or "role" not in entry:
            raise BadRowError("a message without role and content")
        messages.append(Message(str(entry["role"]), entry["content"].strip()))
    return tuple(messages)


def _history_and_answer(messages: Messages) -> tuple[Messages, str]:
    if messages[-1].role != "assistant":
        raise BadRowError("does not end with an answer")
    return _checked(messages[:-1]), _answer(messages[-1].content)


def _until_user(messages: Messages) -> Messages:
    """The dialogue up to the user's last message."""
    last = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
    return _checked(messages[: last + 1])


def _checked(history: Messages) -> Messages:
    """Refuse a history whose roles do not take turns, or with an empty message."""
    talk = [message.role for message in history if message.role != "system"]
    if not talk or talk != ["user", "assistant"] * (len(talk) // 2) + ["user"] * (len(talk) % 2) or len(talk) % 2 == 0:
        raise BadRowError("user and assistant do not take turns up to a user's message")
    if not all(message.content for message in history):
        raise BadRowError("an empty prompt")
    return history


def _user_message(text: object) -> Messages:
    if not isinstance(text, str) or not text.strip():
        raise BadRowError("an empty prompt")
    return (Message("user", text.strip()),)


def _answer(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise BadRowError("an empty answer")
    return text.strip()
