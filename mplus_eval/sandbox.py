"""Jinja for templates of strangers: they reach nothing of Python, and end within limits of time and size.

    {% for a in range(99999) %}{% for b in range(99999) %}…      takes longer than 2 s
    {% set ns.x = ns.x ~ ns.x %}, forty times                    makes more than 100,000,000 characters
    {{ 'a' * 10 ** 10 }}, {{ 'a' | center(10 ** 10) }}           is refused before it is made

Jinja's own sandbox keeps templates from Python's insides, and limits `range` alone. Here, every turn of a loop, every
call and every operation that makes a value looks at the clock and at what was made so far, so no thread, signal or
process is needed: the nodes of a template are given these looks before it is compiled.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from jinja2 import Template, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment

SECONDS = 2.0
"""Of the thread's processor time, for one text."""
MOST_CHARACTERS = 10_000_000
"""Of one value."""
MOST_IN_ALL = 100_000_000
"""Of all values that are made on the way."""
MOST_VALUES = 1_000_000
"""In one list or mapping, with those in it."""
LONGEST_SOURCE = 1_000_000
_MOST_BITS = 10_000
_MOST_COMPILED = 100
_A_VALUE = 8
"""Characters that a value in a list counts for."""
_TRANSFORMERS_OWN = "ImmutableSandboxedEnvironment"
"""The name by which transformers' module finds its environment."""
_UNUSED = ("filesizeformat", "pprint", "striptags", "urlize", "wordwrap", "xmlattr")
"""Filters that make pages, and take long over odd texts."""
_FAR = re.compile(r"\d{5}|\*|\{[^{}]*\{")
"""In a format: a width of five digits, or one that an argument gives."""


class TemplateLimitError(SecurityError):
    """A template came to a limit."""


class _Budget:
    """What is left of the time and the characters of one text."""

    def __init__(self) -> None:
        self._end = time.thread_time() + SECONDS
        self._left = MOST_IN_ALL

    def spend(self, characters: int = 0) -> None:
        """Take something that was or will be made."""
        self._left -= characters
        if characters > MOST_CHARACTERS:
            raise TemplateLimitError(f"it makes a value of more than {MOST_CHARACTERS:,} characters")
        if self._left < 0:
            raise TemplateLimitError(f"it makes more than {MOST_IN_ALL:,} characters in all")
        if time.thread_time() > self._end:
            raise TemplateLimitError(f"it takes longer than {SECONDS:.0f} s")


class _BoundedContext(Context):
    """What a template is rendered in; it is made anew for every text."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.budget = _Budget()


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment for templates that nobody has read; errors of a template are `TemplateError` or its own.

    With `changes_lists`, a template may change lists and mappings, as some of lm-eval's do with what they made.
    """

    context_class = _BoundedContext
    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, *, changes_lists: bool = False, **options: Any) -> None:
        """Take the options of Jinja's environment; nothing is computed while compiling."""
        super().__init__(**options, optimized=False, finalize=_finalize)
        self._changes_lists = changes_lists
        self._compiled: dict[str, Template] = {}
        self.globals.pop("lipsum", None)
        for name in _UNUSED:
            self.filters.pop(name, None)
        self.filters: dict[str, Any] = _Guarded(self.filters, _GROWN_BY_FILTER)
        self.tests: dict[str, Any] = _Guarded(self.tests, {})
        for name, own in (("_spend", _spend), ("_kept", _kept), ("_joined", _joined)):
            dict.__setitem__(self.filters, name, own)

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """As Jinja's immutable sandbox has it, or its mutable one."""
        parent = SandboxedEnvironment if self._changes_lists else ImmutableSandboxedEnvironment
        return parent.is_safe_attribute(self, obj, attr, value)

    def from_string(self, source: Any, *arguments: Any, **options: Any) -> Any:
        """A template; what cannot be compiled is a `TemplateSyntaxError`, whatever the compiler meets.

        lm-eval asks for the same template for every document, so the last ones are kept.
        """
        if not isinstance(source, str) or arguments or options:
            return super().from_string(source, *arguments, **options)
        if source not in self._compiled:
            if len(self._compiled) >= _MOST_COMPILED:
                self._compiled.clear()
            self._compiled[source] = self._template(source)
        return self._compiled[source]

    def _template(self, source: str) -> Template:
        if len(source) > LONGEST_SOURCE:
            raise TemplateSyntaxError(f"it is longer than {LONGEST_SOURCE:,} characters", 1)
        try:
            return super().from_string(source)
        except (RecursionError, MemoryError, OverflowError, SyntaxError, ValueError) as error:
            raise TemplateSyntaxError(f"it cannot be compiled ({' '.join(str(error).split())[:100]})", 1) from None

    def call(__self, __context: Context, __obj: Any, *arguments: Any, **options: Any) -> Any:  # noqa: N805 - as Jinja has it
        """Call a function or method within the limits."""
        budget = _budget(__context)
        if grown := _GROWN_BY_METHOD.get(str(getattr(__obj, "__name__", ""))):
            # Jinja wraps the method `format` of texts.
            owner = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
            budget.spend(grown(owner, *arguments, *options.values()))
        return _made(budget, super().call(__context, __obj, *arguments, **options))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute `+`, `*`, `**` or `%` within the limits."""
        budget = _budget(context)
        budget.spend(_size_of_binop(operator, left, right))
        return _made(budget, super().call_binop(context, operator, left, right))

    def _generate(self, source: nodes.Template, *arguments: Any, **options: Any) -> str:
        """Jinja's hook before a template is compiled."""
        for node in [*source.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block))]:
            _watch(node)
        for parent in [*source.find_all(nodes.Node)]:
            _keep_made(parent)
        return str(super()._generate(source, *arguments, **options))


