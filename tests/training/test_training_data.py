"""What is kept of a recipe's data, and what is left out for its length."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.check import check_recipe
from mplus_eval.training.data.rows import hash_rows
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.training_data import gather
from tests.conftest import TinyModel

PLUS = {"learning_rate": 1e-5, "steps": 1, "batch_size": 2, "answers": 2, "max_new_tokens": 8}
OWN_REWARD = {"rewards": {"mine": {"kind": "function", "source": "math:dist"}}}


def written(path: Path, rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return [{"source": str(path)}]


def n_tokens(base: Path, prompt: str, answer: str | None = None) -> int:
    """Counted independently: the whole dialogue as the template writes it."""
    messages = [{"role": "user", "content": prompt}]
    messages += [] if answer is None else [{"role": "assistant", "content": answer}]
    tokenizer = load_tokenizer(base)
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=answer is None, return_dict=True)["input_ids"]
    return len(ids)


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


def test_a_prompt_is_kept_while_its_longest_answer_still_fits(tiny_model: TinyModel, tmp_path: Path) -> None:
    base = tiny_model()
    prompts = written(tmp_path / "prompts.jsonl", [{"prompt": asked(n)} for n in (3, 20, 21)])
    fits = n_tokens(base, asked(20))
    kept = gather(recipe(base, prompts=prompts, max_length=fits + 8)).prompts

    assert {prompt.messages[0].content for prompt in kept.rows} == {asked(3), asked(20)}
    assert (kept.described[0].n, kept.described[0].n_too_long) == (2, 1)
    without = gather(recipe(base, prompts=prompts, max_length=fits + 7)).prompts
    assert [prompt.messages[0].content for prompt in without.rows] == [asked(3)]


def test_all_models_see_the_prompts_that_leave_room_for_the_longest_answer(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    base = tiny_model()
    prompts = written(tmp_path / "prompts.jsonl", [{"prompt": asked(n)} for n in (3, 20)])
    both = {"plus": PLUS | OWN_REWARD, "long": PLUS | OWN_REWARD | {"max_new_tokens": 9}}
    kept = gather(recipe(base, prompts=prompts, rlhf=both, max_length=n_tokens(base, asked(20)) + 8)).prompts

    assert [prompt.messages[0].content for prompt in kept.rows] == [asked(3)]


def test_prompts_of_pairs_are_kept_by_the_same_rule_and_described_as_used(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    base = tiny_model()
    rows = [{"prompt": asked(n), "chosen": "yes", "rejected": "no"} for n in (3, 20, 40)]
    pairs = written(tmp_path / "pairs.jsonl", rows)
    longest = n_tokens(base, asked(20), "yes")
    assert n_tokens(base, asked(20)) + 8 > longest
    material = gather(recipe(base, pairs=pairs, held_out=0, max_length=longest))

    assert {pair.prompt[0].content for pair in material.pairs.rows} == {asked(3), asked(20)}
    assert [prompt.messages[0].content for prompt in material.prompts.rows] == [asked(3)]
    (described,) = material.prompts.described
    assert (described.kind, described.n, described.n_too_long) == ("prompts", 1, 2)
    assert described.hash == hash_rows(material.prompts.rows)


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


def test_data_that_cannot_be_read_are_not_too_few_besides(tiny_model: TinyModel, tmp_path: Path) -> None:
    reward = {"learning_rate": 1e-5, "batch_size": 2}
    absent = [{"source": str(tmp_path / "absent.jsonl")}]
    with pytest.raises(SpecError) as caught:
        gather(recipe(tiny_model(), pairs=absent, reward=reward, check={}))
    assert caught.value.faults == (f"{tmp_path / 'absent.jsonl'}: no such file or folder",)


def test_no_prompts_to_measure_with_is_one_line(tiny_model: TinyModel, tmp_path: Path) -> None:
    pairs = written(tmp_path / "pairs.jsonl", [{"prompt": "river", "chosen": "yes", "rejected": "no"}])
    with pytest.raises(SpecError, match="check: no prompts to measure with") as caught:
        gather(recipe(tiny_model(), pairs=pairs, held_out=0, check={}))
    assert len(caught.value.faults) == 1
