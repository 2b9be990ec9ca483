r"""How talk is put to a model: in its own chat template, or in the plain format where it has none.

    User: Thank you for the lamp.
    Assistant: You are welcome.</s>User: Is it new?
    Assistant:

`</s>` stands for the end token. An answer also ends where the model begins to speak for the user, so texts that do
so are its stop strings. In a template of its own, ends and beginnings of turns are found by rendering (`chat_turns`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mplus_eval.models.chat_turns import ChatTurns, Messages, Render, find_turns, fold_system, token_like
from mplus_eval.sandbox import Sandbox, bound_chat_templates

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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
ONE_MESSAGE = "one user message"
"""What a plain prompt is put into where a server knows nothing but chat."""
SERVED_TURNS = "turns in the server's template"
"""How talk is put to such a server."""

_TURN = {"role": "user", "content": "Thank you."}
_TALKS: tuple[Messages, ...] = ([_TURN], [_TURN, {"role": "assistant", "content": "You are welcome."}, _TURN])


class Talk(str):
    """Messages that a server puts into its template itself, as the JSON in which they are stored and sent."""

    __slots__ = ()

    @classmethod
    def of(cls, messages: Messages) -> Talk:
        """Messages with `role` and `content`."""
        return cls(json.dumps(messages, ensure_ascii=False))

    @property
    def messages(self) -> Messages:
        """The messages."""
        return [dict(message) for message in json.loads(self)]


@dataclass(frozen=True)
class ChatFormat:
    """A model's format.

    Attributes:
        name: `own`, the model's own template, or `plain`; the report says which.
        render: messages with `role` and `content` to the text that the model goes on from.
        stop_strings: texts that end an answer, besides the model's end tokens.
        turns: its end tokens, what begins another turn, and what becomes of a system's words.
    """

    name: str
    render: Callable[[Messages], str]
    stop_strings: tuple[str, ...]
    turns: ChatTurns = field(default_factory=ChatTurns)

    @property
    def talk_ends(self) -> tuple[str, ...]:
        """Tokens and texts that end an answer."""
        return tuple(dict.fromkeys([*self.turns.ends, *self.turns.begins, *self.stop_strings]))

    def options(self, until: Sequence[str] = ()) -> dict[str, list[str]]:
        """What ends an answer, as options of lm-eval's requests; backends know `ends` and `turns` besides `until`.

        Args:
            until: stop strings of the task.
        """
        begins = self.turns.begins
        return {"until": [*until, *self.stop_strings], "ends": list(self.turns.ends), "turns": list(begins)}


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

    A template that says what the plain format says, as the one that this project's training saves, is the plain format.
    """
    bound_chat_templates()
    template = tokenizer.chat_template
    chosen: dict[str, Any] = {} if template else {"chat_template": PLAIN_TEMPLATE}
    if not template and not tokenizer.eos_token:
        # Without an end token nothing would part an answer from the user's next words.
        chosen["eos_token"] = "\n"

    def render(messages: Messages, prompt: bool = True) -> str:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt, **chosen))

    if not template or _says_the_same(render, tokenizer):
        ends = (str(tokenizer.eos_token),) if tokenizer.eos_token else ()
        return ChatFormat(PLAIN, render, PLAIN_STOPS, ChatTurns(ends, PLAIN_STOPS))
    return own_format(render, _tokens(tokenizer, str(template)))


def own_format(render: Render, tokens: Collection[str] | None = None) -> ChatFormat:
    """The format of a template of the model's own.

    Args:
        render: by the template.
        tokens: as `find_turns` takes them.
    """
    turns = find_turns(render, tokens)

    def folding(messages: Messages) -> str:
        return render(fold_system(messages) if turns.folds_system else messages, True)

    texts = turns.begins if tokens is None else [text for text in turns.begins if text not in tokens]
    return ChatFormat(OWN, folding, tuple(texts), turns)


def mistaken_end(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Why no answer in a tokenizer's template would end by its end token, which begins turns there; None where it may.

    So it is in files whose conversion has mixed up the ids of special tokens.
    """
    end, turns = str(tokenizer.eos_token), chat_format(tokenizer).turns
    if end in turns.ends or end not in turns.begins:
        return None
    told = f"; what ends an answer there is {', '.join(map(repr, turns.ends))}" if turns.ends else ""
    return f"takes {end!r} for its end token, which begins a turn in its chat template{told}"


def _says_the_same(render: Render, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a template's text is that of the plain format, but for white space."""
    from jinja2 import TemplateError

    plain: Any = {"chat_template": PLAIN_TEMPLATE, "tokenize": False, "add_generation_prompt": True}
    try:
        return all(
            render(talk, True).split() == str(tokenizer.apply_chat_template(talk, **plain)).split() for talk in _TALKS
        )
    except (TemplateError, TypeError, ValueError):
        return False


def _tokens(tokenizer: PreTrainedTokenizerBase, template: str) -> set[str]:
    """Texts of added tokens, and of what a template writes like one and the vocabulary has."""
    written = {text for text in token_like(template) if text in tokenizer.get_vocab()}
    return {*tokenizer.get_added_vocab(), *map(str, tokenizer.all_special_tokens), *written}


def stored_template(directory: Path) -> str | None:
    """The chat template in a tokenizer's directory, where transformers looks for it; None where there is none.

    The tokenizer is not loaded, so that a broken one stands in nobody's way before its model's turn comes.
    """
    try:
        if (file := directory / "chat_template.jinja").is_file():
            return file.read_text(encoding="utf-8")
        settings = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    template = settings.get("chat_template") if isinstance(settings, dict) else None
    if isinstance(template, list):
        named = [each for each in template if isinstance(each, dict) and each.get("name") == "default"]
        template = named[-1].get("template") if named else None
    return template if isinstance(template, str) and template else None


def plain_format(bos_token: str = "", eos_token: str = "\n") -> ChatFormat:
    """The plain format for a model whose tokenizer is not at hand, as behind a server.

    Args:
        bos_token: the beginning; empty where the server adds it.
        eos_token: what ends an answer of an earlier turn.
    """
    template = Sandbox().from_string(PLAIN_TEMPLATE)

    def render(messages: Messages) -> str:
        told = {"bos_token": bos_token, "eos_token": eos_token, "add_generation_prompt": True}
        return str(template.render(messages=messages, **told))

    ends = (eos_token,) if eos_token.strip() else ()
    return ChatFormat(PLAIN, render, PLAIN_STOPS, ChatTurns(ends, PLAIN_STOPS))


def talk_format(talker: Talker | None, *, own_template: bool) -> ChatFormat:
    """The format of a model that need not be at hand: of one behind a server, the plain one until it is asked."""
    return plain_format() if talker is None else format_of(talker, own_template=own_template)


def format_of(talker: Talker, *, own_template: bool) -> ChatFormat:
    """The format of a loaded model.

    Args:
        talker: the model.
        own_template: whether it has a template of its own, for a model whose tokenizer is not at hand.
    """
    if (opened := talker.opened) is not None:
        return chat_format(opened.tokenizer)
    if not own_template:
        return plain_format()
    if isinstance(talker.render_chat([_TURN]), Talk):
        # The server renders, and ends an answer where its template does.
        return ChatFormat(OWN, talker.render_chat, ())
    return own_format(talker.render_chat)
