from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.judges.chosen import chosen_judges
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.spec.suite import Suite
from tests.spec.test_trajectory import record
from tests.specs import build_spec

HUMAN, LLM = "human:verdicts.csv", "llm:judge@http://127.0.0.1:1/v1"


def chosen(folder: Path, of_suite: tuple[str, ...] = (), n_models: int = 2, **options: Any) -> tuple[str, ...]:
    settings = ConversationSettings(dialogues="demo", judges=of_suite)
    suite = Suite(name="talk", tasks=(), conversation=settings)
    return chosen_judges(build_spec(["base=./base"], options=options), suite, [folder / "plus"] * n_models)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A folder with a reward model in it, as training leaves it."""
    (tmp_path / "reward").mkdir()
    record(9, name="reward", method="reward model").write(tmp_path / "reward")
    return tmp_path


def test_judges_that_are_named_come_before_the_suites(tmp_path: Path) -> None:
    assert chosen(tmp_path, (HUMAN,)) == (HUMAN,)
    assert chosen(tmp_path, (HUMAN,), judges=[LLM]) == (LLM,)


def test_a_reward_model_that_lies_there_judges_where_nobody_is_named(trained: Path, tmp_path: Path) -> None:
    assert chosen(trained) == ("reward",)
    assert chosen(tmp_path / "elsewhere") == ()


def test_the_held_out_reward_model_decides_before_the_one_that_models_were_trained_by(trained: Path) -> None:
    (trained / "referee").mkdir()
    record(9, name="referee", method="reward model").write(trained / "referee")
    assert chosen(trained) == ("referee", "reward")
    assert chosen(trained, ("referee", HUMAN)) == ("referee", HUMAN)


def test_a_suites_reward_model_is_left_out_where_there_is_none(tmp_path: Path, trained: Path) -> None:
    assert chosen(tmp_path / "elsewhere", ("reward", HUMAN)) == (HUMAN,)
    assert chosen(trained, ("reward", HUMAN)) == ("reward", HUMAN)
    assert chosen(trained, ("referee", HUMAN)) == (HUMAN,)


def test_a_reward_model_that_was_asked_for_stays_so_that_its_absence_is_told(tmp_path: Path) -> None:
    assert chosen(tmp_path, judges=["reward"]) == ("reward",)


def test_without_dialogues_or_a_second_model_only_those_that_were_named_are_there(trained: Path) -> None:
    assert chosen(trained, (HUMAN,), n_models=1) == ()
    assert chosen(trained, (HUMAN,), n_models=1, judges=[LLM]) == (LLM,)
    assert chosen(trained, (HUMAN,), conversation=False, judges=[LLM]) == (LLM,)
