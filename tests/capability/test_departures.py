from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability.departures import departed
from mplus_eval.capability.task_config import SubtaskConfig, subtask_configs
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.spec.suite import SuiteTask
from tests.task_files import GENERATION, load_task, write_task


def departing(
    tmp_path: Path, definition: dict[str, Any] | None = None, **keys: Any
) -> tuple[SubtaskConfig, tuple[str, ...]]:
    write_task(tmp_path, "words", GENERATION | (definition or {}))
    (changed,), told = departed(SuiteTask(name="words", lm_eval="words", **keys), subtask_configs("words", tmp_path))
    return changed, told


def test_a_suite_ends_answers_otherwise_and_says_so(tmp_path: Path) -> None:
    changed, told = departing(tmp_path, until=["\n\n\n", "Q:"], max_gen_toks=32)
    assert changed.config["generation_kwargs"] == {"until": ["\n\n\n", "Q:"], "do_sample": False, "max_gen_toks": 32}
    assert told == (r'until ["\n\n\n", "Q:"] instead of ["\n"]', "max_gen_toks 32 instead of 256")


def test_the_same_settings_are_no_departure(tmp_path: Path) -> None:
    plain, none = departing(tmp_path)
    same, told = departing(tmp_path, until="\n", max_gen_toks=256)
    assert (none, told) == ((), ())
    assert same.definition_hash(0) == plain.definition_hash(0)
    other, _ = departing(tmp_path, until="\n\n")
    assert other.definition_hash(0) != plain.definition_hash(0)


def test_a_limit_takes_the_place_of_the_one_under_another_name(tmp_path: Path) -> None:
    changed, told = departing(tmp_path, {"generation_kwargs": {"until": "Q:", "max_new_tokens": 8}}, max_gen_toks=9)
    assert changed.config["generation_kwargs"] == {"until": "Q:", "max_gen_toks": 9}
    assert told == ("max_gen_toks 9 instead of 8",)


def test_a_definition_without_settings_stays_greedy(tmp_path: Path) -> None:
    changed, told = departing(tmp_path, {"generation_kwargs": None, "fewshot_delimiter": "##"}, until=["Q:"])
    assert changed.config["generation_kwargs"] == {"do_sample": False, "temperature": 0.0, "until": ["Q:"]}
    assert told == ('until ["Q:"] instead of ["##"]',)


def test_requests_hold_what_the_suite_says(tmp_path: Path) -> None:
    from mplus_eval.capability.generate import build_requests

    write_task(tmp_path, "words", GENERATION)
    loaded = load_task(tmp_path, "words", until=["Q:"], max_gen_toks=5)
    request = build_requests(loaded.subtasks[0], None, numbers=range(1), chat=False)[0]
    assert (request.args[1]["until"], request.args[1]["max_gen_toks"]) == (["Q:"], 5)
    assert loaded.departs == (r'until ["Q:"] instead of ["\n"]', "max_gen_toks 5 instead of 256")


def test_of_a_group_only_what_generates_is_changed_and_a_task_of_choices_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    write_task(tmp_path, "words", GENERATION)
    both = [*subtask_configs("sums", tmp_path), *subtask_configs("words", tmp_path)]
    spec = SuiteTask(name="asked", lm_eval="both", until=["Q:"])
    changed, told = departed(spec, both)
    assert changed[0] is both[0]
    assert len(told) == 1
    with pytest.raises(
        UsageError, match=r"until: of tasks that generate.*\(output_type multiple_choice\); leave out until"
    ):
        departed(spec, both[:1])
    with pytest.raises(SpecError, match="task 'asked': max_gen_toks: of tasks that generate"):
        load_task(tmp_path, max_gen_toks=3)
