import random

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mplus_eval.demo import BASE
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.sampling import before_stop, end_tokens, evaluating, sample_answers
from tests.tiny_models import CHAT_TEMPLATE

PROMPTS = [
    [{"role": "user", "content": "Hello."}],
    [{"role": "user", "content": "What is one plus two? Think about it for a while, please."}],
    [
        {"role": "user", "content": "Say: yes."},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "Now say: no."},
    ],
]


@pytest.fixture(scope="module")
def model(tiny_model):
    return AutoModelForCausalLM.from_pretrained(tiny_model(chat_template=CHAT_TEMPLATE))


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model(chat_template=CHAT_TEMPLATE))
    tokenizer.padding_side = "right"
    return tokenizer


@pytest.fixture
def always(model, monkeypatch):
    """Make the model say given tokens, one after another, whatever it is asked, and then the last for ever."""

    def say(prompt_length: int, *tokens: int) -> None:
        forward = model.forward

        def scripted(input_ids=None, attention_mask=None, **others):
            result = forward(input_ids=input_ids, attention_mask=attention_mask, **others)
            made = attention_mask.shape[1] - prompt_length
            result.logits[:] = -1e4
            result.logits[:, :, tokens[min(made, len(tokens) - 1)]] = 0.0
            return result

        monkeypatch.setattr(model, "forward", scripted)

    return say


