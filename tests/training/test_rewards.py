from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.scorers.words import WordScorer
from mplus_eval.rewards.functions import load_function
from mplus_eval.rewards.model import SCALE_FILE, RewardModel
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.rewards import (
    FunctionReward,
    ToxicityPenalty,
    as_trl,
    before_stop,
    check_same_tokenizer,
    has_ended,
    length_part,
    termination_part,
)
from tests.conftest import TinyModel
from tests.tiny_models import CHAT_TEMPLATE

PROMPTS = [[{"role": "user", "content": text}] for text in ("Hello.", "How do I cook rice for the whole week?", "No.")]
ANSWERS = ["Hi.", "First wash the rice, then cook it in a pot.", "I see that you are not happy. What can I do?"]
CHAT_TEMPLATE_BY_HAND = "<|user|>{}\n<|assistant|>{}\n"
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


def test_rewards_do_not_depend_on_what_else_is_in_the_batch(reward_model: Path) -> None:
    model = RewardModel.load(reward_model)
    together = model.score(PROMPTS, ANSWERS)
    alone = [model.score([prompt], [answer])[0] for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 3


def test_rewards_are_standardised_by_the_stored_scale(reward_model: Path) -> None:
    raw = RewardModel.load(reward_model).score(PROMPTS, ANSWERS)
    (reward_model / SCALE_FILE).write_text(json.dumps({"mean": 2.0, "deviation": 0.5}))
    assert RewardModel.load(reward_model).score(PROMPTS, ANSWERS) == pytest.approx(
        [(r - 2) / 0.5 for r in raw], abs=1e-5
    )
    assert RewardModel.load(reward_model, scaled=False).score(PROMPTS, ANSWERS) == pytest.approx(raw, abs=1e-6)


def test_a_classifier_of_two_labels_and_an_empty_folder_are_refused(reward_model: Path, tmp_path: Path) -> None:
    config = json.loads((reward_model / "config.json").read_text())
    (reward_model / "config.json").write_text(json.dumps({**config, "id2label": {"0": "a", "1": "b"}}))
    with pytest.raises(SpecError, match="gives 2 numbers, one is expected"):
        RewardModel.load(reward_model)
    with pytest.raises(SpecError, match=r"no config\.json"):
        RewardModel.load(tmp_path / "none")


def test_of_a_dialogue_that_is_too_long_the_beginning_is_cut(reward_model: Path) -> None:
    """Recomputed without the tokenizer's truncation: the last tokens alone."""
    config = json.loads((reward_model / "config.json").read_text())
    (reward_model / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 24}))
    model = RewardModel.load(reward_model)
    text = CHAT_TEMPLATE_BY_HAND.format(PROMPTS[1][0]["content"], ANSWERS[1])
    ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) > 24
    with torch.no_grad():
        expected = model.model(torch.tensor([ids[-24:]])).logits[0, 0].item()
    found = model.score(PROMPTS, ANSWERS)
    assert found[1] == pytest.approx(expected, abs=1e-5)


def test_the_tokenizer_may_allow_less_than_the_positions(reward_model: Path) -> None:
    assert RewardModel.load(reward_model).max_length == 2048
    config = json.loads((reward_model / "tokenizer_config.json").read_text())
    (reward_model / "tokenizer_config.json").write_text(json.dumps(config | {"model_max_length": 30}))
    assert RewardModel.load(reward_model).max_length == 30


def test_where_neither_says_a_real_limit_nothing_is_cut(reward_model: Path) -> None:
    model = RewardModel.load(reward_model)
    before = model.score(PROMPTS, ANSWERS)
    model.model.config.max_position_embeddings = 2**40
    assert model.tokenizer.model_max_length > 1e20
    assert model.score(PROMPTS, ANSWERS) == pytest.approx(before, abs=1e-6)


def test_a_tokenizer_without_padding_is_refused_in_one_line(reward_model: Path) -> None:
    config = json.loads((reward_model / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (reward_model / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(SpecError) as caught:
        RewardModel.load(reward_model)
    (line,) = caught.value.faults
    assert line.startswith(f"reward model {reward_model}: its tokenizer has no padding token")


def test_a_model_that_names_no_padding_takes_its_tokenizers(reward_model: Path) -> None:
    before = RewardModel.load(reward_model).score(PROMPTS, ANSWERS)
    config = json.loads((reward_model / "config.json").read_text())
    (reward_model / "config.json").write_text(json.dumps(config | {"pad_token_id": None}))
    assert RewardModel.load(reward_model).score(PROMPTS, ANSWERS) == pytest.approx(before, abs=1e-6)


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
    assert before_stop("Yes. User: a Bot: b", ["Bot:", "User:"]) == "Yes. "
    assert before_stop("Yes.", []) == "Yes."


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


def test_a_function_of_ones_own_is_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_reward.py").write_text("def short(prompt, answer, ended):\n    return -len(answer)\n")
    monkeypatch.chdir(tmp_path)
    assert load_function("my_reward:short")("", "abc", True) == -3


@pytest.mark.parametrize("path", ["no_such_module:f", "json:no_such_function", "json", "json:__name__"])
def test_a_function_that_is_not_there_is_one_line(path: str) -> None:
    with pytest.raises(SpecError, match=repr(path)):
        load_function(path)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\ndef f(:\n", 2, "SyntaxError: invalid syntax"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError: Expecting property name"),
        ("import no_such_library\n", 1, "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise RuntimeError('two\\nlines')\n", 1, "RuntimeError: two lines"),
        ("import sys\nsys.exit('usage')\n", 2, "SystemExit: usage"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line_with_its_place_and_cause(
    text: str, line: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "my_broken_reward.py"
    file.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SpecError) as caught:
        load_function("my_broken_reward:f")
    (fault,) = caught.value.faults
    assert fault.startswith(
        f"'my_broken_reward:f': module my_broken_reward cannot be imported: {file}, line {line}: {said}"
    )
    assert "\n" not in fault
    assert caught.value.__cause__ is not None


def test_a_penalty_is_minus_the_toxicity_of_each_answer() -> None:
    penalty = ToxicityPenalty(WordScorer("mine", {"fool": 0.5}))
    assert penalty([[]] * 3, ["fool fool", "friend", "fool"], [True] * 3) == [-0.75, 0.0, -0.5]


def test_an_answer_that_could_not_be_scored_has_no_reward() -> None:
    class Failing(WordScorer):
        def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
            if "broken" in texts:
                raise ValueError("broken")
            return np.full((len(texts), 1), 0.25)

    assert ToxicityPenalty(Failing("failing", {}))([[]] * 2, ["fine", "broken"], [True] * 2) == [-0.25, None]
