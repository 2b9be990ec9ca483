from dataclasses import fields

import numpy as np
import pytest

from mplus_eval.statistics.expected_items import SAMPLES, expected_items
from mplus_eval.statistics.rounds import round_sizes
from mplus_eval.statistics.sequential import Look, decision_of, plain_look

MARGIN = 0.02


def asked_by_decisions(n, discordance, loss, level, generator):
    """Items asked in 200 runs, each decided as a task of a comparison is."""
    chances = [discordance / 2 + loss, discordance / 2, 1 - discordance - loss]
    values = generator.choice([-1, 1, 0], size=(200, n), p=chances)
    asked = np.full(200, n)
    for items in reversed(round_sizes(n)):
        gained, lost = np.sum(values[:, :items] > 0, axis=1), np.sum(values[:, :items] < 0, axis=1)
        look = plain_look(gained, lost, items, MARGIN, level)
        for run in range(200):
            of_run = Look(**{each.name: getattr(look, each.name)[run] for each in fields(Look)})
            p_values = float(of_run.p_difference), float(of_run.p_non_inferiority)
            if decision_of(of_run, *p_values, MARGIN, level).is_settled:
                asked[run] = items
    return asked


@pytest.mark.parametrize(("discordance", "loss"), [(0.02, 0.0), (0.02, 0.04)])
def test_the_mean_is_that_of_runs_decided_one_by_one(discordance, loss):
    asked = asked_by_decisions(4000, discordance, loss, 0.05, np.random.default_rng(3))
    error = np.std(asked) * np.sqrt(1 / 200 + 1 / SAMPLES)
    assert expected_items(4000, discordance, loss, MARGIN, 0.05) == pytest.approx(np.mean(asked), abs=3 * error)


def test_what_is_clear_takes_one_round():
    assert expected_items(10_000, 0.02, 0.5, MARGIN, 0.05) == 200


def test_a_small_task_is_asked_whole():
    assert expected_items(150, 0.1, 0.0, MARGIN, 0.05) == 150


def test_items_that_hang_together_are_asked_longer():
    alone = expected_items(20_000, 0.03, 0.0, MARGIN, 0.05)
    assert 2 * alone < expected_items(20_000, 0.03, 0.0, MARGIN, 0.05, effect=3.0) <= 4 * alone
