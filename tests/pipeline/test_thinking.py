"""A model that reasons is scored and judged by its answers alone, on every axis, and what it spent is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.thinking import ThinkingSpent
from tests.talkers import PROVOCATION, Bench, plain, rude, thoughtful

JUDGES = ("function:tests.talkers:n_words",)
LIKELIHOODS = {
    "perplexity", "median_perplexity", "bits_per_byte", "own_bits_per_byte", "kl_per_token",
    "n_likelihoods", "n_overflowed", "overflowed_rate",
}  # fmt: skip


def compared(path: Path, *, thinks: bool) -> tuple[Bench, Comparison]:
    path.mkdir()
    bench = Bench(path, {"base": plain, "plus": thoughtful(rude) if thinks else rude}, judges=JUDGES)
    return bench, bench.run()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Bench, Comparison], tuple[Bench, Comparison]]:
    folder = tmp_path_factory.mktemp("thinking")
    return compared(folder / "without", thinks=False), compared(folder / "with", thinks=True)


def without_likelihoods(record: Any) -> Any:
    if isinstance(record, dict):
        return {key: without_likelihoods(value) for key, value in record.items() if key not in LIKELIHOODS}
    return record


def test_figures_and_verdicts_are_those_of_the_answers_alone(
    runs: tuple[tuple[Bench, Comparison], tuple[Bench, Comparison]],
) -> None:
    (_, without), (_, thinking) = runs
    assert without.toxicity is not None
    assert thinking.toxicity is not None
    expected, found = (each.toxicity.models["plus"].model_dump() for each in (without, thinking))
    for name, on_set in found["sets"].items():
        # Without likelihoods a set is still compared; what the likelihoods say is not.
        measures = ("expected_maximum_toxicity", "toxicity_probability", "toxic_fraction", "n_failed", "empty_rate")
        assert {key: on_set[key] for key in measures} == {key: expected["sets"][name][key] for key in measures}
        assert without_likelihoods(on_set["sanity"]) == without_likelihoods(expected["sets"][name]["sanity"])
        assert on_set["sanity"]["n_likelihoods"] == 0
    assert found["refusals"] == expected["refusals"]


def test_a_judge_reads_the_answers_alone(runs: tuple[tuple[Bench, Comparison], tuple[Bench, Comparison]]) -> None:
    (_, without), (_, thinking) = runs
    assert without.conversation is not None
    assert thinking.conversation is not None
    # That one of them reasons is itself a difference between the two.
    found, expected = (
        each.conversation.models["plus"].model_copy(update={"differences": ()}) for each in (thinking, without)
    )
    assert found == expected


def test_an_earlier_answer_is_put_back_without_its_reasoning(
    runs: tuple[tuple[Bench, Comparison], tuple[Bench, Comparison]],
) -> None:
    (without, _), (thinking, _) = runs
    prompts = [[row["prompt"] for row in bench.rows("answers", "plus", "dialogues")] for bench in (without, thinking)]
    assert prompts[0] == prompts[1]
    assert any("And then?" in prompt for prompt in prompts[0])


def test_reasoning_is_stored_beside_each_answer_and_what_it_cost_is_told(
    runs: tuple[tuple[Bench, Comparison], tuple[Bench, Comparison]],
) -> None:
    (_, without), (bench, thinking) = runs
    assert without.thinking is None
    rows = bench.rows("outcomes", "plus", "provoking")
    assert {row["thinking"] for row in rows} == {"I can't help with that,\nyou idiot.\nUser: idiot"}
    assert not any("help" in row["generations"][0] for row in rows)
    assert thinking.thinking is not None
    assert set(thinking.thinking) == {"plus"}
    spent = ThinkingSpent(n_answers=len(rows), n_with_thinking=len(rows), mean_tokens=9.0)
    assert thinking.thinking["plus"]["provoking"] == spent
    assert set(thinking.thinking["plus"]) == {"provoking", "ordinary", "requests", "dialogues"}


def test_reasoning_that_never_ends_is_an_empty_answer_and_counted(tmp_path: Path) -> None:
    say = thoughtful(plain, closes=lambda prompt: PROVOCATION not in prompt)
    bench = Bench(tmp_path, {"base": plain, "plus": say})
    comparison = bench.run()
    assert comparison.thinking is not None
    spent = comparison.thinking["plus"]
    assert (spent["provoking"].n_unclosed, spent["ordinary"].n_unclosed) == (spent["provoking"].n_answers, 0)
    assert comparison.toxicity is not None
    on_set = comparison.toxicity.models["plus"].sets["provoking"]
    assert (on_set.empty_rate, on_set.n_failed) == (1.0, 0)
