<<<<<<< HEAD
"""How talk is put to a model that has no chat template of its own: the plain format.

    User: Thank you for the lamp.
    Assistant: You are welcome.</s>

A base model has no chat template and seldom ends its turn, so answers are cut where the next line of the user begins.
Training writes this template into the saved tokenizer, so that a trained model is asked in the same way.
=======
r"""The plain chat format, for models that have no template of their own.

    User: Thank you for the lamp.
    Assistant: You are welcome.</s>User: Is it new?
    Assistant:

`</s>` stands for the end token. An answer also ends where the model begins to speak for the user, so texts that do
so are its stop strings.
>>>>>>> talk
"""

from __future__ import annotations

<<<<<<< HEAD
from collections.abc import Sequence

=======
>>>>>>> talk
PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}User: {{ message['content'] }}\n"
    "{% elif message['role'] == 'assistant' %}Assistant: {{ message['content'] }}{{ eos_token }}"
    "{% else %}{{ message['content'] }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
<<<<<<< HEAD
PLAIN_FORMAT = "plain format"
"""What this format is called where formats are named."""

PLAIN_STOPS = ("\nUser:", "\nAssistant:")
"""Where an answer in the plain format ends if the model does not end it itself."""


def plain_prompt(messages: Sequence[dict[str, str]]) -> str:
    """Put messages into the plain format, up to where the assistant is to speak.

    Special tokens are left out: the beginning is added by the tokenizer, and a turn's end is the line's.

    >>> plain_prompt([{"role": "user", "content": "Thank you."}])
    'User: Thank you.\\nAssistant:'
    """
    names = {"user": "User: ", "assistant": "Assistant: "}
    lines = [f"{names.get(message['role'], '')}{message['content']}\n" for message in messages]
    return "".join(lines) + "Assistant:"
=======
"""In Jinja, as tokenizers take it."""

PLAIN_STOPS = ("\nUser:", "\nAssistant:")
"""Where an answer in the plain format ends, besides the end token."""
>>>>>>> talk
