"""A template of a stranger renders what Jinja renders, reaches nothing of Python, and ends within its limits."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError

from mplus_eval.sandbox import Sandbox, TemplateLimitError, bound_chat_templates, budget, regex_replace
from tests.tiny_models import CHAT_TEMPLATE, build_tokenizer

MESSAGES = [{"role": "user", "content": " Hi. "}, {"role": "assistant", "content": "Yes."}]

SOUND = (
    "{% for m in messages %}{{ loop.index }}{{ m.role }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for m in messages if m['role'] == 'user' %}{{ m['content'] | trim }}{% else %}none{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] if a > 1 %}{{ a }}{{ b }}{% endfor %}{{ {'a': [1, 2]} | tojson }}",
    "{% set ns = namespace(x='') %}{% for i in range(3) %}{% set ns.x = ns.x ~ i ~ '!' %}{% endfor %}{{ ns.x }}",
    "{% macro f(a, b='z') %}[{{ a }}{{ b }}]{% endmacro %}{{ f('q') }}{% filter upper %}abc{% endfilter %}",
    "{{ '%s-%d' | format('a', 3) }}{{ '%02d' % 5 }}{{ '{:>3}'.format(1) }}{{ 2 ** 10 }}{{ [1] * 2 + [3] }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list }}{{ 6 is divisibleby 3 }}",
    "{% set x, y = 1, 2 %}{{ x + y }}{{ 3.14159 | round(2) }}{{ 'ab' * 3 }}{{ 'a,b'.split(',') | join('-') }}",
    "{% set told %}{{ messages[0].content }}{% endset %}{{ told | replace(' ', '_') }}{{ [1, 2] | sum }}",
    "{% for i in [1] recursive %}{{ i }}{% if i < 3 %}{{ loop([i + 1]) }}{% endif %}{% endfor %}",
)


@pytest.mark.parametrize("template", [*SOUND, CHAT_TEMPLATE])
def test_a_sound_template_renders_what_jinja_renders(template: str) -> None:
    told: dict[str, Any] = {"messages": MESSAGES, "bos_token": "<s>", "eos_token": "</s>"}
    assert Sandbox().from_string(template).render(**told) == jinja2.Environment().from_string(template).render(**told)


LONG = "{% set long = range(99999) | list %}"
GROWING = "{% set ns = namespace(x=START) %}{% for i in range(99) %}{% set ns.x = STEP %}{% endfor %}"
TIME = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    LONG + "{% for a in long if long | sort | length %}{% endfor %}",
    LONG + "{{ long | map('string') | map('upper') | map('center', 99) | map('trim') | map('center', 99) | list }}" * 9,
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
)
SIZE = (
    "{{ 'a' * 10 ** 10 }}",
    "{{ 10 ** 10 * 'a' }}",
    "{{ 9 ** (9 ** 9) }}",
    "{{ 'a' | center(10 ** 10) }}",
    "{{ 'a'.ljust(10 ** 10) }}",
    "{{ '\t'.expandtabs(tabsize=10 ** 10) }}",
    "{{ '%10000000000d' % 1 }}",
    "{{ '%*d' % (10 ** 10, 1) }}",
    "{{ '{:10000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 10 ** 10) }}",
    "{{ '%10000000000d' | format(1) }}",
    "{{ ('x' * 9999) | replace('x', 'y' * 9999999) }}",
    "{{ ('x' * 9999).replace('x', 'y' * 9999999) }}",
    "{{ ('x' * 999999).join(range(99999) | map('string') | list) }}",
    "{{ range(99999) | join('x' * 999999) }}",
    "{{ [1] | batch(10 ** 10, 0) | list }}",
    "{{ 1.5 | round(10 ** 9) }}",
    "{{ [[1] * 99] | tojson(indent=10 ** 9) }}",
    "{{ 'x' | indent(10 ** 10, true) }}",
    "{{ (1).to_bytes(10 ** 10, 'big') }}",
    GROWING.replace("START", "'xx'").replace("STEP", "ns.x ~ ns.x"),
    GROWING.replace("START", "'xx'").replace("STEP", "ns.x + ns.x"),
    GROWING.replace("START", "[1]").replace("STEP", "ns.x + ns.x"),
    GROWING.replace("START", "[1]").replace("STEP", "[ns.x, ns.x]"),
    GROWING.replace("START", "3").replace("STEP", "ns.x * ns.x"),
    "{% set ns = namespace(x='x') %}{% for i in range(99) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}",
    "{% for i in range(99999) %}" + "x" * 9999 + "{% endfor %}",
    LONG + "{% for i in long %}{{ long }}{% endfor %}",
)


@pytest.mark.parametrize("template", [*TIME, *SIZE])
def test_one_that_does_not_end_or_grows_without_end_is_stopped(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "SECONDS", 0.3)
    with pytest.raises(TemplateLimitError):
        Sandbox().from_string(template).render()


@pytest.mark.parametrize(
    "template",
    [
        "{% set l = [1] %}{% for i in range(99) %}{% set _ = l.extend(l) %}{% endfor %}",
        "{% set l = [] %}{% for i in range(9) %}{% set _ = l.append(l) %}{% endfor %}{{ l | tojson }}",
    ],
)
def test_a_list_that_may_be_changed_does_not_grow_without_end(template: str) -> None:
    with pytest.raises(TemplateLimitError):
        Sandbox(changes_lists=True).from_string(template).render()
    with pytest.raises(SecurityError):
        Sandbox().from_string(template).render()


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ lipsum() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
    ],
)
def test_nothing_of_python_or_of_the_disk_is_reached(template: str) -> None:
    try:
        said = Sandbox(undefined=jinja2.StrictUndefined).from_string(template).render()
    except (TemplateError, TypeError):
        return
    assert said == ""


@pytest.mark.parametrize(
    "template",
    ["{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "{% for a in b %}" * 40 + "{% endfor %}" * 40,
     "{{ " + "9" * 5000 + " }}", "x" * 1_000_001, "{% if"],
)  # fmt: skip
def test_what_cannot_be_compiled_is_a_fault_of_its_syntax(template: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        Sandbox().from_string(template)


def test_every_text_has_limits_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MOST_IN_ALL", 2000)
    template = Sandbox().from_string("{{ 'x' * 400 }}")
    assert [len(template.render()) for _ in range(9)] == [400] * 9
    with pytest.raises(TemplateLimitError, match="in all"):
        Sandbox().from_string("{{ 'x' * 400 }}" * 3).render()


def test_transformers_renders_chat_templates_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "SECONDS", 0.2)
    bound_chat_templates()
    tokenizer = build_tokenizer(320)
    tokenizer.chat_template = CHAT_TEMPLATE
    assert "Hi." in tokenizer.apply_chat_template(MESSAGES, tokenize=False)
    # Harmless when it is looked at, and endless for a user who says more.
    tokenizer.chat_template = "{% if messages | length > 1 %}" + TIME[0] + "{% endif %}"
    assert tokenizer.apply_chat_template(MESSAGES[:1], tokenize=False) == ""
    with pytest.raises(TemplateLimitError):
        tokenizer.apply_chat_template(MESSAGES, tokenize=False)


def test_lm_eval_renders_task_templates_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval.utils import apply_template

    import mplus_eval.backends.lm_eval_private  # noqa: F401

    monkeypatch.setattr(budget, "SECONDS", 0.2)
    document = {"question": "How?", "choices": ["a", "b"]}
    template = "{{question}}\n{{choices | join(' ') | regex_replace('a+', 'c')}}\n"
    assert apply_template(template, document) == "How?\nc b\n"
    with pytest.raises(jinja2.UndefinedError):
        apply_template("{{absent}}", document)
    with pytest.raises(TemplateLimitError):
        apply_template(TIME[0], document)
    with pytest.raises(SecurityError):
        apply_template("{{ question.__class__.__mro__ }}", document)


def test_a_pattern_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "SECONDS", 0.2)
    assert regex_replace("aab", "a", "c", count=1) == "cab"
    with pytest.raises(TemplateLimitError, match="pattern"):
        regex_replace("a" * 60 + "!", r"(a|a|a)+$", "")
