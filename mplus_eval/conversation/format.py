"""How a dialogue is put to a model: in its own chat template where it has one, else in the documented plain format.

Every turn after the first shows the model its own answers, never another's. The rendered text holds its special
tokens, so it is tokenized without adding any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mplus_eval.chat_format import PLAIN_STOPS, PLAIN_TEMPLATE
from mplus_eval.errors import UsageError
from mplus_eval.hub import reason

if TYPE_CHECKING:
    from mplus_eval.conversation.dialogues import Dialogue

Messages = list[dict[str, str]]

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


def chat_format(tokenizer: Any) -> ChatFormat:
    """The format of the model that a tokenizer of transformers belongs to.

    A tokenizer that this project's training saved has the plain template for its own; it gets the same stop strings.
    """
    template = tokenizer.chat_template
    own = bool(template) and template != PLAIN_TEMPLATE
    # Without an end token nothing would part an answer from the user's next words.
    extra = {} if tokenizer.eos_token else {"eos_token": "\n"}

    def render(messages: Messages) -> str:
        chosen = {} if template else {"chat_template": PLAIN_TEMPLATE, **extra}
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **chosen))

    return ChatFormat(OWN if own else PLAIN, render, () if own else PLAIN_STOPS)


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


def prompt_of(dialogue: Dialogue, answers: Sequence[str], render: Callable[[Messages], str]) -> str:
    """The text from which a model gives its next answer.

    Args:
        dialogue: what is asked.
        answers: the model's own answers to the turns before.
        render: of the model's format.

    Raises:
        ValueError: the dialogue has no turn after these answers.
        UsageError: the model's template refuses the dialogue, as some refuse a system message.
    """
    from jinja2 import TemplateError

    try:
        return render(messages_of(dialogue, answers))
    except TemplateError as error:
        raise UsageError(
            f"dialogue {dialogue.item_id}: the model's chat template refuses it ({reason(error)})"
        ) from error


def messages_of(dialogue: Dialogue, answers: Sequence[str]) -> Messages:
    """The dialogue up to the user's turn that follows these answers."""
    if len(answers) >= len(dialogue.turns):
        raise ValueError(f"dialogue {dialogue.item_id} has {len(dialogue.turns)} turns, all of them answered")
    messages = [{"role": "system", "content": dialogue.system}] if dialogue.system else []
    for turn, answer in zip(dialogue.turns, answers, strict=False):
        messages += [{"role": "user", "content": turn}, {"role": "assistant", "content": answer.strip()}]
    return [*messages, {"role": "user", "content": dialogue.turns[len(answers)]}]
