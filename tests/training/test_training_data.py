"""What is kept of a recipe's data, and what is left out for its length."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.records.training import read_record
from mplus_eval.training.check import check_recipe
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.train import train
from mplus_eval.training.training_data import gather
from tests.conftest import TinyModel
from tests.training import small

PLUS = {"learning_rate": 1e-5, "steps": 1, "batch_size": 2, "answers": 2, "max_new_tokens": 8}
OWN_REWARD = {"rewards": {"mine": {"kind": "function", "source": "math:dist"}}}


def written(path: Path, rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return [{"source": str(path)}]


def recipe(base: Path, **changes: Any) -> Recipe:
    fields = {
        "base": str(base),
        "output": base.parent / "output",
        "device": "cpu",
        "rlhf": {"plus": PLUS | OWN_REWARD},
        "check": {"prompts": [{"source": "demo:provoking", "n": 1}]},
    }
    return Recipe.model_validate(fields | changes)


def asked(n_words: int) -> str:
    return " ".join(["river"] * n_words)


@pytest.mark.parametrize("look", [gather, check_recipe])
def test_no_prompt_that_fits_is_one_line(look: Any, tiny_model: TinyModel, tmp_path: Path) -> None:
    base = tiny_model()
    prompts = written(tmp_path / "prompts.jsonl", [{"prompt": asked(20)}, {"prompt": asked(30)}])
    with pytest.raises(SpecError) as caught:
        look(recipe(base, prompts=prompts, max_length=20))
    assert caught.value.faults == (
        "rlhf: no prompt is left: 2 left out for their length; a prompt may have 12 tokens, max_length 20 less "
        "max_new_tokens 8",
    )


def test_too_few_prompts_say_how_many_were_left_out(tiny_model: TinyModel, tmp_path: Path) -> None:
    prompts = written(tmp_path / "prompts.jsonl", [{"prompt": "river"}, {"prompt": asked(200)}])
    few = {"plus": PLUS | OWN_REWARD | {"batch_size": 4}}
    with pytest.raises(SpecError, match=r"1 prompts are fewer than a batch of 2 \(1 left out for their length; "):
        gather(recipe(tiny_model(), prompts=prompts, rlhf=few, max_length=100))


def test_answers_as_long_as_a_row_leave_no_room_for_a_prompt(tiny_model: TinyModel) -> None:
    with pytest.raises(ValueError, match="max_new_tokens 8 leaves no room for a prompt in max_length 8"):
        recipe(tiny_model(), prompts=[{"source": "demo:provoking"}], max_length=8)


def test_no_prompts_to_measure_with_is_one_line(tiny_model: TinyModel, tmp_path: Path) -> None:
    pairs = written(tmp_path / "pairs.jsonl", [{"prompt": "river", "chosen": "yes", "rejected": "no"}])
    with pytest.raises(SpecError, match="check: no prompts to measure with") as caught:
        gather(recipe(tiny_model(), pairs=pairs, held_out=0, check={}))
    assert len(caught.value.faults) == 1


def test_fewer_rows_than_a_batch_are_refused(tmp_path: Path) -> None:
    few = [{"source": "demo:pairs", "n": 8}]
    with pytest.raises(SpecError, match="fewer than a batch of 8"):
        train(small.recipe(tmp_path, pairs=few))
    assert not any(tmp_path.iterdir())


def test_evaluated_prompts_are_not_trained_on(trained: Path) -> None:
    record = read_record(trained / "plus")
    assert record is not None
    assert record.data[0].n_evaluation_prompts > 0