def test_answers_to_the_same_seed_are_the_same_and_to_another_are_not(model, tokenizer):
    once, again, other = (sample_answers(model, tokenizer, PROMPTS, max_new_tokens=8, seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert [a.token_ids for a in once] != [a.token_ids for a in other]


def test_prompts_are_put_in_the_chat_template_and_keep_their_order(model, tokenizer):
    answers = sample_answers(model, tokenizer, PROMPTS, max_new_tokens=2, seed=0, batch_size=2)
    expected = [tokenizer.apply_chat_template(p, add_generation_prompt=True)["input_ids"] for p in PROMPTS]
    assert [list(answer.prompt_ids) for answer in answers] == expected
    assert tokenizer.decode(answers[0].prompt_ids) == "<|user|>Hello.\n<|assistant|>"


def test_a_short_prompt_beside_a_long_one_is_answered_as_alone(model, tokenizer):
    settings = {"max_new_tokens": 6, "seed": 0, "temperature": 1e-3}
    together = sample_answers(model, tokenizer, PROMPTS, **settings)
    alone = [sample_answers(model, tokenizer, [prompt], **settings)[0] for prompt in PROMPTS]
    assert together == alone
    assert tokenizer.padding_side == "right"


def test_nothing_global_is_disturbed(model, tokenizer):
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    settings, mode = model.generation_config, model.training
    sample_answers(model, tokenizer, PROMPTS, max_new_tokens=3, seed=0)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states
    assert model.generation_config is settings
    assert model.training == mode


def test_each_part_of_a_model_returns_to_its_own_mode():
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout())
    model.train()
    model[1].eval()
    with evaluating(model):
        assert not any(part.training for part in model.modules())
    assert [part.training for part in model.modules()] == [True, True, False]


def test_the_models_own_settings_of_sampling_are_not_heeded(model, tokenizer, monkeypatch):
    expected = sample_answers(model, tokenizer, PROMPTS, max_new_tokens=8, seed=0)
    for name, value in {"repetition_penalty": 5.0, "top_p": 0.1, "top_k": 2, "min_p": 0.5}.items():
        monkeypatch.setattr(model.generation_config, name, value)
    assert sample_answers(model, tokenizer, PROMPTS, max_new_tokens=8, seed=0) == expected


def test_samples_follow_the_models_distribution(model, tokenizer):
    prompt = PROMPTS[0]
    answers = sample_answers(model, tokenizer, [prompt] * 2000, max_new_tokens=1, seed=0, batch_size=1000)
    ids = torch.tensor([answers[0].prompt_ids])
    with torch.no_grad():
        expected = model(input_ids=ids).logits[0, -1].softmax(dim=-1)
    found = torch.bincount(torch.tensor([a.token_ids[0] for a in answers]), minlength=len(expected)) / 2000
    top = expected.topk(5).indices
    assert (found[top] - expected[top]).abs().max() < 0.04
    # Nothing is cut off below the fifty most probable.
    assert set(found.nonzero().flatten().tolist()) - set(expected.topk(50).indices.tolist())


def test_an_answer_ends_with_the_end_token(model, tokenizer, always):
    yes = tokenizer("yes", add_special_tokens=False)["input_ids"]
    length = len(tokenizer.apply_chat_template(PROMPTS[0], add_generation_prompt=True)["input_ids"])
    always(length, *yes, tokenizer.eos_token_id)
    (answer,) = sample_answers(model, tokenizer, PROMPTS[:1], max_new_tokens=20, seed=0)
    assert answer.ended
    assert answer.text == "yes"
    assert answer.token_ids == (*yes, tokenizer.eos_token_id)


def test_a_cut_answer_did_not_end(model, tokenizer, always):
    (token,) = tokenizer("y", add_special_tokens=False)["input_ids"]
    always(0, token)
    answers = sample_answers(model, tokenizer, PROMPTS, max_new_tokens=4, seed=0)
    assert [(a.text, len(a.token_ids), a.ended) for a in answers] == [("yyyy", 4, False)] * 3


def test_the_end_tokens_of_the_models_settings_end_an_answer_too(model, tokenizer, always, monkeypatch):
    (token,) = tokenizer("y", add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(model.generation_config, "eos_token_id", [tokenizer.eos_token_id, token])
    assert end_tokens(model, tokenizer) == {tokenizer.eos_token_id, token}
    always(0, token)
    (answer,) = sample_answers(model, tokenizer, PROMPTS[:1], max_new_tokens=4, seed=0)
    assert (answer.token_ids, answer.ended) == ((token,), True)


def test_an_answer_is_cut_before_a_stop_string(model, tokenizer, always):
    said = tokenizer("yes, and then\nUser: more and more", add_special_tokens=False)["input_ids"]
    length = len(tokenizer.apply_chat_template(PROMPTS[0], add_generation_prompt=True)["input_ids"])
    always(length, *said)
    (answer,) = sample_answers(
        model, tokenizer, PROMPTS[:1], max_new_tokens=len(said), seed=0, stop_strings=["\nUser:", "never"]
    )
    assert answer.ended
    assert answer.text == "yes, and then"
    assert tokenizer.decode(answer.token_ids) == "yes, and then\nUser:"


def test_a_stop_string_does_not_begin_in_the_prompt(model, tokenizer, always):
    (token,) = tokenizer("y", add_special_tokens=False)["input_ids"]
    always(0, token)
    (answer,) = sample_answers(model, tokenizer, PROMPTS[:1], max_new_tokens=4, seed=0, stop_strings=["|>y"])
    assert (answer.text, answer.ended) == ("yyyy", False)


def test_stop_strings_work_with_the_demos_tokenizer():
    """On which the library's own fail, since it does not spell all letters."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(BASE), load_tokenizer(BASE)
    prompts = [[{"role": "user", "content": "Say something."}]] * 8
    answers = sample_answers(model, tokenizer, prompts, max_new_tokens=40, seed=0, stop_strings=["."])
    assert all("." not in answer.text for answer in answers)
    assert any(tokenizer.decode(list(answer.token_ids)).endswith(".") for answer in answers)
    assert tokenizer.pad_token_id not in {token for answer in answers for token in answer.token_ids}


def test_padding_behind_a_stop_string_is_no_part_of_the_answer(model, tokenizer, monkeypatch):
    made = tokenizer("yes\nUser:", add_special_tokens=False)["input_ids"]
    longer = [*made, *[tokenizer.bos_token_id] * 5]
    monkeypatch.setattr(model, "generate", lambda input_ids, **_: torch.cat([input_ids[0], torch.tensor(longer)])[None])
    (answer,) = sample_answers(model, tokenizer, PROMPTS[:1], max_new_tokens=99, seed=0, stop_strings=["\nUser:"])
    assert answer.token_ids == tuple(made)


def test_a_model_in_adapters_keeps_its_settings(tiny_model, tokenizer):
    from peft import LoraConfig, get_peft_model

    inner = AutoModelForCausalLM.from_pretrained(tiny_model(chat_template=CHAT_TEMPLATE))
    settings, plain = inner.generation_config, sample_answers(inner, tokenizer, PROMPTS, max_new_tokens=4, seed=0)
    adapted = get_peft_model(inner, LoraConfig(r=2, target_modules=["q_proj"]))
    assert sample_answers(adapted, tokenizer, PROMPTS, max_new_tokens=4, seed=0) == plain
    assert adapted.get_base_model().generation_config is settings


def test_no_prompts_give_no_answers(model, tokenizer):
    assert sample_answers(model, tokenizer, [], max_new_tokens=4, seed=0) == []


def test_an_answer_goes_up_to_its_first_stop_string():
    assert before_stop("Yes. User: a Bot: b", ["Bot:", "User:"]) == "Yes. "
    assert before_stop("Yes.", []) == "Yes."
