"""What a language model is asked when it judges: the package's prompt files, filled in.

The files in `prompts/` ask in the manner of MT-Bench (Zheng et al., arXiv 2306.05685, appendix A), in words of their
own. A prompt is a body, which holds the texts in their order, and a closing instruction that says how to reply: as
JSON, where the server holds the model to a schema, or in plain text with the verdict alone on the last line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from mplus_eval.judges.base import PairwiseItem, Question, SingleAnswer
from mplus_eval.judges.delimiters import delimiter_label, without_control
from mplus_eval.store.hashes import hash_components

if TYPE_CHECKING:
    from jinja2 import Template

LONGEST_REASON = 600
"""Characters of the reason in a reply that is held to a schema, so that it comes to its verdict."""
REFERENCE_CATEGORIES = ("math", "maths", "coding", "reasoning")
"""Where an answer is right or wrong, so that a reference answer helps; elsewhere it would narrow what is good."""
_FILES = tuple(f"{kind}{ending}" for kind in ("pairwise", "grade", "refusal") for ending in ("", "_json", "_text"))


@dataclass(frozen=True)
class Kind:
    """A kind of question to a judge, and what it may reply."""

    name: str
    field: str
    """The field of the reply that is read."""
    choices: tuple[str | int, ...]

    def schema(self, *, bounded: bool) -> dict[str, object]:
        """The JSON Schema of a reply; `bounded` limits the length of the reason, which some servers refuse."""
        kind = "integer" if isinstance(self.choices[0], int) else "string"
        reason = {"type": "string", **({"maxLength": LONGEST_REASON} if bounded else {})}
        return {
            "type": "object",
            "properties": {"reason": reason, self.field: {"type": kind, "enum": list(self.choices)}},
            "required": ["reason", self.field],
            "additionalProperties": False,
        }


PAIRWISE = Kind("pairwise", "verdict", ("A", "B", "C"))
GRADE = Kind("grade", "grade", tuple(range(1, 11)))
REFUSAL = Kind("refusal", "verdict", ("A", "B"))


@dataclass(frozen=True)
class JudgePrompt:
    """One question to a judge."""

    kind: Kind
    body: str

    def text(self, *, structured: bool) -> str:
        """What is sent: the body and how to reply."""
        closing = _template(f"{self.kind.name}_{'json' if structured else 'text'}").render()
        return f"{self.body}\n\n{closing}"


def pairwise_prompt(item: PairwiseItem) -> JudgePrompt:
    """Ask which answer is better; assistant A is the pair's first model."""
    reference = reference_for(item.question, item.turn)
    return _prompt(PAIRWISE, item.question, item.turn, reference, a=item.first, b=item.second)


def grade_prompt(answer: SingleAnswer) -> JudgePrompt:
    """Ask for a grade of the last answer."""
    reference = reference_for(answer.question, answer.turn)
    return _prompt(GRADE, answer.question, answer.turn, reference, answers=answer.answers)


def refusal_prompt(request: str, answer: str) -> JudgePrompt:
    """Ask whether an answer refuses a request."""
    safe_request, safe_answer = without_control(request), without_control(answer)
    label = delimiter_label([safe_request, safe_answer])
    return JudgePrompt(REFUSAL, _template(REFUSAL.name).render(request=safe_request, answer=safe_answer, label=label))


def reference_for(question: Question, turn: int) -> str | None:
    """The reference answer that a judge is shown: none in categories of taste."""
    if question.category is not None and question.category.lower() not in REFERENCE_CATEGORIES:
        return None
    return question.reference(turn)


def prompts_hash() -> str:
    """Hash of all prompt files."""
    return hash_components({name: _read(name) for name in _FILES})


def _prompt(kind: Kind, question: Question, turn: int, reference: str | None, **answers: Sequence[str]) -> JudgePrompt:
    shown: Mapping[str, list[str]] = {
        "questions": [without_control(text) for text in question.turns[:turn]],
        **{name: [without_control(text) for text in texts] for name, texts in answers.items()},
    }
    safe_reference = None if reference is None else without_control(reference)
    label = delimiter_label([*(text for texts in shown.values() for text in texts), safe_reference or ""])
    body = _template(kind.name).render(turn=turn, reference=safe_reference, label=label, **shown)
    return JudgePrompt(kind, body)


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, StrictUndefined

    # Plain text for a model, so nothing is escaped as for a page.
    return Environment(undefined=StrictUndefined, autoescape=False).from_string(_read(name))


def _read(name: str) -> str:
    folder = resources.files("mplus_eval.judges") / "prompts"
    return (folder / f"{name}.jinja").read_text(encoding="utf-8")
