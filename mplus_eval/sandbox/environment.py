"""The environment: looks at what is left are put into a template before it is compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import Template, nodes, pass_context
from jinja2.exceptions import TemplateSyntaxError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment

from mplus_eval.sandbox import budget as limits
from mplus_eval.sandbox.budget import Budget, TemplateLimitError, characters
from mplus_eval.sandbox.growth import GROWN_BY_FILTER, GROWN_BY_METHOD, size_of_binop

LONGEST_SOURCE = 1_000_000
_MOST_COMPILED = 100
_TRANSFORMERS_OWN = "ImmutableSandboxedEnvironment"
"""The name by which transformers' module finds its environment."""
_UNUSED = ("filesizeformat", "pprint", "striptags", "urlize", "wordwrap", "xmlattr")
"""Filters that make pages, and take long over odd texts."""


class _BoundedContext(Context):
    """What a template is rendered in; it is made anew for every text."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.budget = Budget()


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
        self.filters: dict[str, Any] = _Guarded(self.filters, GROWN_BY_FILTER)
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
        if grown := GROWN_BY_METHOD.get(str(getattr(__obj, "__name__", ""))):
            # Jinja wraps the method `format` of texts.
            owner = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
            budget.spend(grown(owner, *arguments, *options.values()))
        return _made(budget, super().call(__context, __obj, *arguments, **options))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute `+`, `*`, `**` or `%` within the limits."""
        budget = _budget(context)
        budget.spend(size_of_binop(operator, left, right))
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
        return str(regex.sub(pattern, repl, string, count=count, timeout=limits.SECONDS))
    except TimeoutError:
        raise TemplateLimitError(f"its pattern {pattern[:60]!r} takes longer than {limits.SECONDS:.0f} s") from None


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


def _budget(context: Context) -> Budget:
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
    budget.spend(characters(values))
    return "".join(map(str, values))


@pass_context
def _finalize(context: Context, value: Any) -> Any:
    """What is put out is counted, whatever it is."""
    _budget(context).spend(characters(value))
    return value


def _made(budget: Budget, value: Any) -> Any:
    """A value that an operation made, once it is counted."""
    budget.spend(characters(value))
    return value
