"""What is measured of a checkpoint: by hand, against its parts, and of all saved steps of a stage."""

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from mplus_eval.records.training import Dose, read_record
from mplus_eval.training.dose import kl_of_own_answers, kl_of_texts
from mplus_eval.training.measure import Measurement, behaviour, measure_checkpoint, measure_stage
from mplus_eval.training.sampling import SampledAnswer, sample_answers
from mplus_eval.training.stage import Stage
from tests.spec.test_trajectory import record, write_training
from tests.tiny_models import CHAT_TEMPLATE, SENTENCES

DOSE = Dose(kl_answers=9.0, kl_answers_per_token=1.0, n_prompts=1)
PROMPTS = [[{"role": "user", "content": text}] for text in SENTENCES[:3]]


def answer(text: str, token_ids: tuple[int, ...], ended: bool = True) -> SampledAnswer:
    return SampledAnswer(text=text, token_ids=token_ids, prompt_ids=(1,), ended=ended)


ANSWERS = [answer("no", (5, 6, 2)), answer("no", (5, 6, 2)), answer("yes", (7, 8, 9, 7, 8), ended=False)]


def test_behaviour_by_hand():
    found = behaviour(PROMPTS, ANSWERS, {}, {})
    assert found.end_of_turn_rate == pytest.approx(2 / 3)
    assert found.mean_tokens == pytest.approx(11 / 3)
    assert found.distinct_answers == pytest.approx(2 / 3)
    # 56, 62, 56, 62, 78, 89, 97, 78: five of eight.
    assert found.distinct_2 == pytest.approx(5 / 8)


def test_an_answer_that_cannot_be_judged_is_left_out_of_the_mean():
    rewards = {"half": lambda p, a, e: [1.0, None, 4.0], "none": lambda p, a, e: [None] * 3}
    assert behaviour(PROMPTS, ANSWERS, rewards, {}).rewards == {"half": 2.5}


def test_rewards_see_prompts_answers_and_whether_they_ended_in_order():
    seen = []
    behaviour(PROMPTS, ANSWERS, {"r": lambda *seen_by_reward: seen.append(seen_by_reward) or [0.0] * 3}, {})
    assert seen == [(PROMPTS, ["no", "no", "yes"], [True, True, False])]


def test_measures_see_the_last_question_the_answer_and_whether_it_ended():
    seen = []
    prompts = [[*PROMPTS[0], {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}], *PROMPTS[1:]]
    found = behaviour(prompts, ANSWERS, {}, {"m": lambda *values: seen.append(values) or len(seen)})
    assert seen == [("b", "no", True), (SENTENCES[1], "no", True), (SENTENCES[2], "yes", False)]
    assert found.measures == {"m": pytest.approx(2.0)}


def measurement(tokenizer, texts, **rest):
    return Measurement(
        tokenizer, PROMPTS, texts, **{"max_new_tokens": 5, "seed": 3, "rewards": {}, "measures": {}, **rest}
    )


def test_a_checkpoint_is_measured_on_its_own_answers_and_on_text(tiny_model):
    folder, other = tiny_model(chat_template=CHAT_TEMPLATE), tiny_model(chat_template=CHAT_TEMPLATE, seed=1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, base = (AutoModelForCausalLM.from_pretrained(path) for path in (other, folder))
    dose, measured = measure_checkpoint(model, base, measurement(tokenizer, SENTENCES))
    answers = sample_answers(model, tokenizer, PROMPTS, max_new_tokens=5, seed=3)
    kl = kl_of_own_answers(model, base, answers, tokenizer.pad_token_id)
    assert (dose.kl_answers, dose.kl_answers_per_token) == pytest.approx(kl, rel=1e-5)
    assert dose.kl_text == pytest.approx(kl_of_texts(model, base, SENTENCES, tokenizer, 1024), rel=1e-5)
    assert (dose.n_prompts, dose.n_texts) == (3, 5)
    assert measured == behaviour(PROMPTS, answers, {}, {})


def test_what_ends_answers_in_training_ends_them_when_they_are_measured(tiny_model):
    folder = tiny_model(chat_template=CHAT_TEMPLATE)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    _, plain = measure_checkpoint(model, model, measurement(tokenizer, []))
    answers = sample_answers(model, tokenizer, PROMPTS, max_new_tokens=5, seed=3)
    stops = tuple({answer.text[1:3] for answer in answers if len(answer.text) > 3})
    _, stopped = measure_checkpoint(model, model, measurement(tokenizer, [], stop_strings=stops))
    assert stopped.mean_tokens < plain.mean_tokens
    assert stopped.end_of_turn_rate > plain.end_of_turn_rate


def test_without_texts_the_kl_on_text_is_left_out(tiny_model):
    folder = tiny_model(chat_template=CHAT_TEMPLATE)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    dose, _ = measure_checkpoint(model, model, measurement(tokenizer, [], max_new_tokens=2))
    assert dose.kl_text is None
    assert (dose.kl_answers, dose.n_texts) == (0.0, 0)


@pytest.fixture
def stage(tmp_path):
    """A stage with two saved steps, the first of which was measured before its process was killed."""
    directory = write_training(tmp_path / "plus", 2, 4, stage_hash=Stage("plus", tmp_path, {}).hash)
    read_record(directory / "checkpoint-2").model_copy(update={"dose": DOSE}).write(directory / "checkpoint-2")
    return Stage("plus", directory, {})


def test_of_a_stage_the_saved_steps_that_are_left_and_the_final_checkpoint_are_measured(stage, tiny_model):
    folder = tiny_model(chat_template=CHAT_TEMPLATE)
    tokenizer, base = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    other = AutoModelForCausalLM.from_pretrained(tiny_model(chat_template=CHAT_TEMPLATE, seed=1))
    loaded, steps, base_behaviours = [], [], {}

    def load(path):
        loaded.append(path)
        return other

    def measured():
        final = record(4)
        with_it = measurement(tokenizer, [], rewards={"length": lambda prompts, texts, ended: [len(t) for t in texts]})
        return measure_stage(stage, final, base, load, with_it, base_behaviours, lambda *step: steps.append(step))

    final = measured()
    # The final checkpoint is the saved step 4, so it is not measured again.
    assert loaded == [stage.directory / "checkpoint-4"]
    # The base and step 4, each three prompts answered and three answers measured.
    assert steps == [("measuring plus", number, 12) for number in (0, 3, 6, 9, 12)]
    saved = [read_record(path) for path in stage.checkpoints()]
    assert (saved[0].dose, saved[1].dose) == (DOSE, final.dose)
    assert final.dose.kl_answers > 0
    assert final.base_behaviour == saved[1].base_behaviour == base_behaviours[("length",)]
    assert read_record(stage.directory) is None
    # The base was measured: another stage that the same rewards look at takes what was found.
    known = base_behaviours[("length",)]
    base_behaviours[("length",)] = known.model_copy(update={"mean_tokens": 99.0})
    assert measured().base_behaviour.mean_tokens == 99.0


def test_a_final_checkpoint_that_was_saved_at_no_step_is_measured_itself(stage, tiny_model):
    folder = tiny_model(chat_template=CHAT_TEMPLATE)
    tokenizer, base = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    loaded = []
    final = measure_stage(
        stage,
        record(5),
        base,
        lambda path: loaded.append(path) or base,
        measurement(tokenizer, []),
        {},
        lambda *_: None,
    )
    assert loaded == [stage.directory / "checkpoint-4", stage.directory]
    assert final.dose.kl_answers == 0.0
