"""Chat templates are programs from a stranger: rendered once while planning, where they can be stopped.

    model 'm': its chat template does not come to an end within 5 s; chat_template=FILE takes another

A template is rendered in the sandbox that holds it to limits of time and size whenever it is rendered
(`mplus_eval.sandbox`); the first time in a process of its own, which is killed should one long step of the interpreter
get past these. A thread cannot be stopped from outside, and `multiprocessing` would run a user's script again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from mplus_eval.redaction import environment_without_secrets
from mplus_eval.sandbox import TemplateLimitError, bound_chat_templates

SECONDS = 5.0
"""Within which two short dialogues are rendered."""
MOST_CHARACTERS = 1_000_000
"""To which a short dialogue may come."""
_USER, _ASSISTANT = "words of the user", "words of the assistant"
_ONE_TURN = [{"role": "user", "content": _USER}]
_DIALOGUES = (_ONE_TURN, [*_ONE_TURN, {"role": "assistant", "content": _ASSISTANT}, *_ONE_TURN])


def template_faults(
    template: str, special_tokens: Mapping[str, str], where: str, told: Mapping[str, object] | None = None
) -> list[str]:
    """Return what is wrong with a chat template, in one line or none.

    Args:
        template: in Jinja.
        special_tokens: names as `bos_token` and their texts, as the tokenizer tells them to its template.
        where: how messages begin.
        told: what else the template is told, as `enable_thinking`.
    """
    said = _fault(json.dumps([template, {**special_tokens, **(told or {})}], sort_keys=True))
    return [f"{where}: its chat template {said}; chat_template=FILE takes another"] if said else []


def special_tokens(directory: Path) -> dict[str, str]:
    """The special tokens by name in a tokenizer's directory, read without loading it."""
    tokens: dict[str, str] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        try:
            settings = json.loads((directory / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        for key, value in settings.items() if isinstance(settings, dict) else ():
            text = value.get("content") if isinstance(value, dict) else value
            if key.endswith("_token") and isinstance(text, str):
                tokens[key] = text
    return tokens


@lru_cache
def _fault(request: str) -> str:
    """What a template does wrong, in words that follow it; empty when nothing."""
    environment = {**environment_without_secrets(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        assert process.stdout is not None
        # Its imports take longer than any sound template; the limit is for the template alone.
        process.stdout.readline()
        try:
            said, _ = process.communicate(request.encode(), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"does not come to an end within {SECONDS:.0f} s"
    try:
        return str(json.loads(said))
    except ValueError:
        return f"ends the process that renders it (exit {process.returncode})"


def _render_here(request: str) -> str:
    """In the process that may be killed: render, and say what went wrong."""
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    bound_chat_templates()
    template, told = json.loads(request)
    for dialogue in _DIALOGUES:
        try:
            made = render_jinja_template([dialogue], chat_template=template, add_generation_prompt=True, **told)
            rendered = made[0][0]
        except TemplateLimitError as error:
            return f"comes to no good end: {error}"
        except TemplateError as error:
            line = f", line {number}" if (number := getattr(error, "lineno", None)) else ""
            return f"cannot be rendered ({type(error).__name__}{line}: {_one_line(error)})"
        except Exception as error:  # noqa: BLE001 - whatever the template's own expressions raise
            return f"cannot be rendered ({type(error).__name__}: {_one_line(error)})"
        if len(rendered) > MOST_CHARACTERS:
            return f"makes {len(rendered):,} characters of a dialogue of {len(dialogue)} short turns"
        if lacking := [turn["content"] for turn in dialogue if turn["content"] not in rendered]:
            return (
                f"does not show the {lacking[0]}; it may be made for content in parts, or for another kind of dialogue"
            )
    return ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _main() -> None:
    import transformers.utils.chat_template_utils  # noqa: F401

    print(flush=True)
    print(json.dumps(_render_here(sys.stdin.read())))


if __name__ == "__main__":
    _main()
