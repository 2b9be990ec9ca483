"""Reasoning before answers: what it came to in words, and single ones folded beside the answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.stored import StoredAnswer
from mplus_eval.reports.text import enumerated, truncate_end

THOUGHT_LENGTH = 1500
THINKING_COLUMNS = ("thinking", "n_thinking", "unclosed")


@dataclass(frozen=True)
class Thought:
    """The reasoning before one answer, shown when asked for."""

    title: str
    text: str


def thought(row: StoredAnswer) -> Thought | None:
    """The reasoning before a stored answer; None where there was none."""
    if row.thinking is None:
        return None
    size = f", {formats.counted(row.n_thinking, 'token')}" if row.n_thinking else ""
    ending = ", never ended: no answer" if row.unclosed else ""
    text = truncate_end(row.thinking, THOUGHT_LENGTH) if row.thinking.strip() else "(nothing)"
    return Thought(f"Reasoning{size}{ending}", text)


def thinking_notes(comparison: Comparison, tasks: Collection[str]) -> Iterable[str]:
    """What models spent on reasoning on tasks, prompt sets or dialogues, and where it never ended or had no place."""
    for model in comparison.models:
        spent = {task: found for task, found in (comparison.thinking or {}).get(model, {}).items() if task in tasks}
        counted = [
            f"{formats.count(round(found.mean_tokens))} on {task}"
            for task, found in spent.items()
            if found.mean_tokens is not None and found.n_with_thinking
        ]
        if counted:
            yield f"{model}: reasoning tokens per answer, on average: {enumerated(counted)}. They are not scored."
        for task, found in spent.items():
            if found.n_unclosed:
                yield (
                    f"{model} × {task}: {formats.counted(found.n_unclosed, 'answer')} of "
                    f"{formats.count(found.n_answers)} never ended the reasoning; scored as no answer."
                )
        if skipped := [task for task, found in spent.items() if found.skipped]:
            yield (
                f"{model}: its chat template has it reason first; the choices of {enumerated(skipped)} were scored in "
                "the place of its reasoning."
            )
