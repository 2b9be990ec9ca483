r"""The plain chat format, for models that have no template of their own.

    User: Thank you for the lamp.
    Assistant: You are welcome.</s>User: Is it new?
    Assistant:

`</s>` stands for the end token. An answer also ends where the model begins to speak for the user, so texts that do
so are its stop strings.
"""

from __future__ import annotations

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
