r"""How talk is put to a model: in its own chat template, or in the plain format where it has none.

    User: Thank you for the lamp.
    Assistant: You are welcome.</s>User: Is it new?
    Assistant:

`</s>` stands for the end token. An answer also ends where the model begins to speak for the user, so texts that do
so are its stop strings.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = list[dict[str, str]]

PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}User: {{ message['content'] }}\n"
    "{% elif message['role'] == 'assistant' %}Assistant: {{ message['content'] }}{{ eos_token }}"
    "{% else %}{{ message['content'] }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""In Jinja, as tokenizers take it."""

PLAIN_STOPS = ("\nUser:", "\nAssistant:")
"""Where an answer in the plain format ends, besides the end token."""

PLAIN_FORMAT = "plain format"
"""What this format is called where formats are named."""

OWN = "own"
PLAIN = "plain"


@dataclass(frozen=True)
class ChatFormat:
    """A model's format.

    Attributes:
        name: `own`, the model's own template, or `plain`; the report says which.
        render: messages with `role` and `content` to the text that the model goes on from.
        stop_strings: texts that end an answer, besides the model's end tokens.
    """

    name: str
    render: Callable[[Messages], str]
    stop_strings: tuple[str, ...]


class HasTokenizer(Protocol):
    """What holds a tokenizer of transformers."""

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer."""


class Talker(Protocol):
    """A loaded model that talk can be put to; a backend is one."""

    @property
    def opened(self) -> HasTokenizer | None:
        """The model with its tokenizer, where it is in this process."""

    def render_chat(self, messages: Messages, add_generation_prompt: bool = True) -> str:
        """Put messages into the model's own template."""


def chat_format(tokenizer: PreTrainedTokenizerBase) -> ChatFormat:
    """The format of the model that a tokenizer of transformers belongs to.

    A tokenizer that this project's training saved has the plain template for its own; it gets the same stop strings.
    """
    template = tokenizer.chat_template
    own = bool(template) and template != PLAIN_TEMPLATE
    chosen: dict[str, Any] = {} if template else {"chat_template": PLAIN_TEMPLATE}
    if not template and not tokenizer.eos_token:
        # Without an end token nothing would part an answer from the user's next words.
        chosen["eos_token"] = "\n"

    def render(messages: Messages) -> str:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **chosen))

    return ChatFormat(OWN if own else PLAIN, render, () if own else PLAIN_STOPS)


def stored_template(directory: Path) -> str | None:
    """The chat template in a tokenizer's directory, where transformers looks for it; None where there is none.

    The tokenizer is not loaded, so that a broken one stands in nobody's way before its model's turn comes.
    """
    if (file := directory / "chat_template.jinja").is_file():
        return file.read_text(encoding="utf-8")
    settings = directory / "tokenizer_config.json"
    try:
        template = json.loads(settings.read_text(encoding="utf-8")).get("chat_template") if settings.is_file() else None
    except ValueError:
        return None
    if isinstance(template, list):
        template = {named["name"]: named["template"] for named in template}.get("default")
    return template or None


def plain_format(bos_token: str = "", eos_token: str = "\n") -> ChatFormat:
    """The plain format for a model whose tokenizer is not at hand, as behind a server.

    Args:
        bos_token: the beginning; empty where the server adds it.
        eos_token: what ends an answer of an earlier turn.
    """
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    template = ImmutableSandboxedEnvironment().from_string(PLAIN_TEMPLATE)

    def render(messages: Messages) -> str:
        return template.render(messages=messages, bos_token=bos_token, eos_token=eos_token, add_generation_prompt=True)

    return ChatFormat(PLAIN, render, PLAIN_STOPS)


def format_of(talker: Talker, *, own_template: bool) -> ChatFormat:
    """The format of a loaded model.

    Args:
        talker: the model.
        own_template: whether it has a template of its own, for a model whose tokenizer is not at hand.
    """
    if (opened := talker.opened) is not None:
        return chat_format(opened.tokenizer)
    return ChatFormat(OWN, talker.render_chat, ()) if own_template else plain_format()