def bound_chat_templates() -> None:
    """Have transformers render every chat template of this process in this sandbox, which is stricter than its own."""
    from transformers.utils import chat_template_utils

    if getattr(chat_template_utils, _TRANSFORMERS_OWN) is not Sandbox:
        setattr(chat_template_utils, _TRANSFORMERS_OWN, Sandbox)
        # What was compiled before is kept there by its text.
        for name in ("_compile_jinja_template", "_cached_compile_jinja_template"):
            getattr(getattr(chat_template_utils, name, None), "cache_clear", lambda: None)()


def regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    """lm-eval's filter of this name, which gives up where a pattern takes too long.

    Raises:
        TemplateLimitError: it does.
    """
    import regex

    try:
        return str(regex.sub(pattern, repl, string, count=count, timeout=SECONDS))
    except TimeoutError:
        raise TemplateLimitError(f"its pattern {pattern[:60]!r} takes longer than {SECONDS:.0f} s") from None


def _watch(node: Any) -> None:
    """Have every turn of a loop and every call of a macro begin with a look at what is left."""
    written = sum(len(text.data) for text in nodes.Block("", node.body, False, False).find_all(nodes.TemplateData))
    line = node.lineno
    look = nodes.Filter(nodes.Const(written), "_spend", [], [], None, None)
    node.body = [nodes.ExprStmt(look).set_lineno(line, True), *node.body]
    if isinstance(node, nodes.For) and node.test is not None:
        begins = nodes.Filter(nodes.Const(0), "_spend", [], [], None, None)
        node.test = nodes.And(begins, node.test).set_lineno(line)


def _keep_made(parent: nodes.Node) -> None:
    """Put a look behind every list, tuple and mapping that a template writes, and have `~` join within the limits."""
    for name in parent.fields:
        value = getattr(parent, name)
        if isinstance(value, list):
            setattr(parent, name, [_with_look(each) for each in value])
        else:
            setattr(parent, name, _with_look(value))


def _with_look(node: Any) -> Any:
    if isinstance(node, nodes.Concat):
        return nodes.Filter(nodes.List(node.nodes), "_joined", [], [], None, None).set_lineno(node.lineno, True)
    is_made = isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load")
    return nodes.Filter(node, "_kept", [], [], None, None).set_lineno(node.lineno) if is_made else node


class _Guarded(dict[str, Callable[..., Any]]):
    """Filters or tests, each within the limits, also those that are added later."""

    def __init__(self, functions: Mapping[str, Any], grown: Mapping[str, Callable[..., int]]) -> None:
        super().__init__()
        self._grown = grown
        for name, function in functions.items():
            self[name] = function

    def __setitem__(self, name: str, function: Callable[..., Any]) -> None:
        passed, grown = getattr(function, "jinja_pass_arg", None), self._grown.get(name)

        @pass_context
        def guarded(context: Context, value: Any, *arguments: Any, **options: Any) -> Any:
            budget = _budget(context)
            if name in ("join", "sum") and isinstance(value, Iterable) and not isinstance(value, str | Mapping):
                value = list(value)
            budget.spend(grown(value, *arguments, *options.values()) if grown else 0)
            first = {"context": (context,), "eval_context": (context.eval_ctx,), "environment": (context.environment,)}
            before = first.get(passed.name, ()) if passed is not None else ()
            return _made(budget, function(*before, value, *arguments, **options))

        super().__setitem__(name, guarded)


def _budget(context: Context) -> _Budget:
    assert isinstance(context, _BoundedContext)
    return context.budget


@pass_context
def _spend(context: Context, written: int) -> bool:
    _budget(context).spend(written)
    return True


@pass_context
def _kept(context: Context, value: Any) -> Any:
    return _made(_budget(context), value)


@pass_context
def _joined(context: Context, values: list[Any]) -> str:
    budget = _budget(context)
    budget.spend(_characters(values))
    return "".join(map(str, values))


