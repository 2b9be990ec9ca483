from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from mplus_eval.judges import JudgeContext, judge_faults, judge_weights, load_judge
from mplus_eval.judges.base import AnswerGrader, JudgeWeights, PaidJudge, PairJudge, RefusalJudge
from mplus_eval.judges.function import FunctionJudge
from mplus_eval.judges.human import HumanJudge
from mplus_eval.judges.llm import LlmJudge
from mplus_eval.judges.reward import RewardJudge
from mplus_eval.spec.judges import ACCEPTED, KINDS, JudgeKind
from mplus_eval.store.hashes import weights_hash

CLASSES = {"reward": RewardJudge, "llm": LlmJudge, "human": HumanJudge, "function": FunctionJudge}


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
    faults = judge_faults(source)
    assert len(faults) == 1
    assert words in faults[0]
    assert "\n" not in faults[0]


def test_what_is_there_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "verdicts.csv").write_text("pair\n")
    for source in (
        "reward", f"reward:{tmp_path}", f"human:{tmp_path / 'verdicts.csv'}", "function:tests.talkers:n_words"
    ):  # fmt: skip
        assert judge_faults(source) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_of_judge_has_a_module_of_its_name_and_promises_what_that_can_do(kind: JudgeKind) -> None:
    module, judge = import_module(f"mplus_eval.judges.{kind.name}"), CLASSES[kind.name]
    assert callable(module.faults)
    assert callable(module.load)
    assert judge.__module__ == module.__name__
    assert hasattr(judge, "judge")
    assert hasattr(judge, "grade") == kind.grades
    assert hasattr(judge, "refusals") == kind.tells_refusals


def test_a_language_model_grades_tells_refusals_and_says_what_it_costs(tmp_path: Path) -> None:
    judge: PairJudge = load_judge("llm:org/name@http://127.0.0.1:8000/v1", JudgeContext(tmp_path, (), 0))
    assert isinstance(judge, LlmJudge)
    assert (judge.endpoint.model, judge.endpoint.base_url) == ("org/name", "http://127.0.0.1:8000/v1")
    assert all(isinstance(judge, ability) for ability in (AnswerGrader, RefusalJudge, PaidJudge))


def test_a_judge_without_a_server_does_none_of_this(tmp_path: Path) -> None:
    judge = load_judge("function:tests.talkers:n_words", JudgeContext(tmp_path, (), 0))
    assert isinstance(judge, FunctionJudge)
    assert not any(isinstance(judge, ability) for ability in (AnswerGrader, RefusalJudge, PaidJudge))


def test_weights_are_known_of_reward_models_and_of_models_that_lie_here_and_of_no_people(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    known = weights_hash(tmp_path)
    assert judge_weights(f"reward:{tmp_path}") == JudgeWeights(hash=known)
    url = "http://127.0.0.1:1/v1"
    assert judge_weights(f"llm:{tmp_path}@{url}") == JudgeWeights(known, str(tmp_path))
    assert judge_weights(f"llm:org/name@{url}") == JudgeWeights("", "org/name")
    for source in ("human:a.csv", "function:tests.talkers:n_words"):
        assert judge_weights(source) == JudgeWeights()
