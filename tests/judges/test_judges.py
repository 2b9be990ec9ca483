from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.judges import (
    ACCEPTED,
    KINDS,
    JudgeContext,
    JudgeKind,
    JudgeModule,
    function,
    human,
    judge_faults,
    judge_kind,
    llm,
    load_judge,
    reward,
)
from mplus_eval.judges.base import AnswerGrader, PaidJudge, PairJudge, RefusalJudge
from mplus_eval.judges.function import FunctionJudge
from mplus_eval.judges.human import HumanJudge
from mplus_eval.judges.llm import LlmJudge
from mplus_eval.judges.reward import RewardJudge

MODULES: list[JudgeModule] = [reward, llm, human, function]
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


def test_what_is_accepted_lists_every_form_of_every_kind() -> None:
    forms = "reward, reward:PATH, llm:MODEL@http://HOST:PORT/v1, human:FILE.csv or function:MODULE:NAME"
    assert forms == ACCEPTED


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_of_judge_is_implemented_by_its_module_and_promises_what_that_can_do(kind: JudgeKind) -> None:
    assert kind.implementation in MODULES
    judge = CLASSES[kind.name]
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


def test_people_are_told_from_machines_by_how_they_are_named() -> None:
    sources = ("human:verdicts.csv", "reward", "reward:./human", "llm:human@http://host/v1", "function:human:judge")
    assert [judge_kind(source).people for source in sources] == [True, False, False, False, False]
    with pytest.raises(SpecError, match="judge 'people': accepted: reward, "):
        judge_kind("people")