@pass_context
def _finalize(context: Context, value: Any) -> Any:
    """What is put out is counted, whatever it is."""
    _budget(context).spend(_characters(value))
    return value


def _made(budget: _Budget, value: Any) -> Any:
    """A value that an operation made, once it is counted."""
    budget.spend(_characters(value))
    return value


def _characters(value: Any) -> int:
    """About how long a value is when it is written out; counting ends where too much is found.

    Raises:
        TemplateLimitError: a list or mapping holds too many values.
    """
    if isinstance(value, str | bytes):
        return len(value)
    if not isinstance(value, list | tuple | dict | set | frozenset):
        return _A_VALUE
    n_values, n_characters = 0, 0
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list | tuple | set | frozenset | dict):
            n_values += len(each) + 1
            if n_values > MOST_VALUES:
                raise TemplateLimitError(f"it makes a list of more than {MOST_VALUES:,} values")
            waiting.extend([*each, *each.values()] if isinstance(each, dict) else each)
            n_characters += _A_VALUE
        else:
            n_characters += len(each) if isinstance(each, str | bytes) else _A_VALUE
    return n_characters


def _size_of_binop(operator: str, left: Any, right: Any) -> int:
    """At least as long as what an operation would make."""
    if operator == "%":
        return _formatted(left) if isinstance(left, str | bytes) else 0
    if operator == "**":
        bits = left.bit_length() * right if isinstance(left, int) and isinstance(right, int) else 0
        return _refuse("a number") if bits > _MOST_BITS else 0
    if operator == "*":
        if isinstance(left, int) and isinstance(right, int):
            return _refuse("a number") if left.bit_length() + right.bit_length() > _MOST_BITS else 0
        number, other = (left, right) if isinstance(left, int) else (right, left)
        return _characters(other) * max(number, 0) if isinstance(number, int) else 0
    return 0


def _refuse(what: str) -> NoReturn:
    raise TemplateLimitError(f"it makes {what} that is too large")


def _formatted(text: Any, *_: Any) -> int:
    """Refuse a format whose widths nobody can foresee, or that are large."""
    return _refuse("a format with a width") if _FAR.search(str(text)) else 0


def _widest(_: Any, *arguments: Any) -> int:
    return max((each for each in arguments if isinstance(each, int)), default=0)


def _per_line(text: Any, *arguments: Any) -> int:
    added = max([_widest(text, *arguments), *(len(each) for each in arguments if isinstance(each, str))])
    return added * (str(text).count("\n") + 1)


def _tabs(text: Any, *arguments: Any) -> int:
    return str(text).count("\t") * _widest(text, *arguments)


def _replaced(text: Any, *arguments: Any) -> int:
    old, new = (str(each) for each in (*arguments[:2], "", "")[:2])
    return len(str(text)) + str(text).count(old) * len(new)


def _strung(values: Any, separator: Any = "", *_: Any) -> int:
    return _characters(values) + len(values) * len(str(separator)) if hasattr(values, "__len__") else 0


def _strung_by(separator: Any, values: Any = (), *_: Any) -> int:
    return _strung(values, separator)


def _extended(_: Any, more: Any = (), *__: Any) -> int:
    return _A_VALUE * len(more) if hasattr(more, "__len__") else 0


def _summed(values: Any, *arguments: Any) -> int:
    """Numbers alone: lists would be copied for each that is added."""
    return _refuse("a sum of lists") if any(isinstance(each, list | tuple) for each in arguments) else 0


def _rounded(_: Any, *arguments: Any) -> int:
    return _refuse("a number") if abs(_widest(_, *arguments)) > _MOST_BITS // 4 else 0


def _dumped(value: Any, *arguments: Any) -> int:
    return _characters(value) * (1 + min(_widest(value, *arguments), MOST_CHARACTERS))


def _refused(*_: Any) -> int:
    return _refuse("a text in a way")


_WIDENED = dict.fromkeys(("center", "ljust", "rjust", "zfill"), _widest)
_GROWN_BY_METHOD: dict[str, Callable[..., int]] = {
    **_WIDENED,
    **dict.fromkeys(("to_bytes", "translate", "maketrans", "format_map"), _refused),
    **dict.fromkeys(("strftime", "strftime_now"), lambda *arguments: sum(map(_formatted, arguments))),
    "expandtabs": _tabs,
    "extend": _extended,
    "format": _formatted,
    "join": _strung_by,
    "replace": _replaced,
    "update": _extended,
}
_GROWN_BY_FILTER: dict[str, Callable[..., int]] = {
    "batch": _widest,
    "center": _widest,
    "format": _formatted,
    "indent": _per_line,
    "join": _strung,
    "replace": _replaced,
    "round": _rounded,
    "slice": _widest,
    "sum": _summed,
    "tojson": _dumped,
}
