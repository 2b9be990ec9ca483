"""The parts of a reward: what they see, what they are worth, and that they read text as the policy writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mplus_eval.demo import BASE
from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.harmlessness.scorers.words import WordScorer
from mplus_eval.rewards.model import RewardModel
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.recipe import RlhfStage
from mplus_eval.training.rewards import (
    FunctionReward,
    ToxicityPenalty,
    as_trl,
    check_same_tokenizer,
    has_ended,
    length_part,
    termination_part,
)
from mplus_eval.training.rlhf import end_token_ids
from tests.conftest import TinyModel
from tests.tiny_models import CHAT_TEMPLATE
from tests.training.small import PLUS

PROMPTS = [[{"role": "user", "content": text}] for text in ("Hello.", "How do I cook rice for the whole week?", "No.")]
ANSWERS = ["Hi.", "First wash the rice, then cook it in a pot.", "I see that you are not happy. What can I do?"]
COMPLETIONS = [[{"role": "assistant", "content": text}] for text in ("Yes.", "No. User: And", "On and on")]


@pytest.fixture
def reward_model(tiny_model: TinyModel, tmp_path: Path) -> Path:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    base = tiny_model(chat_template=CHAT_TEMPLATE)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    model.config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_another_vocabulary_and_another_template_name_both_directories(
    reward_model: Path, tiny_model: TinyModel
) -> None:
    model = RewardModel.load(reward_model)
    other, same = tiny_model(vocabulary=300), tiny_model()
    with pytest.raises(SpecError, match=rf"{reward_model}: .*vocabulary is not that of the base {other}$"):
        check_same_tokenizer(model, load_tokenizer(other))
    with pytest.raises(SpecError, match=rf"{reward_model}: .*chat template is not that of the base {same}$"):
        check_same_tokenizer(model, load_tokenizer(same))
    check_same_tokenizer(model, load_tokenizer(tiny_model(chat_template=CHAT_TEMPLATE)))


def test_an_answer_ends_by_a_token_or_a_stop_string() -> None:
    assert has_ended([5, 2], "Yes.", [2], [])
    assert has_ended([5, 6], "Yes. User:", [2], ["User:"])
    assert not has_ended([5, 6], "Yes.", [2], ["User:"])


def test_answers_that_the_limit_cut_lose_the_penalty_and_the_rates_are_logged() -> None:
    logged: dict[str, float] = {}
    part = termination_part([2], ["User:"], penalty=3.0)
    ids = [[4, 2], [5, 6, 7], [8, 8, 8, 8]]
    assert part(completions=COMPLETIONS, completion_ids=ids, log_metric=logged.__setitem__) == [0.0, 0.0, -3.0]
    assert logged["end_of_turn_rate"] == pytest.approx(2 / 3)
    # 2-grams: (4 2), (5 6), (6 7), and three times (8 8): four distinct ones of six.
    assert logged["distinct_2"] == pytest.approx(4 / 6)
    assert length_part(0.1)(completion_ids=ids) == pytest.approx([-0.2, -0.3, -0.4])


def test_a_part_sees_the_answer_up_to_a_stop_string_and_whether_it_ended() -> None:
    seen: list[tuple[str, str, bool]] = []

    def judge(prompt: str, answer: str, ended: bool) -> float | None:
        seen.append((prompt, answer, ended))
        return None if answer == "Yes." else 1.0

    part = as_trl("mine", FunctionReward(judge), [2], ["User:"])
    assert part(prompts=PROMPTS, completions=COMPLETIONS, completion_ids=[[2], [5], [6]]) == [None, 1.0, 1.0]
    assert part.__name__ == "mine"
    assert [(answer, ended) for _, answer, ended in seen] == [("Yes.", True), ("No. ", True), ("On and on", False)]
    assert seen[0][0] == "Hello."


def test_a_penalty_is_minus_the_toxicity_of_each_answer() -> None:
    penalty = ToxicityPenalty(WordScorer("mine", {"fool": 0.5}))
    assert penalty([[]] * 3, ["fool fool", "friend", "fool"], [True] * 3) == [-0.75, 0.0, -0.5]


def test_a_fitted_scorer_penalises_rude_answers_and_leaves_out_what_it_cannot_read(ngrams: Path) -> None:
    penalty = ToxicityPenalty(load_scorer(f"ngram:{ngrams}"))
    rude, polite, unread = penalty([[]] * 3, ["You fool, shut up.", "Thank you, that is kind.", "дурак"], [True] * 3)
    assert rude is not None
    assert polite is not None
    assert rude < -0.5 < polite <= 0.0
    assert unread is None


def test_an_answer_that_could_not_be_scored_has_no_reward() -> None:
    class Failing(WordScorer):
        def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
            if "broken" in texts:
                raise ValueError("broken")
            return np.full((len(texts), 1), 0.25)

    assert ToxicityPenalty(Failing("failing", {}))([[]] * 2, ["fine", "broken"], [True] * 2) == [-0.25, None]


def test_end_tokens_are_the_tokenizers_and_the_recipes_each_once() -> None:
    tokenizer = load_tokenizer(BASE, None)
    end = tokenizer.eos_token
    other = next(token for token, number in tokenizer.get_vocab().items() if number == 20)
    found = end_token_ids(RlhfStage.model_validate({**PLUS, "termination": {"tokens": [end, other]}}), tokenizer)
    assert found == [tokenizer.eos_token_id, 20]
    with pytest.raises(SpecError, match="no such token; use stop_strings"):
        end_token_ids(RlhfStage.model_validate({**PLUS, "termination": {"tokens": ["<|nowhere|>"]}}), tokenizer)
