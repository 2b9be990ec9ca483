"""Choices asked for as letters, of models that tell no log-probabilities: what a suite's `choices: generate` says.

    Question: What do plants need to grow?          Question: What do plants need to grow?
    Answer:                                         A. sunlight
        " salt"        -14.2                        B. salt
        " sunlight"     -7.9                        Answer:
    by log-probabilities: `acc` 1                   the model says "A. sunlight": `letter` 1

It is another measure, and has another name: a model that knows an answer may not know how to give its letter. Choices
are listed in an order drawn for each item, the same for every model, since some tasks have the right one always first.
Where a task lists lettered choices itself, as MMLU does, its prompt stays as it is.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mplus_eval.capability.task_config import SubtaskConfig
from mplus_eval.errors import UsageError
from mplus_eval.store.hashes import hash_text

METRIC = "letter"
DEPARTURE = "choices asked for as letters instead of scored by log-probabilities"
"""What a suite with `choices: generate` departs in."""
_CUE = "Answer:"
_GENERATION = {"until": ["\n\n"], "do_sample": False, "max_gen_toks": 32}
_KEYS = ("doc_to_text", "doc_to_choice", "doc_to_target")
_NAMED = re.compile(r"(?i:answer|choice|option)\b(?:\s+is)?\s*:?[\s*_\"']*(?:([A-Z])(?![\w'’])|[(\[]([A-Za-z])[)\]])")
_BARE = re.compile(r"[\s*_\"'(\[]*([A-Z])(?:[\s*_\"'\])]*$|[*_\"'\])]*[.):,\n])")
_BRACKETED = re.compile(r"[(\[]([A-Z])[)\]]")


@dataclass(frozen=True)
class Question:
    """An item with its choices as they are listed.

    Attributes:
        text: the prompt.
        choices: in the order of their letters.
        right: the number of the right one.
    """

    text: str
    choices: tuple[str, ...]
    right: int

    @property
    def letters(self) -> str:
        """One for each choice."""
        return string.ascii_uppercase[: len(self.choices)]


def lettered(subtasks: Sequence[SubtaskConfig]) -> tuple[list[SubtaskConfig], tuple[str, ...]]:
    """Return subtasks with their choices asked for as letters, and in what that is not lm-eval's own way.

    Raises:
        UsageError: a task scores its choices in a way of its own, such as how probable all true ones are together.
    """
    changed = [_asked(subtask) if _has_choices(subtask) else subtask for subtask in subtasks]
    return changed, (DEPARTURE,) if any(map(_has_choices, subtasks)) else ()


def question_of(config: Mapping[str, Any], doc: Mapping[str, Any]) -> Question:
    """A document as it is asked.

    Args:
        config: how the definition makes text, choices and target of it.
        doc: the document.

    Raises:
        UsageError: its choices are no answers to one prompt, or more than one is right.
    """
    text, choices, target = (_resolved(config.get(key), doc) for key in _KEYS)
    if isinstance(choices, Mapping):
        choices = list(choices.values())
    if not isinstance(text, str) or text.isdigit() or not isinstance(choices, list | tuple):
        raise UsageError("choices: generate: its choices are prompts, not answers to one; leave it to `choices: score`")
    if len(choices) > len(string.ascii_uppercase):
        raise UsageError(f"choices: generate: an item has {len(choices)} choices, more than there are letters")
    options = [str(choice).strip() for choice in choices]
    right = _number(target, options)
    if options == list(string.ascii_uppercase[: len(options)]):
        return Question(text, tuple(options), right)
    order = list(range(len(options)))
    random.Random(hash_text(text + "\n".join(options))).shuffle(order)
    listed = [options[place] for place in order]
    body = text.rstrip().removesuffix(_CUE).rstrip()
    lines = [f"{letter}. {option}" for letter, option in zip(string.ascii_uppercase, listed, strict=False)]
    return Question("\n".join([body, *lines, _CUE]), tuple(listed), order.index(right))


def letter_in(text: str, question: Question) -> str:
    """The letter that an answer gives, or that of the choice that it repeats; empty where it gives none."""
    found = (find(text) for find in (_BARE.match, _NAMED.search, _BRACKETED.search))
    letters = [str(match[match.lastindex or 0]).upper() for match in found if match]
    named = next((letter for letter in letters if letter in question.letters), None)
    if named is not None:
        return named
    said = text.strip().rstrip(".").casefold()
    same = [place for place, choice in enumerate(question.choices) if choice.rstrip(".").casefold() == said]
    return question.letters[same[0]] if said and len(same) == 1 else ""


def makes_letters(config: Any) -> bool:
    """Whether a configuration of lm-eval's was made here."""
    return isinstance(config.doc_to_text, partial) and config.doc_to_text.func is _text


def question_of_task(config: Any, doc: Any) -> Question:
    """An item of a task whose configuration was made here; see `question_of`."""
    return question_of(config.doc_to_text.args[0], doc)


def _has_choices(subtask: SubtaskConfig) -> bool:
    return bool(subtask.config.get("output_type") == "multiple_choice")


def _asked(subtask: SubtaskConfig) -> SubtaskConfig:
    config = dict(subtask.config)
    if config.get("process_results") is not None:
        raise UsageError(
            f"choices: generate: {subtask.name} scores its choices in a way of its own; leave it to `choices: score`"
        )
    own = {key: config.pop(key, None) for key in _KEYS}
    examples = dict(config.get("fewshot_config") or {})
    if any(key in examples for key in _KEYS):
        of_examples = {**own, **{key: examples.pop(key) for key in _KEYS if key in examples}}
        examples |= {"doc_to_text": partial(_text, of_examples), "doc_to_target": partial(_letter, of_examples)}
    config |= {
        "output_type": "generate_until",
        "doc_to_text": partial(_text, own),
        "doc_to_target": partial(_letter, own),
        "process_results": partial(_results, own),
        "generation_kwargs": _GENERATION,
        "filter_list": [{"name": "none", "filter": [{"function": "take_first"}]}],
        "metric_list": [{"metric": METRIC, "aggregation": "mean", "higher_is_better": True}],
        **({"fewshot_config": examples} if examples else {}),
    }
    return replace(subtask, config=config)


def _text(config: Mapping[str, Any], doc: Mapping[str, Any]) -> str:
    return question_of(config, doc).text


def _letter(config: Mapping[str, Any], doc: Mapping[str, Any]) -> str:
    question = question_of(config, doc)
    return question.letters[question.right]


def _results(config: Mapping[str, Any], doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    question = question_of(config, doc)
    return {METRIC: float(letter_in(str(results[0]), question) == question.letters[question.right])}


def _resolved(field: Any, doc: Mapping[str, Any]) -> Any:
    """A field of a definition for a document: a column, a template, a function, or a value."""
    from lm_eval.utils import apply_template

    if callable(field):
        return field(doc)
    if not isinstance(field, str):
        return field
    if field in doc:
        return doc[field]
    text = apply_template(field, doc)
    if text.startswith("[") and text.endswith("]"):
        import ast

        try:
            return ast.literal_eval(text)
        except (SyntaxError, ValueError):
            return text
    return text


def _number(target: object, options: Sequence[str]) -> int:
    """The number of the right choice, which a definition gives as a number or as the choice itself."""
    if isinstance(target, str):
        text = target.strip()
        target = options.index(text) if text in options else int(text) if text.isdigit() else None
    if not isinstance(target, int) or isinstance(target, bool) or not 0 <= target < len(options):
        raise UsageError("choices: generate: not one of its choices is the right one; leave it to `choices: score`")
    return target
