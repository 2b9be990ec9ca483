from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mplus_eval.capability.thinking import thinking_faults
from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import load_suite
from tests.capability.test_axis import axis
from tests.models.test_thinking import BEGINS, QWEN
from tests.models.test_thinking_template import model
from tests.toy import write_tasks


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
