"""The reasoning before an answer: the texts around it, how they are found, and what of a text is the answer.

    <think>Two and two, so four.</think>

    The sum is 4.

The first line is the reasoning, and the answer is "The sum is 4." Nothing that scores or judges an answer sees the
first, which is stored beside it. Many templates write the start into the prompt, so that only the end comes back; some
write an empty, closed reasoning there where `enable_thinking` is false, and then none is begun.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from mplus_eval.spec.model import ModelSpec, thinking_texts

DEFAULT_TOKENS = 2048
"""Most tokens of reasoning where a model's `thinking_tokens` says nothing; less where the context leaves less."""

Render = Callable[[bool | None], str]
"""A user's turn in the model's template with the prompt to answer, as it is when `enable_thinking` is told so."""


@dataclass(frozen=True)
class Cut:
    """A text parted into reasoning and answer.

    Attributes:
        answer: what is scored; empty where the reasoning never ended.
        thinking: the reasoning without the texts around it; None where there was none.
        unclosed: whether it never ended.
        stop: the stop string that ended the answer, where one did.
    """

    answer: str
    thinking: str | None = None
    unclosed: bool = False
    stop: str | None = None


@dataclass(frozen=True)
class Thinking:
    """The texts around a model's reasoning.

    Attributes:
        start: before it.
        end: after it.
        tail: what some formats write between reasoning and `end`; end tokens in it part messages, and end no answer.
        around: what some models put around the answer itself, left out of it.
    """

    start: str
    end: str
    tail: str = ""
    around: tuple[str, str] = ("", "")

    @property
    def named(self) -> str:
        """As the key `thinking` takes it."""
        return f"{self.start}…{self.end}"

    def begun(self, prompt: str) -> bool:
        """Whether a prompt begins the reasoning, so that only its end comes back."""
        return prompt.rstrip().endswith(self.start.rstrip())

    def cut(self, text: str, *, begun: bool = False, stops: Sequence[str] = ()) -> Cut:
        """Part what was generated.

        Args:
            text: the whole of it, special tokens of these texts among it.
            begun: whether the prompt begins the reasoning.
            stops: texts that end an answer; they do not act inside the reasoning.
        """
        thoughts: list[str] = []
        said: list[str] = []
        inside, rest = begun, text
        stop: str | None = None
        while True:
            if inside:
                thought, end, rest = rest.partition(self.end)
                thoughts.append(thought)
                if not end:
                    return Cut("", self._thought(thoughts), unclosed=True)
                inside = False
            # A blank line after the reasoning is no stop string's business.
            rest = rest if "".join(said).strip() or not thoughts else rest.lstrip()
            marks = [mark for mark in (*stops, self.start, self.end) if mark and mark in rest]
            if not marks:
                said.append(rest)
                break
            mark = min(marks, key=lambda text: (rest.index(text), -len(text)))
            before, _, rest = rest.partition(mark)
            if mark == self.start:
                said.append(before)
                inside = True
            elif mark == self.end:
                # Only the end came back.
                thoughts.append("".join([*said, before]))
                said = []
            else:
                said.append(before)
                stop = mark
                break
        if not thoughts:
            return Cut("".join(said), stop=stop)
        return Cut(self._answer("".join(said)), self._thought(thoughts), stop=stop)

    def _thought(self, thoughts: Sequence[str]) -> str:
        """Several stretches become one text; a model may write the start again that the prompt has."""
        cleaned = (each.strip().removeprefix(self.start).removesuffix(self.tail).strip() for each in thoughts)
        return "\n\n".join(each for each in cleaned if each)

    def _answer(self, text: str) -> str:
        opening, closing = self.around
        if not opening or not text.startswith(opening):
            return text
        return text.removeprefix(opening).lstrip().partition(closing)[0].rstrip()


KNOWN = (
    Thinking("<think>", "</think>", around=("<response>", "</response>")),  # DeepSeek-R1, Qwen3, GLM, Granite 3.3
    Thinking("[THINK]", "[/THINK]"),  # Magistral
    Thinking("<thinking>", "</thinking>"),
    Thinking("<thought>", "</thought>"),  # EXAONE Deep
    Thinking("<reasoning>", "</reasoning>"),
    Thinking("<seed:think>", "</seed:think>"),  # Seed-OSS
    Thinking("◁think▷", "◁/think▷"),  # Kimi-VL
    Thinking(
        "<|begin_of_thought|>",
        "<|end_of_thought|>",
        around=("<|begin_of_solution|>", "<|end_of_solution|>"),  # Sky-T1, OpenThinker
    ),
    Thinking("<|START_THINKING|>", "<|END_THINKING|>", around=("<|START_RESPONSE|>", "<|END_RESPONSE|>")),  # Command A
    Thinking("<|channel>thought", "<channel|>"),  # Gemma 4
    Thinking("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    Thinking("<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|end|><|start|>assistant"),  # gpt-oss
    Thinking("Here is my thought process:", "Here is my response:"),  # Granite 3.2
)
"""Pairs that `auto` looks for, the first that is found; any other is named as `thinking=START…END`."""


def find_thinking(template: str | None, added_tokens: Collection[str] = ()) -> Thinking | None:
    """The pair of a model whose texts its chat template holds, or that are tokens of their own; None without one.

    A template that holds the end alone, since it takes earlier reasoning out, is enough where the start is a token; one
    that holds the start alone begins the reasoning.
    """
    template = template or ""
    for pair in KNOWN:
        if pair.start in template or (pair.end in template and pair.start in added_tokens):
            return pair
    return next((pair for pair in KNOWN if pair.start in added_tokens and pair.end in added_tokens), None)


def thinking_of(spec: ModelSpec, template: str | None, added_tokens: Collection[str] = ()) -> Thinking | None:
    """The pair of a model, as its key `thinking` says it; None where nothing is to be cut."""
    if spec.thinking == "none":
        return None
    if (texts := thinking_texts(spec.thinking)) is None:
        return find_thinking(template, added_tokens)
    return next((pair for pair in KNOWN if (pair.start, pair.end) == texts), Thinking(*texts))


def thinks_first(thinking: Thinking, render: Render, enable: bool | None) -> bool:
    """Whether a template has the model reason before it answers.

    It does where its prompt begins the reasoning, and where it would close an empty one if `enable_thinking` were false
    and does not.

    Args:
        thinking: the pair.
        render: a turn in the template.
        enable: what the template is told; None where it is told nothing.
    """
    prompt = render(enable)
    if thinking.begun(prompt):
        return True
    end = thinking.end.strip()
    return not prompt.rstrip().endswith(end) and render(False).rstrip().endswith(end)


def with_variables(template: str, enable_thinking: bool | None) -> str:
    """A chat template that has `enable_thinking` at its top, so that whoever renders it is told the same.

    Some families call it `thinking`. A template that heeds neither stays as it is.
    """
    if enable_thinking is None:
        return template
    names = [name for name in ("enable_thinking", "thinking") if name in template]
    told = "".join(f"{{% set {name} = {str(enable_thinking).lower()} +%}}" for name in names)
    return told + template
