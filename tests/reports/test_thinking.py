"""Reasoning in the report: folded, escaped, and told in a line where models spent any."""

from __future__ import annotations

from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.thinking import ThinkingSpent
from mplus_eval.reports.render import write_report
from mplus_eval.reports.stored import StoredAnswer
from mplus_eval.reports.thinking import THOUGHT_LENGTH, Thought, thinking_notes, thought
from tests.reports import build, build_conversation, build_toxicity

HOSTILE = "Hm </details><script>alert(1)</script>"
SHOWN = "Hm &lt;/details&gt;&lt;script&gt;alert(1)&lt;/script&gt;"


def spending(comparison: Comparison, **spent: ThinkingSpent) -> Comparison:
    return comparison.model_copy(update={"thinking": {"plus": spent}})


def test_what_was_spent_is_a_line_a_model_and_what_went_wrong_a_line_each() -> None:
    spent = {
        "gsm8k": ThinkingSpent(n_answers=200, n_with_thinking=190, n_unclosed=3, mean_tokens=1412.4),
        "drop": ThinkingSpent(n_answers=100, n_with_thinking=100, mean_tokens=80.0),
        "mmlu": ThinkingSpent(n_answers=0, skipped=True),
        "provoking": ThinkingSpent(n_answers=5, n_with_thinking=5, n_unclosed=1),
    }
    comparison = spending(build.full(), **spent)
    assert list(thinking_notes(comparison, ("gsm8k", "drop", "mmlu"))) == [
        "plus: reasoning tokens per answer, on average: 1,412 on gsm8k and 80 on drop. They are not scored.",
        "plus × gsm8k: 3 answers of 200 never ended the reasoning; scored as no answer.",
        "plus: its chat template has it reason first; the choices of mmlu were scored in the place of its reasoning.",
    ]
    assert list(thinking_notes(comparison, ("provoking",))) == [
        "plus × provoking: 1 answer of 5 never ended the reasoning; scored as no answer."
    ]
    assert list(thinking_notes(build.full(), ("gsm8k",))) == []


def test_reasoning_is_told_with_its_size_and_whether_it_ended() -> None:
    assert thought(StoredAnswer(item_id="1", sample=0)) is None
    row = StoredAnswer(item_id="1", sample=0, thinking="so\u202eit", n_thinking=1, unclosed=True)
    assert thought(row) == Thought("Reasoning, 1 token, never ended: no answer", "so⟨U+202E⟩it")
    long = thought(StoredAnswer(item_id="1", sample=0, thinking="x" * 2 * THOUGHT_LENGTH))
    assert long == Thought("Reasoning", "x" * THOUGHT_LENGTH + " …")
    assert thought(StoredAnswer(item_id="1", sample=0, thinking=" ")) == Thought("Reasoning", "(nothing)")


def folded(page: str) -> int:
    """How often the reasoning stands in the page, each time folded and escaped."""
    assert "<script>alert(1)" not in page
    text = f'<summary>Reasoning, 7 tokens</summary><p class="said reason small" dir="auto">{SHOWN}'
    opened = ('<details class="thought">', '<details class="thought veiled">')
    assert page.count(SHOWN) == sum(page.count(f"{details}{text}") for details in opened)
    return page.count(SHOWN)


def test_items_show_reasoning_folded_and_escaped(tmp_path: Path) -> None:
    spent = ThinkingSpent(n_answers=9, n_with_thinking=9, mean_tokens=7)
    spending(build.full(), gsm8k=spent).write(tmp_path / "comparison.json")
    build.write_outcomes(tmp_path, "base", "gsm8k", [build.outcome(1, 1.0)])
    thinking = {"thinking": HOSTILE, "n_thinking": 7}
    build.write_outcomes(tmp_path, "plus", "gsm8k", [build.outcome(1, 0.0, **thinking)])
    write_report(tmp_path)
    assert folded((tmp_path / "report.html").read_text()) == 1
    markdown = (tmp_path / "report.md").read_text()
    assert "- plus: reasoning tokens per answer, on average: 7 on gsm8k. They are not scored." in markdown


def test_examples_show_reasoning_folded_and_as_veiled_as_they_are(tmp_path: Path) -> None:
    build_toxicity.toxicity_alone().write(tmp_path / "comparison.json")
    rows = [
        build_toxicity.answer(item, 0, score, "calm", thinking=HOSTILE, n_thinking=7)
        for item, score in ((1, 0.9), (2, 0.1))
    ]
    for name in ("provoking", "ordinary"):
        build.write_outcomes(tmp_path, "base", name, rows)
    write_report(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert folded(page) > 3
    # A prompt that provokes veils what was thought of it, and so does a toxic answer.
    assert page.count('class="thought veiled"') > page.count('class="thought"') > 0


def test_dialogues_show_reasoning_folded_and_escaped(tmp_path: Path) -> None:
    comparison = build_conversation.talk_alone()
    build_conversation.write_run(tmp_path, comparison)
    name = comparison.conversation.name if comparison.conversation else ""
    spending(comparison, **{name: ThinkingSpent(n_answers=9, n_with_thinking=9, mean_tokens=7)}).write(
        tmp_path / "comparison.json"
    )
    rows = [
        build_conversation.answer_row(item, turn, "Yes.", thinking=HOSTILE, n_thinking=7)
        for item in range(20)
        for turn in (1, 2)
    ]
    build_conversation.store_answers(tmp_path, "plus", rows)
    write_report(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert folded(page) > 2
    assert f"plus: reasoning tokens per answer, on average: 7 on {name}. They are not scored." in page
