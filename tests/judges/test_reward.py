from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mplus_eval.errors import SpecError
from mplus_eval.judges.base import Judgement, PairwiseItem, Question
from mplus_eval.judges.reward import RewardJudge, reward_model_beside, with_reward_model
from mplus_eval.rewards.model import SCALE_FILE, RewardModel
from mplus_eval.training.chat import PLAIN_TEMPLATE
from tests.conftest import TinyModel
from tests.spec.test_trajectory import record
from tests.tiny_models import CHAT_TEMPLATE

TALK = Question("1", None, ("Hello.", "And what of the fox?"))
ONE, TWO = "The quick brown fox.", "No, thank you. He said: yes, please!"


def save_reward_model(folder: Path, base: Path) -> Path:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    model.config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def reward_model(tiny_model: TinyModel, tmp_path: Path) -> Path:
    return save_reward_model(tmp_path / "reward", tiny_model(chat_template=CHAT_TEMPLATE))


@pytest.fixture
def plain_model(tiny_model: TinyModel, tmp_path: Path) -> Path:
    return save_reward_model(tmp_path / "plain", tiny_model())


def reward(directory: Path, text: str) -> float:
    """The model's own number for a text, without anything of this project."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model: Any = AutoModelForSequenceClassification.from_pretrained(directory)
    with torch.no_grad():
        return float(model(**tokenizer(text, return_tensors="pt", add_special_tokens=False)).logits[0, 0])


def test_the_higher_reward_is_preferred(reward_model: Path) -> None:
    first, second = (reward(reward_model, f"<|user|>Hello.\n<|assistant|>{text}\n") for text in (ONE, TWO))
    judgements = RewardJudge.load(reward_model).judge(
        [PairwiseItem(TALK, 1, (ONE,), (TWO,)), PairwiseItem(TALK, 1, (TWO,), (ONE,))]
    )
    assert [one.preference for one in judgements] == ([1.0, 0.0] if second > first else [0.0, 1.0])
    assert [one.margin for one in judgements] == pytest.approx([second - first, first - second], abs=1e-4)


def test_a_second_turn_is_read_with_the_models_own_first_answer(reward_model: Path) -> None:
    talk = "<|user|>Hello.\n<|assistant|>{}\n<|user|>And what of the fox?\n<|assistant|>{}\n"
    expected = reward(reward_model, talk.format("c", TWO)) - reward(reward_model, talk.format("a", ONE))
    judgement = RewardJudge.load(reward_model).judge([PairwiseItem(TALK, 2, ("a", ONE), ("c", TWO))])[0]
    assert judgement.margin == pytest.approx(expected, abs=1e-4)


def test_there_is_no_order_to_be_inconsistent_with(reward_model: Path) -> None:
    judgement = RewardJudge.load(reward_model).judge([PairwiseItem(TALK, 1, (ONE,), (TWO,))])[0]
    assert (judgement.baseline_first, judgement.model_first, judgement.consistent) == (None, None, None)
    assert (judgement.tokens_in, judgement.n_truncated) == (0, 0)


def test_rewards_that_are_close_are_a_tie(reward_model: Path) -> None:
    pairing = PairwiseItem(TALK, 1, (ONE,), (TWO,))
    margin = abs(RewardJudge.load(reward_model).judge([pairing])[0].margin or 0.0)
    assert margin > 0
    assert RewardJudge.load(reward_model, tie_width=margin).judge([pairing])[0].preference == 0.5
    assert RewardJudge.load(reward_model, tie_width=margin * 0.99).judge([pairing])[0].preference in (0.0, 1.0)


def test_equal_answers_are_a_tie(reward_model: Path) -> None:
    judgement = RewardJudge.load(reward_model).judge([PairwiseItem(TALK, 1, (ONE,), (ONE,))])[0]
    assert (judgement.preference, judgement.margin) == (0.5, 0.0)


def test_a_negative_tie_width_is_refused(reward_model: Path) -> None:
    with pytest.raises(ValueError, match="tie width -1: 0 or more is expected"):
        RewardJudge.load(reward_model, tie_width=-1)


def test_a_dialogue_of_several_pairs_is_read_once(reward_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_read: list[int] = []
    score = RewardModel.score

    def counting(self: RewardModel, prompts: Any, answers: Any) -> list[float]:
        n_read.append(len(answers))
        return score(self, prompts, answers)

    monkeypatch.setattr(RewardModel, "score", counting)
    monkeypatch.setattr("mplus_eval.judges.reward._PAIRS_AT_ONCE", 2)
    pairings = [PairwiseItem(TALK, 1, ("base",), (text,)) for text in ("x", "y", "z")]
    seen: dict[int, Judgement] = {}
    judge = RewardJudge.load(reward_model)
    judgements = judge.judge(pairings, seen.__setitem__)
    assert n_read == [3, 1]
    assert [seen[place] for place in range(3)] == judgements
    # Of the next model's pairs the baseline's answer is known.
    judge.judge([PairwiseItem(TALK, 1, ("base",), (text,)) for text in ("v", "z")])
    assert n_read == [3, 1, 1]


def test_no_pairs_are_no_judgements(reward_model: Path) -> None:
    assert RewardJudge.load(reward_model).judge([]) == []


def test_dialogues_that_are_cut_are_counted(reward_model: Path) -> None:
    long = "word " * 3000
    judgements = RewardJudge.load(reward_model).judge(
        [PairwiseItem(TALK, 1, (ONE,), (long,)), PairwiseItem(TALK, 1, (ONE,), (TWO,))]
    )
    assert [one.n_truncated for one in judgements] == [1, 0]


def test_a_reward_that_is_no_number_leaves_the_pair_unjudged(
    reward_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RewardModel, "score", lambda self, prompts, answers: [float("nan")] * len(answers))
    judgement = RewardJudge.load(reward_model).judge([PairwiseItem(TALK, 1, (ONE,), (TWO,))])[0]
    assert (judgement.preference, judgement.cause) == (None, "the reward is no finite number")


def test_the_models_own_template_is_used(reward_model: Path) -> None:
    judge = RewardJudge.load(reward_model)
    assert (judge.template, judge.name) == ("own", "reward")


def test_without_a_template_the_plain_format_is_used(plain_model: Path) -> None:
    judge = RewardJudge.load(plain_model)
    assert (judge.template, judge.model.tokenizer.chat_template) == ("plain", PLAIN_TEMPLATE)
    expected = reward(plain_model, f"<s>User: Hello.\nAssistant: {TWO}</s>") - reward(
        plain_model, f"<s>User: Hello.\nAssistant: {ONE}</s>"
    )
    assert judge.judge([PairwiseItem(TALK, 1, (ONE,), (TWO,))])[0].margin == pytest.approx(expected, abs=1e-4)


def test_the_trainers_scale_makes_the_margin_one_of_deviations(reward_model: Path) -> None:
    pairing = PairwiseItem(TALK, 1, (ONE,), (TWO,))
    raw = RewardJudge.load(reward_model).judge([pairing])[0].margin
    (reward_model / SCALE_FILE).write_text(json.dumps({"mean": 1.0, "deviation": 0.5}))
    assert raw is not None
    assert RewardJudge.load(reward_model).judge([pairing])[0].margin == pytest.approx(raw / 0.5, abs=1e-4)


def test_the_fingerprint_tells_the_model_and_the_tie_width(reward_model: Path, plain_model: Path) -> None:
    judge = RewardJudge.load(reward_model)
    assert judge.fingerprint == RewardJudge.load(reward_model).fingerprint
    others = [RewardJudge.load(reward_model, tie_width=0.1), RewardJudge.load(plain_model)]
    assert all(other.fingerprint != judge.fingerprint for other in others)


def test_a_directory_without_a_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no config\.json, so it is not a checkpoint directory"):
        RewardJudge.load(tmp_path)


def test_the_reward_model_beside_a_trained_model_is_found(tmp_path: Path) -> None:
    for name, method in (("plus", "rlhf"), ("reward", "reward model")):
        (tmp_path / "run" / name).mkdir(parents=True)
        record(9, name=name, method=method).write(tmp_path / "run" / name)
    (tmp_path / "elsewhere" / "base").mkdir(parents=True)
    models = [None, tmp_path / "elsewhere" / "base", tmp_path / "run" / "plus"]
    assert reward_model_beside(models) == tmp_path / "run" / "reward"
    assert reward_model_beside(models[:2]) is None


def test_a_folder_called_reward_that_is_no_reward_model_is_none(tmp_path: Path) -> None:
    (tmp_path / "reward").mkdir()
    assert reward_model_beside([tmp_path / "plus"]) is None
    record(9, name="reward", method="rlhf").write(tmp_path / "reward")
    assert reward_model_beside([tmp_path / "plus"]) is None


def test_a_bare_reward_becomes_the_model_that_was_found(tmp_path: Path) -> None:
    (tmp_path / "reward").mkdir()
    record(9, name="reward", method="reward model").write(tmp_path / "reward")
    sources = ("human:a.csv", "reward", "reward:./other")
    expected = ("human:a.csv", f"reward:{tmp_path / 'reward'}", "reward:./other")
    assert with_reward_model(sources, [tmp_path / "plus"]) == expected
    assert with_reward_model(sources[:1], []) == sources[:1]
    with pytest.raises(SpecError, match="no reward model of mplus-eval train lies beside a model; write reward:PATH"):
        with_reward_model(sources, [None])


def test_the_held_out_reward_model_is_found_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "referee").mkdir()
    record(9, name="referee", method="reward model").write(tmp_path / "referee")
    assert with_reward_model(["referee"], [tmp_path / "plus"]) == (f"reward:{tmp_path / 'referee'}",)
    with pytest.raises(SpecError, match="judge 'reward': no reward model of mplus-eval train"):
        with_reward_model(["referee", "reward"], [tmp_path / "plus"])
    with pytest.raises(SpecError, match="judge 'referee': no held-out reward model of mplus-eval train"):
        with_reward_model(["referee"], [None])
