from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.backends.base import Response
from mplus_eval.capability.thinking import thinking_faults
from mplus_eval.errors import SpecError
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.models.thinking import KNOWN
from mplus_eval.records.thinking import ThinkingSpent
from mplus_eval.spec.suite import load_suite
from tests.capability.test_axis import axis
from tests.models.test_thinking import BEGINS, QWEN
from tests.models.test_thinking_template import model
from tests.toy import Before, Bench, RuleBackend, write_tasks


def test_each_model_that_would_reason_first_is_refused_in_one_line_with_the_way_out(tmp_path: Path) -> None:
    models = [model(tmp_path / "a", QWEN), model(tmp_path / "b", "{{ messages }}"), model(tmp_path / "c", BEGINS)]
    one, other = thinking_faults(models, ["mmlu", "arc_easy", "hellaswag", "race_high", "winogrande"])
    assert one == (
        "model 'm': chat_template=true has it reason first (<think>…</think>), and the choices of mmlu, arc_easy, "
        "hellaswag and 2 more would be scored in the place of its reasoning; accepted: enable_thinking=false, "
        "chat_template=false, tasks that are generated, or `thinking: flag` in the suite"
    )
    # What does not heed the variable is not told to set it.
    assert "enable_thinking" not in other


def test_choices_are_refused_unless_the_suite_flags_them(tmp_path: Path) -> None:
    refusing, models = axis(tmp_path), [model(tmp_path / "m", BEGINS)]
    with pytest.raises(SpecError, match="choices of sums would be scored"):
        refusing.for_models(models)
    flagging = replace(refusing, suite=refusing.suite.model_copy(update={"thinking": "flag"}))
    assert flagging.for_models(models) is flagging


def test_tasks_that_are_generated_are_not_concerned(tmp_path: Path) -> None:
    generating = axis(tmp_path, tasks="words")
    assert generating.for_models([model(tmp_path / "m", BEGINS)]) is generating


def test_a_suite_says_refuse_or_flag(tmp_path: Path) -> None:
    path = write_tasks(tmp_path)
    assert load_suite(str(path)).thinking == "refuse"
    path.write_text(path.read_text() + "thinking: flag\n")
    assert load_suite(str(path)).thinking == "flag"
    path.write_text(path.read_text().replace("thinking: flag", "thinking: allow"))
    with pytest.raises(SpecError, match="thinking 'allow': input should be 'refuse' or 'flag'"):
        load_suite(str(path))


class Reasoner(RuleBackend):
    """As `RuleBackend`, with reasoning before every generated answer that holds all of the right ones."""

    closes = True

    def _respond(self, request: Any) -> Response:
        plain = super()._respond(request)
        if plain.text is None or self.name == "base":
            return plain
        reasoning = f"<think>{' '.join(map(str, range(20)))}\n"
        cut = KNOWN[0].cut(f"{reasoning}</think>\n\n{plain.text}" if self.closes else reasoning)
        return Response(cut.answer, thinking=cut.thinking, n_thinking=23, unclosed=cut.unclosed)


class ReasoningBench(Bench):
    closes = True

    def load(self, model: ResolvedModel, before: Before | None = None) -> RuleBackend:
        backend = Reasoner(model.spec.name, before)
        backend.closes = self.closes
        return backend


def test_a_metric_reads_the_answer_alone(tmp_path: Path) -> None:
    without, thinking = Bench(tmp_path / "without").compare(), ReasoningBench(tmp_path / "with").compare()
    for task in ("sums", "words"):
        assert thinking.tasks[task].scores == without.tasks[task].scores
    assert thinking.thinking == {"plus": {"words": ThinkingSpent(n_answers=12, n_with_thinking=12, mean_tokens=23.0)}}


def test_without_an_answer_an_item_is_wrong_and_not_failed(tmp_path: Path) -> None:
    bench = ReasoningBench(tmp_path)
    bench.closes = False
    comparison = bench.compare()
    score = comparison.tasks["words"].scores["plus"]
    assert (score.value, score.n_scored, score.n_failed) == (0.0, 12, 0)
    assert comparison.thinking is not None
    assert comparison.thinking["plus"]["words"].n_unclosed == 12
