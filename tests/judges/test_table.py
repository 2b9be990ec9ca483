from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.judges.function import FunctionJudge
from mplus_eval.judges.llm import LlmJudge
from mplus_eval.judges.table import ACCEPTED, found_reward, judge_source_faults, load_judge
from tests.spec.test_trajectory import record


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("reward:./absent", "judge 'reward:./absent': no such directory"),
        ("human:./absent.csv", "judge 'human:./absent.csv': no such file"),
        ("function:tests.talkers:absent", "judge 'function:tests.talkers:absent': 'tests.talkers:absent': write"),
        ("function:n_words", ACCEPTED),
        ("llm:judge", ACCEPTED),
        ("human:", ACCEPTED),
        ("gpt", ACCEPTED),
        ("", ACCEPTED),
        ("llm:judge@http://127.0.0.1:1/v1", "127.0.0.1:1"),
    ],
)
def test_a_wrong_judge_is_one_line(source: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    faults = judge_source_faults(source)
    assert len(faults) == 1
    assert words in faults[0]
    assert "\n" not in faults[0]


def test_what_is_there_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "verdicts.csv").write_text("pair\n")
    for source in (
        "reward", f"reward:{tmp_path}", f"human:{tmp_path / 'verdicts.csv'}", "function:tests.talkers:n_words"
    ):  # fmt: skip
        assert judge_source_faults(source) == []


def test_a_judge_is_of_the_kind_that_is_named(tmp_path: Path) -> None:
    assert isinstance(load_judge("function:tests.talkers:n_words", tmp_path, (), 0), FunctionJudge)
    judge = load_judge("llm:org/name@http://127.0.0.1:8000/v1", tmp_path, (), 0)
    assert isinstance(judge, LlmJudge)


def test_the_reward_model_beside_a_trained_model_is_found(tmp_path: Path) -> None:
    for name, method in (("plus", "rlhf"), ("reward", "reward model")):
        (tmp_path / "run" / name).mkdir(parents=True)
        record(9, name=name, method=method).write(tmp_path / "run" / name)
    (tmp_path / "elsewhere" / "base").mkdir(parents=True)
    models = [None, tmp_path / "elsewhere" / "base", tmp_path / "run" / "plus"]
    assert found_reward(models) == tmp_path / "run" / "reward"
    assert found_reward(models[:2]) is None


def test_a_folder_called_reward_that_is_no_reward_model_is_none(tmp_path: Path) -> None:
    (tmp_path / "reward").mkdir()
    assert found_reward([tmp_path / "plus"]) is None
    record(9, name="reward", method="rlhf").write(tmp_path / "reward")
    assert found_reward([tmp_path / "plus"]) is None
