import json
from random import Random

import pytest

from mplus_eval.training.recipe import RewardHacking
from mplus_eval.training.reward_hacking import HackingMonitor

SETTINGS = RewardHacking(window=5, entropy=0.3, distinct=0.5, referee=0.5)
Step = dict[str, float | None]


def steps(n: int = 40, *, reward: float = 0.1, entropy: float = 0.0, distinct: float = 0.0) -> list[Step]:
    """Steps with a little noise, where quantities change by so much a step."""
    random = Random(0)
    return [
        {
            "reward": reward * i + random.gauss(0, 0.05),
            "entropy": max(2.0 + entropy * i, 0.0) + random.gauss(0, 0.02),
            "distinct": max(0.6 + distinct * i, 0.0) + random.gauss(0, 0.01),
        }
        for i in range(n)
    ]


def with_referee(rows: list[Step], means: list[float], noise: float = 0.1) -> list[Step]:
    random = Random(1)
    return [{**row, "referee": mean + random.gauss(0, noise)} for row, mean in zip(rows, means, strict=True)]


def watch(rows: list[Step], monitor: HackingMonitor | None = None) -> list[str]:
    monitor = monitor or HackingMonitor(SETTINGS)
    return [said for step, row in enumerate(rows, 1) if (said := monitor.observe(step, **row))]


def test_nothing_is_said_when_all_is_well():
    assert watch(with_referee(steps(), [0.05 * i for i in range(40)])) == []


def test_collapsed_entropy_is_said_once():
    (said,) = watch(steps(entropy=-0.06))
    assert "the entropy went from 1.8" in said
    assert "below 30% of what it was" in said
    assert "the reward went from" in said


def test_collapsed_variety_is_said_once():
    (said,) = watch(steps(distinct=-0.02))
    assert "distinct-2" in said
    assert "below 50%" in said


def test_a_referee_that_falls_from_its_best_is_said_once():
    rise_and_fall = [0.05 * min(i, 20) - 0.05 * max(i - 20, 0) for i in range(40)]
    (said,) = watch(with_referee(steps(), rise_and_fall))
    assert "the referee's reward fell from 1.01 in its best 5 steps" in said


def test_the_best_window_of_the_referee_need_not_be_the_first():
    rise_and_fall = [0.05 * min(i, 20) - 0.05 * max(i - 20, 0) for i in range(40)]
    first, last = rise_and_fall[:5], rise_and_fall[-5:]
    assert sum(last) > sum(first) - 0.5
    assert watch(with_referee(steps(), rise_and_fall))


def test_a_referee_without_trend_is_noise():
    for seed in range(20):
        random = Random(seed)
        rows = [{**row, "referee": random.gauss(0, 1)} for row in steps(100)]
        monitor = HackingMonitor(RewardHacking(window=10))
        assert watch(rows, monitor) == []


def test_nothing_is_said_while_the_reward_is_flat():
    rows = with_referee(steps(entropy=-0.06, distinct=-0.02), [-0.1 * i for i in range(40)])
    assert len(watch(rows)) == 3
    assert watch([{**row, "reward": 0.3} for row in rows]) == []


@pytest.mark.parametrize(("last", "n_warnings"), [(1.2, 0), (1.3, 1)])
def test_a_reward_within_one_standard_error_has_not_risen(last, n_warnings):
    # The mean was 0.8; single steps vary by √((16 + last²) / 18), 0.99, as four changes of 2 and one of `last` say.
    rewards = [0.0, 2.0, 0.0, 2.0, 0.0, last, last, last, last, last]
    noise = ((16 + last**2) / 18) ** 0.5
    assert (last > 0.8 + noise / 5**0.5) == bool(n_warnings)
    entropies = [2.0] * 5 + [0.1] * 5
    rows = [{"reward": r, "entropy": e, "distinct": 0.6} for r, e in zip(rewards, entropies, strict=True)]
    assert len(watch(rows)) == n_warnings


def test_nothing_is_said_before_two_windows_are_full():
    rows = [{"reward": float(i), "entropy": 2.0 if i < 5 else 0.0, "distinct": 0.6} for i in range(10)]
    monitor = HackingMonitor(SETTINGS)
    said = [monitor.observe(step, **row) for step, row in enumerate(rows, 1)]
    assert said[:9] == [None] * 9
    assert said[9].startswith("step 10: ")


def test_all_kinds_are_said_one_after_another():
    said = watch(with_referee(steps(entropy=-0.06, distinct=-0.02), [-0.1 * i for i in range(40)]))
    assert len(said) == 3
    assert len({line.split(":")[0] for line in said}) == 3


def test_the_referee_may_miss_steps():
    rows = with_referee(steps(), [0.0] * 20 + [-3.0] * 20)
    rows = [{**row, "referee": row["referee"] if i % 2 else None} for i, row in enumerate(rows)]
    assert len(watch(rows)) == 1


@pytest.mark.parametrize("kept", [0, 3, 5, 12, 25, 39])
def test_a_restored_monitor_says_what_an_undisturbed_one_does(kept):
    rows = with_referee(steps(entropy=-0.06, distinct=-0.02), [-0.1 * i for i in range(40)])
    undisturbed, before = HackingMonitor(SETTINGS), HackingMonitor(SETTINGS)
    expected = [undisturbed.observe(step, **row) for step, row in enumerate(rows)]
    said = [before.observe(step, **row) for step, row in enumerate(rows[:kept])]
    after = HackingMonitor(SETTINGS, json.loads(json.dumps(before.memory())))
    said += [after.observe(step, **row) for step, row in enumerate(rows[kept:], kept)]
    assert said == expected
    assert after.memory() == undisturbed.memory()


def test_a_state_is_not_changed_by_what_comes_later():
    monitor = HackingMonitor(SETTINGS)
    monitor.observe(1, 0.0, 2.0, 0.6)
    state = monitor.memory()
    before = json.dumps(state)
    monitor.observe(2, 0.0, 2.0, 0.6)
    HackingMonitor(SETTINGS, state).observe(2, 0.0, 2.0, 0.6)
    assert json.dumps(state) == before
