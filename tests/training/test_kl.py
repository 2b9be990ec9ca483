"""The KL of a model from its base, and the control of its coefficient, by hand and against torch."""

from math import exp, log

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from mplus_eval.training.kl import adapt_kl_coefficient, kl_of_answers
from mplus_eval.training.next_tokens import NextTokens


def kl(p, q, mask):
    return kl_of_answers(NextTokens(p), NextTokens(q), mask)


def test_kl_of_an_answer_by_hand():
    p, q = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()
    one = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75)
    sums, counts = kl(p.expand(2, 3, 2), q.expand(2, 3, 2), torch.tensor([[0, 1, 1], [1, 0, 0]]))
    assert sums.tolist() == pytest.approx([2 * one, one])
    assert counts.tolist() == [2, 1]


def test_kl_agrees_with_torch_distributions():
    p, q = torch.randn(3, 4, 7), torch.randn(3, 4, 7)
    mask = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0]])
    expected = (kl_divergence(Categorical(logits=p), Categorical(logits=q)) * mask).sum(dim=1)
    torch.testing.assert_close(kl(p, q, mask)[0], expected)


def test_kl_does_not_depend_on_what_is_added_to_all_logits():
    p, q, mask = torch.randn(1, 2, 5), torch.randn(1, 2, 5), torch.ones(1, 2)
    torch.testing.assert_close(kl(p + 3, q - 1, mask), kl(p, q, mask))


def test_kl_is_of_the_first_from_the_second():
    p, q = torch.tensor([[[0.9, 0.1]]]).log(), torch.tensor([[[0.5, 0.5]]]).log()
    there, back = kl(p, q, torch.ones(1, 1))[0], kl(q, p, torch.ones(1, 1))[0]
    assert there.item() == pytest.approx(0.9 * log(1.8) + 0.1 * log(0.2), abs=1e-6)
    assert back.item() == pytest.approx(0.5 * log(0.5 / 0.9) + 0.5 * log(5), abs=1e-6)


def test_a_token_that_the_model_rules_out_adds_nothing():
    p, q = torch.tensor([[[0.0, 0.0, float("-inf")]]]), torch.zeros(1, 1, 3)
    assert kl(p, q, torch.ones(1, 1))[0].item() == pytest.approx(log(1.5))


def test_kl_of_equal_logits_is_zero():
    logits = torch.randn(2, 50, 300) * 5
    assert kl(logits, logits, torch.ones(2, 50))[0].tolist() == [0.0, 0.0]


def test_rounding_does_not_make_a_kl_negative():
    logits = torch.randn(300, 1, 300) * 5
    near = logits + 1e-6 * torch.randn_like(logits)
    assert (kl(logits, near, torch.ones(300, 1))[0] >= 0).all()


@pytest.mark.parametrize(
    ("kl_seen", "expected"),
    [(6.0, 0.1), (6.6, 0.1 * (1 + 0.1 * 0.064)), (60.0, 0.1 * (1 + 0.2 * 0.064)), (0.0, 0.1 * (1 - 0.2 * 0.064))],
)
def test_kl_coefficient_follows_the_clipped_error(kl_seen, expected):
    assert adapt_kl_coefficient(0.1, kl_seen, target=6.0, n_answers=640, horizon=10_000) == pytest.approx(expected)


def test_kl_coefficient_finds_the_target_of_a_model_that_gives_way():
    coefficient = 0.01
    for _ in range(2000):
        coefficient = adapt_kl_coefficient(coefficient, 10 * exp(-coefficient), 5.0, n_answers=64, horizon=1000)
    assert 10 * exp(-coefficient) == pytest.approx(5.0, rel=0.01)
