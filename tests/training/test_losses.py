from math import exp, log

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from mplus_eval.rewards.model import standardise
from mplus_eval.training.losses import (
    adapt_kl_coefficient,
    bradley_terry_loss,
    centring_term,
    kl_of_answers,
    leave_one_out_advantages,
)


def test_bradley_terry_loss_by_hand():
    # A margin of log 3 is a probability of 3/4, one of −log 3 of 1/4.
    loss = bradley_terry_loss(torch.tensor([log(3.0), 0.0]), torch.tensor([0.0, log(3.0)]))
    assert loss.item() == pytest.approx((log(4 / 3) + log(4)) / 2)


def test_bradley_terry_loss_is_finite_where_the_model_is_surely_wrong():
    assert bradley_terry_loss(torch.tensor([0.0]), torch.tensor([500.0])).item() == pytest.approx(500.0)


def test_centring_term_by_hand():
    assert centring_term(torch.tensor([1.0, 2.0]), torch.tensor([2.0, -2.0])).item() == pytest.approx(4.5)


@pytest.mark.parametrize("coefficient", [0.01, 0.5])
def test_loss_and_centring_are_those_of_the_reward_trainer(coefficient):
    from types import SimpleNamespace

    from trl import RewardTrainer

    chosen, rejected = torch.randn(5), torch.randn(5)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False),
        args=SimpleNamespace(center_rewards_coefficient=coefficient),
        accelerator=SimpleNamespace(gather_for_metrics=lambda x: x, gather=lambda x: x),
        _metrics={"eval": _Anything()},
        _total_train_tokens=0,
        _tp_size=1,
    )
    logits = torch.cat([chosen, rejected])[:, None]
    inputs = {"attention_mask": torch.ones(10, 1)}
    theirs = RewardTrainer.compute_loss(trainer, lambda **_: SimpleNamespace(logits=logits), inputs)
    ours = bradley_terry_loss(chosen, rejected) + coefficient * centring_term(chosen, rejected)
    torch.testing.assert_close(ours, theirs)


class _Anything(dict):
    def __missing__(self, key):
        self[key] = []
        return self[key]


def test_standardised_rewards_by_hand():
    assert standardise(torch.tensor([5.0, 1.0]), mean=3.0, deviation=4.0).tolist() == [0.5, -0.5]


@pytest.mark.parametrize("deviation", [0.0, -1.0, float("nan")])
def test_rewards_that_do_not_differ_cannot_be_scaled(deviation):
    with pytest.raises(ValueError, match="deviation"):
        standardise(torch.ones(2), 1.0, deviation)


def test_leave_one_out_by_hand():
    assert leave_one_out_advantages(torch.tensor([[1.0, 2.0, 6.0]])).tolist() == [[-3.0, -1.5, 4.5]]


def test_leave_one_out_agrees_with_a_loop():
    rewards = torch.randn(4, 5, dtype=torch.float64)
    expected = torch.zeros_like(rewards)
    for prompt in range(4):
        for answer in range(5):
            others = [float(rewards[prompt, j]) for j in range(5) if j != answer]
            expected[prompt, answer] = rewards[prompt, answer] - sum(others) / 4
    torch.testing.assert_close(leave_one_out_advantages(rewards), expected)


def test_leave_one_out_needs_another_answer():
    with pytest.raises(ValueError, match="two answers"):
        leave_one_out_advantages(torch.ones(3, 1))


def test_kl_of_an_answer_by_hand():
    p, q = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()
    one = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75)
    sums, counts = kl_of_answers(p.expand(2, 3, 2), q.expand(2, 3, 2), torch.tensor([[0, 1, 1], [1, 0, 0]]))
    assert sums.tolist() == pytest.approx([2 * one, one])
    assert counts.tolist() == [2, 1]


def test_kl_agrees_with_torch_distributions():
    p, q = torch.randn(3, 4, 7), torch.randn(3, 4, 7)
    mask = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0]])
    expected = (kl_divergence(Categorical(logits=p), Categorical(logits=q)) * mask).sum(dim=1)
    torch.testing.assert_close(kl_of_answers(p, q, mask)[0], expected)


def test_kl_does_not_depend_on_what_is_added_to_all_logits():
    p, q, mask = torch.randn(1, 2, 5), torch.randn(1, 2, 5), torch.ones(1, 2)
    torch.testing.assert_close(kl_of_answers(p + 3, q - 1, mask), kl_of_answers(p, q, mask))


def test_kl_is_of_the_first_from_the_second():
    p, q = torch.tensor([[[0.9, 0.1]]]).log(), torch.tensor([[[0.5, 0.5]]]).log()
    there, back = kl_of_answers(p, q, torch.ones(1, 1))[0], kl_of_answers(q, p, torch.ones(1, 1))[0]
    assert there.item() == pytest.approx(0.9 * log(1.8) + 0.1 * log(0.2), abs=1e-6)
    assert back.item() == pytest.approx(0.5 * log(0.5 / 0.9) + 0.5 * log(5), abs=1e-6)


def test_a_token_that_the_model_rules_out_adds_nothing():
    p, q = torch.tensor([[[0.0, 0.0, float("-inf")]]]), torch.zeros(1, 1, 3)
    assert kl_of_answers(p, q, torch.ones(1, 1))[0].item() == pytest.approx(log(1.5))


def test_kl_of_equal_logits_is_zero():
    logits = torch.randn(2, 50, 300) * 5
    assert kl_of_answers(logits, logits, torch.ones(2, 50))[0].tolist() == [0.0, 0.0]


def test_rounding_does_not_make_a_kl_negative():
    logits = torch.randn(300, 1, 300) * 5
    near = logits + 1e-6 * torch.randn_like(logits)
    assert (kl_of_answers(logits, near, torch.ones(300, 1))[0] >= 0).all()


@pytest.mark.parametrize(
    ("kl", "expected"),
    [(6.0, 0.1), (6.6, 0.1 * (1 + 0.1 * 0.064)), (60.0, 0.1 * (1 + 0.2 * 0.064)), (0.0, 0.1 * (1 - 0.2 * 0.064))],
)
def test_kl_coefficient_follows_the_clipped_error(kl, expected):
    assert adapt_kl_coefficient(0.1, kl, target=6.0, n_answers=640, horizon=10_000) == pytest.approx(expected)


def test_kl_coefficient_finds_the_target_of_a_model_that_gives_way():
    coefficient = 0.01
    for _ in range(2000):
        coefficient = adapt_kl_coefficient(coefficient, 10 * exp(-coefficient), 5.0, n_answers=64, horizon=1000)
    assert 10 * exp(-coefficient) == pytest.approx(5.0, rel=0.01)
