"""Jinja for templates of strangers: they reach nothing of Python, and end within limits of time and size.

    {% for a in range(99999) %}{% for b in range(99999) %}…      takes longer than 2 s
    {% set ns.x = ns.x ~ ns.x %}, forty times                    makes more than 100,000,000 characters
    {{ 'a' * 10 ** 10 }}, {{ 'a' | center(10 ** 10) }}           is refused before it is made

Jinja's own sandbox keeps templates from Python's insides, and limits `range` alone. Here, every turn of a loop, every
call and every operation that makes a value looks at the clock and at what was made so far, so no thread, signal or
process is needed: the nodes of a template are given these looks before it is compiled.
"""

from mplus_eval.sandbox.budget import TemplateLimitError
from mplus_eval.sandbox.environment import Sandbox, bound_chat_templates, regex_replace

__all__ = ["Sandbox", "TemplateLimitError", "bound_chat_templates", "regex_replace"]
