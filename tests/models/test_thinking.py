from __future__ import annotations

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mplus_eval.models.thinking import KNOWN, Cut, Thinking, find_thinking, thinking_of, thinks_first, with_variables
from mplus_eval.spec.model import ModelSpec

THINK = Thinking("<think>", "</think>")
HARMONY = next(pair for pair in KNOWN if "analysis" in pair.start)
SOLUTION = next(pair for pair in KNOWN if pair.around[0] == "<|begin_of_solution|>")
QWEN = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
BEGINS = "{{ messages[0].content.split('</think>')[-1] }}<|assistant|><think>\n"


def rendered(template: str, enable: bool | None) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    messages = [{"role": "user", "content": "Hi"}]
    return environment.from_string(with_variables(template, enable)).render(
        messages=messages, add_generation_prompt=True
    )


@pytest.mark.parametrize(
    ("text", "begun", "stops", "expected"),
    [
        ("The sum is 4.", False, (), Cut("The sum is 4.")),
        ("  two\nthree", False, ("\n",), Cut("  two", stop="\n")),
        ("<think>Two\nand two.</think>\n\nFour.\nYes", False, ("\n",), Cut("Four.", "Two\nand two.", stop="\n")),
        ("Two and two.</think>Four.", True, (), Cut("Four.", "Two and two.")),
        ("<think>Two.</think>Four.", True, (), Cut("Four.", "Two.")),
        ("Two and two.</think>Four.", False, (), Cut("Four.", "Two and two.")),
        ("<think>Two and two, and", False, (), Cut("", "Two and two, and", unclosed=True)),
        ("Two and two, and\n", True, ("\n",), Cut("", "Two and two, and", unclosed=True)),
        ("Well. <think>Two", False, (), Cut("", "Two", unclosed=True)),
        ("<think>\n\n</think>\n\nFour.", False, (), Cut("Four.", "")),
        ("<think>a</think>One, <think>b</think>two", False, (), Cut("One, two", "a\n\nb")),
        ("one\ntwo</think>three", False, ("\n",), Cut("one", stop="\n")),
        ("<think>a</think><", False, ("<",), Cut("", "a", stop="<")),
    ],
)
def test_the_answer_is_what_stands_outside_the_reasoning(
    text: str, begun: bool, stops: tuple[str, ...], expected: Cut
) -> None:
    assert THINK.cut(text, begun=begun, stops=stops) == expected


def test_messages_of_harmony_part_analysis_and_final_answer() -> None:
    text = "<|channel|>analysis<|message|>Two.<|end|><|start|>assistant<|channel|>final<|message|>Four."
    assert HARMONY.cut(text) == Cut("Four.", "Two.")
    assert HARMONY.cut("<|channel|>final<|message|>Four.") == Cut("Four.", "")
    assert HARMONY.cut("<|channel|>analysis<|message|>Two.<|end|>").unclosed


def test_texts_around_the_answer_are_no_part_of_it() -> None:
    text = "<|begin_of_thought|>a<|end_of_thought|>\n\n<|begin_of_solution|>\nFour.\n<|end_of_solution|>"
    assert SOLUTION.cut(text) == Cut("Four.", "a")
    assert SOLUTION.cut("<|begin_of_solution|>Four.").answer == "<|begin_of_solution|>Four."


@pytest.mark.parametrize("pair", KNOWN, ids=lambda pair: pair.start)
def test_each_known_pair_is_found_by_its_template_and_by_its_tokens(pair: Thinking) -> None:
    assert find_thinking(f"{{{{ '{pair.start}' }}}} x {{{{ '{pair.end}' }}}}") == pair
    assert find_thinking(None, {pair.start, pair.end, "<s>"}) == pair
    assert find_thinking(f"x.split('{pair.end}')", {pair.start}) == pair
    assert find_thinking(f"{{{{ '{pair.start}' }}}}") == pair
    assert find_thinking(f"x.split('{pair.end}')") is None


def test_a_model_without_such_texts_does_not_think() -> None:
    assert find_thinking("{{ messages[0].content }}", {"<s>", "</s>"}) is None
    assert find_thinking(None) is None


def test_the_key_takes_precedence_over_what_is_found() -> None:
    def spec(**keys: str) -> ModelSpec:
        return ModelSpec(name="a", source="x", **keys)  # type: ignore[arg-type]

    assert thinking_of(spec(), QWEN, {"<think>"}) == KNOWN[0]
    assert thinking_of(spec(thinking="none"), QWEN, {"<think>"}) is None
    assert thinking_of(spec(thinking="Hm:…So:"), QWEN, {"<think>"}) == Thinking("Hm:", "So:")
    # A known pair that is named brings what is known of it.
    assert thinking_of(spec(thinking=HARMONY.named), None) == HARMONY


def test_a_prompt_begins_the_reasoning_where_it_ends_with_the_start() -> None:
    assert THINK.begun("User: Hi <think>\n")
    assert not THINK.begun("User: What does <think> mean?")
    assert not THINK.begun("<think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    ("template", "enable", "expected"),
    [
        (BEGINS, None, True),
        (BEGINS, False, True),
        (QWEN, None, True),
        (QWEN, True, True),
        (QWEN, False, False),
        ("{{ messages[0].content }}", None, False),
    ],
)
def test_whether_a_template_has_the_model_reason_is_known_by_rendering(
    template: str, enable: bool | None, expected: bool
) -> None:
    assert thinks_first(THINK, lambda told: rendered(template, told), enable) is expected


def test_a_template_is_told_by_either_name_and_changes_in_nothing_else() -> None:
    template = "\n {{ thinking }} {{ enable_thinking }}"
    assert rendered(template, True) == "\n True True"
    assert rendered(template, False) == "\n False False"
    assert with_variables("{{ messages }}", False) == "{{ messages }}"
    assert with_variables(template, None) == template
