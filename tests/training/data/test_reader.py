"""What is kept of a recipe's data, and what is left out for its length."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.data.rows import hash_rows
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.training_data import gather
from tests.conftest import TinyModel

PLUS = {"learning_rate": 1e-5, "steps": 1, "batch_size": 2, "answers": 2, "max_new_tokens": 8}


REWARD = {"learning_rate": 1e-5, "batch_size": 2, "referee": True}


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
    data = gather(recipe(base, pairs=pairs, held_out=0, max_length=longest))

    assert {pair.prompt[0].content for pair in data.pairs.rows} == {asked(3), asked(20)}
    assert [prompt.messages[0].content for prompt in data.prompts.rows] == [asked(3)]
    (described,) = data.prompts.described
    assert (described.kind, described.n, described.n_too_long) == ("prompts", 1, 2)
    assert described.hash == hash_rows(data.prompts.rows)


def test_data_that_cannot_be_read_are_not_too_few_besides(tiny_model: TinyModel, tmp_path: Path) -> None:
    reward = {"learning_rate": 1e-5, "batch_size": 2}
    absent = [{"source": str(tmp_path / "absent.jsonl")}]
    with pytest.raises(SpecError) as caught:
        gather(recipe(tiny_model(), pairs=absent, reward=reward, check={}))
    assert caught.value.faults == (f"{tmp_path / 'absent.jsonl'}: no such file or folder",)


def test_test_pairs_stand_in_place_of_a_share_and_begin_as_no_pair_that_is_trained_on(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    base = tiny_model()

    def pair(prompt: str, chosen: str = "yes") -> dict[str, str]:
        return {"prompt": prompt, "chosen": chosen, "rejected": "no"}

    pairs = written(tmp_path / "train.jsonl", [pair(asked(n)) for n in range(1, 9)])
    tests = written(tmp_path / "test.jsonl", [pair("a lamp"), pair(asked(3).upper()), pair("b", asked(500))])
    found = gather(recipe(base, pairs=pairs, test_pairs=tests, reward=REWARD, max_length=100))
    # All pairs are trained on, by the two reward models; the second test pair is one of them, the third is too long.
    assert len(found.pairs.rows) + len(found.referee_pairs.rows) == 8
    assert [pair.prompt[0].content for pair in found.held_out] == ["a lamp"]
    assert [length.whole for length in found.row_lengths(found.held_out)] == [n_tokens(base, "a lamp", "yes")]


def test_test_pairs_and_a_share_cannot_both_be_asked_for(tmp_path: Path) -> None:
    pairs = [{"source": "demo:pairs"}]
    with pytest.raises(ValueError, match="held_out and test_pairs both say"):
        recipe(tmp_path, pairs=pairs, test_pairs=pairs, held_out=0.2, reward=REWARD)
