import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mplus_eval.errors import SpecError
from mplus_eval.training.dose import kl_of_own_answers, kl_of_texts
from mplus_eval.training.sampling import SampledAnswer, sample_answers
from tests.tiny_models import CHAT_TEMPLATE, SENTENCES

PROMPTS = [[{"role": "user", "content": text}] for text in SENTENCES]


@pytest.fixture(scope="module")
def base(tiny_model):
    return AutoModelForCausalLM.from_pretrained(tiny_model(chat_template=CHAT_TEMPLATE))


@pytest.fixture(scope="module")
def model(tiny_model):
    """The base, moved a little."""
    moved = AutoModelForCausalLM.from_pretrained(tiny_model(chat_template=CHAT_TEMPLATE))
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    return moved


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model(chat_template=CHAT_TEMPLATE))


@pytest.fixture(scope="module")
def answers(model, tokenizer):
    return sample_answers(model, tokenizer, PROMPTS, max_new_tokens=6, seed=0)


@torch.no_grad()
def slow_kl(model, base, ids: list[int], start: int) -> list[float]:
    """KL at each token from `start` on: the context anew for every token, and a loop over the vocabulary."""
    found = []
    for place in range(start, len(ids)):
        context = torch.tensor([ids[:place]])
        p = model(input_ids=context).logits[0, -1].double().softmax(-1).tolist()
        q = base(input_ids=context).logits[0, -1].double().softmax(-1).log().tolist()
        log_p = torch.tensor(p, dtype=torch.float64).log().tolist()
        found.append(sum(a * (b - c) for a, b, c in zip(p, log_p, q, strict=True)))
    return found


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_kl_of_answers_agrees_with_a_slow_loop(model, base, tokenizer, answers, batch_size):
    slow = [slow_kl(model, base, [*a.prompt_ids, *a.token_ids], len(a.prompt_ids)) for a in answers]
    found = kl_of_own_answers(model, base, answers, tokenizer.pad_token_id, batch_size)
    assert found.per_answer == pytest.approx(sum(map(sum, slow)) / len(slow), rel=1e-4)
    assert found.per_token == pytest.approx(sum(map(sum, slow)) / sum(map(len, slow)), rel=1e-4)
    assert found.per_answer > 0.01


@pytest.mark.parametrize("batch_size", [1, 3])
def test_kl_of_texts_agrees_with_a_slow_loop(model, base, tokenizer, batch_size):
    texts = [*SENTENCES, ""]
    slow = [slow_kl(model, base, tokenizer(text)["input_ids"][:10], 1) for text in texts]
    found = kl_of_texts(model, base, texts, tokenizer, 10, batch_size)
    assert found == pytest.approx(sum(map(sum, slow)) / sum(map(len, slow)), rel=1e-4)


def test_a_model_is_not_away_from_itself(base, tokenizer, answers):
    assert kl_of_own_answers(base, base, answers, tokenizer.pad_token_id) == (0.0, 0.0)
    assert kl_of_texts(base, base, SENTENCES, tokenizer, 64) == 0.0


def test_kl_is_never_below_zero_even_for_one_answer(model, base, tokenizer, answers):
    for answer in answers:
        assert kl_of_own_answers(model, base, [answer], tokenizer.pad_token_id).per_token > 0


def test_the_kl_is_what_the_log_ratios_of_sampled_tokens_are_on_average(model, base, tokenizer):
    """The plain Monte Carlo estimate has the same expectation."""
    many = sample_answers(model, tokenizer, PROMPTS[:1] * 400, max_new_tokens=3, seed=1, batch_size=200)
    ratios = torch.tensor([_log_ratio(model, base, answer) for answer in set(many)])
    counts = torch.tensor([many.count(answer) for answer in set(many)])
    ratios = ratios.repeat_interleave(counts)
    error = float(ratios.std() / len(many) ** 0.5)
    found = kl_of_own_answers(model, base, many, tokenizer.pad_token_id, batch_size=200)
    assert found.per_answer == pytest.approx(float(ratios.mean()), abs=3 * error)
    assert error < found.per_answer / 5


@torch.no_grad()
def _log_ratio(model, base, answer: SampledAnswer) -> float:
    ids, start = torch.tensor([[*answer.prompt_ids, *answer.token_ids]]), len(answer.prompt_ids)
    log_p, log_q = (each(input_ids=ids).logits[0, start - 1 : -1].log_softmax(-1) for each in (model, base))
    chosen = torch.tensor(answer.token_ids)[:, None]
    return float((log_p - log_q).gather(1, chosen).sum())


def test_dropout_plays_no_part_and_modes_return(model, base, tokenizer, answers, monkeypatch):
    expected = kl_of_own_answers(model, base, answers, tokenizer.pad_token_id)
    for layer in model.model.layers:
        monkeypatch.setattr(layer.self_attn, "attention_dropout", 0.5)
    model.train()
    try:
        assert kl_of_own_answers(model, base, answers, tokenizer.pad_token_id) == expected
        assert model.training
    finally:
        model.eval()


def test_a_model_in_low_precision_is_measured_in_full(base, tokenizer, answers):
    coarse = AutoModelForCausalLM.from_pretrained(base.config.name_or_path, dtype=torch.bfloat16)
    assert kl_of_own_answers(coarse, base, answers, tokenizer.pad_token_id).per_token > 0


def test_nothing_to_measure_is_refused(base, tokenizer):
    with pytest.raises(ValueError, match="no answers"):
        kl_of_own_answers(base, base, [], 0)
    for texts in ([], ["", ""]):
        with pytest.raises(SpecError, match="nothing to predict"):
            kl_of_texts(base, base, texts, tokenizer, 8)
