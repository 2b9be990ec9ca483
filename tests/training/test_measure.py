import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from mplus_eval.training.dose import kl_of_own_answers, kl_of_texts
from mplus_eval.training.measure import behaviour, last_user_message, measure_checkpoint
from mplus_eval.training.sampling import Answer, sample_answers
from tests.tiny_models import CHAT_TEMPLATE, SENTENCES

PROMPTS = [[{"role": "user", "content": text}] for text in SENTENCES[:3]]


def answer(text: str, token_ids: tuple[int, ...], ended: bool = True) -> Answer:
    return Answer(text=text, token_ids=token_ids, prompt_ids=(1,), ended=ended)


ANSWERS = [answer("no", (5, 6, 2)), answer("no", (5, 6, 2)), answer("yes", (7, 8, 9, 7, 8), ended=False)]


def test_behaviour_by_hand():
    found = behaviour(PROMPTS, ANSWERS, {}, {})
    assert found.end_of_turn_rate == pytest.approx(2 / 3)
    assert found.mean_tokens == pytest.approx(11 / 3)
    assert found.distinct_answers == pytest.approx(2 / 3)
    # 56, 62, 56, 62, 78, 89, 97, 78: five of eight.
    assert found.distinct_2 == pytest.approx(5 / 8)


def test_an_answer_that_cannot_be_judged_is_left_out_of_the_mean():
    rewards = {"half": lambda p, a: [1.0, None, 4.0], "none": lambda p, a: [None] * 3}
    assert behaviour(PROMPTS, ANSWERS, rewards, {}).rewards == {"half": 2.5}


def test_rewards_see_prompts_and_answers_in_order():
    seen = []
    behaviour(PROMPTS, ANSWERS, {"r": lambda p, a: seen.append((p, a)) or [0.0] * 3}, {})
    assert seen == [(PROMPTS, ANSWERS)]


def test_measures_see_the_last_question_the_answer_and_whether_it_ended():
    seen = []
    prompts = [[*PROMPTS[0], {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}], *PROMPTS[1:]]
    found = behaviour(prompts, ANSWERS, {}, {"m": lambda *values: seen.append(values) or len(seen)})
    assert seen == [("b", "no", True), (SENTENCES[1], "no", True), (SENTENCES[2], "yes", False)]
    assert found.measures == {"m": pytest.approx(2.0)}


def test_a_conversation_without_a_user_asks_nothing():
    assert last_user_message([{"role": "system", "content": "x"}]) == ""


def test_a_checkpoint_is_measured_on_its_own_answers_and_on_text(tiny_model):
    folder, other = tiny_model(chat_template=CHAT_TEMPLATE), tiny_model(chat_template=CHAT_TEMPLATE, seed=1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, base = (AutoModelForCausalLM.from_pretrained(path) for path in (other, folder))
    settings = {"max_new_tokens": 5, "seed": 3, "batch_size": 2}
    dose, found = measure_checkpoint(
        model, base, tokenizer, PROMPTS, SENTENCES, rewards={}, measures={}, max_text_tokens=16, **settings
    )
    answers = sample_answers(model, tokenizer, PROMPTS, **settings)
    kl = kl_of_own_answers(model, base, answers, tokenizer.pad_token_id)
    assert (dose.kl_answers, dose.kl_answers_per_token) == pytest.approx(kl, rel=1e-5)
    assert dose.kl_text == pytest.approx(kl_of_texts(model, base, SENTENCES, tokenizer, 16), rel=1e-5)
    assert (dose.n_prompts, dose.n_texts) == (3, 5)
    assert found == behaviour(PROMPTS, answers, {}, {})


def test_without_texts_the_kl_on_text_is_left_out(tiny_model):
    folder = tiny_model(chat_template=CHAT_TEMPLATE)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    dose, _ = measure_checkpoint(
        model, model, tokenizer, PROMPTS, [], max_new_tokens=2, seed=0, rewards={}, measures={}
    )
    assert dose.kl_text is None
    assert (dose.kl_answers, dose.n_texts) == (0.0, 0)
