from collections import Counter

import numpy as np
import pytest

from mplus_eval.statistics.rounds import round_sizes, rounds_of


def test_each_round_asks_half_as_many_again():
    assert round_sizes(1319) == [200, 300, 450, 675, 1012, 1319]
    assert round_sizes(362) == [200, 300, 362]
    # A last round of a few items is not worth loading a model for.
    assert round_sizes(1100) == [200, 300, 450, 675, 1100]


@pytest.mark.parametrize("n_items", [1, 199, 200, 239])
def test_a_small_task_is_asked_at_once(n_items):
    assert round_sizes(n_items) == [n_items]


def sizes_after(rounds):
    counts = Counter(number for of in rounds.values() for number in of)
    return np.cumsum([counts[number] for number in sorted(counts)]).tolist()


def test_items_alone_fill_rounds_exactly_and_strata_in_proportion():
    rounds = rounds_of({"small": [None] * 100, "large": [None] * 900}, "0 task")
    assert sizes_after(rounds) == round_sizes(1000)
    for number, size in enumerate(round_sizes(1000)):
        assert sum(each <= number for each in rounds["small"]) == pytest.approx(size / 10, abs=1)


def test_clusters_stay_whole():
    labels = [f"passage {number // 7}" for number in range(700)]
    rounds = rounds_of({"reading": labels}, "0 reading")
    by_cluster = {
        label: {rounds["reading"][place] for place in range(700) if labels[place] == label} for label in labels
    }
    assert all(len(found) == 1 for found in by_cluster.values())
    assert sizes_after(rounds) == pytest.approx(round_sizes(700), abs=7)


def test_a_cluster_of_two_strata_is_asked_in_one_round():
    shared = {"with": [f"question {i}" for i in range(300)], "without": [f"question {i}" for i in range(300)]}
    rounds = rounds_of(shared, "0 task")
    assert rounds["with"] == rounds["without"]
    assert sizes_after(rounds) == round_sizes(600)


def test_the_order_is_drawn_by_the_seed_alone():
    clusters = {"a": [None] * 600}
    assert rounds_of(clusters, "0 task") == rounds_of(clusters, "0 task")
    assert rounds_of(clusters, "0 task") != rounds_of(clusters, "1 task")
    first = np.flatnonzero(np.array(rounds_of(clusters, "0 task")["a"]) == 0)
    # Drawn from everywhere: the mean place of 200 of 600 has a standard error of 10.
    assert abs(first.mean() - 299.5) < 40


def test_no_stratum_of_many_is_always_met_first():
    names = [f"s{number:02d}" for number in range(57)]
    met = Counter()
    for seed in range(40):
        rounds = rounds_of({name: [None] * 246 for name in names}, f"{seed}")
        met.update({name: rounds[name].count(0) for name in names})
    # 200 of 57 strata is 3.5 of each.
    assert max(met.values()) / 40 < 3.8
    assert min(met.values()) / 40 > 3.2
