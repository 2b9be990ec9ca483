from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from mplus_eval.capability.observed import Observed
from mplus_eval.capability.power import Assumed, assume, plan_power, sizes_of
from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import SuiteTask, load_suite
from mplus_eval.statistics.power import items_for_degraded, items_for_preserved
from tests.task_files import write_task


def assumed(name="t", items=2000, discordance=0.1, effect=1.0, loss=0.02, margin=0.02):
    return Assumed(name, items, discordance, effect, 1.5 * effect if effect > 1 else effect, loss, margin)


def seen(**changed):
    fields = {
        "model": "plus", "n_items": 300, "kind": "choice", "discordance": 0.05, "noise": None,
        "effect": 1.5, "cautious_effect": 2.0,
        "cluster_size": 4.0, "icc": 0.1,
    }  # fmt: skip
    return Observed(**(fields | changed))


def test_a_task_needs_what_its_tests_need_at_the_familys_worst_level():
    plan = plan_power([assumed("a"), assumed("b", effect=2.0)], 0.05, 0.01, 0.01, n_models=3)
    assert plan.task_level == pytest.approx(0.05 / 6)
    need = plan.tasks[1]
    assert need.for_degraded == items_for_degraded(0.1, 0.02, 0.05 / 6, effect=2.0)
    assert need.for_preserved == items_for_preserved(0.1, 0.02, 0.05 / 6, effect=3.0)
    assert not need.is_decidable


def test_the_suites_power_is_that_of_the_macro_averages_variance():
    # Variance (0.1/4,000 + 0.2/6,000) / 4 = 0.0038²; with a loss of one point 1/4 of it each more.
    tasks = [assumed("a", 4000, 0.1), assumed("b", 6000, 0.2)]
    plan = plan_power(tasks, 0.05, 0.01, 0.01)
    error = np.sqrt((0.1 / 4000 + 0.2 / 6000) / 4)
    by_hand = norm.cdf(0.01 / error - norm.isf(0.025))
    assert plan.suite is not None
    assert plan.suite.power_preserved == pytest.approx(by_hand, abs=0.03)
    assert plan.suite.power_degraded == pytest.approx(by_hand, abs=0.05)
    assert plan.suite.power_degraded < plan.suite.power_preserved


def test_the_suites_items_are_spread_by_the_root_of_discordance_and_effect():
    tasks = [assumed("a", 50_000, 0.04), assumed("b", 50_000, 0.16), assumed("c", 50_000, 0.04, effect=4.0)]
    plan = plan_power(tasks, 0.05, 0.01, 0.01)
    spread = [need.for_suite for need in plan.tasks]
    assert plan.suite is not None
    assert sum(spread) == plan.suite.for_suite
    assert spread[1] == pytest.approx(2 * spread[0], rel=0.01)
    assert spread[2] == pytest.approx(6**0.5 * spread[0], rel=0.01)


def test_the_suites_items_are_the_fewest_that_have_the_power():
    tasks = [assumed("a", 50_000, 0.08), assumed("b", 5000, 0.15)]
    plan = plan_power(tasks, 0.05, 0.01, 0.01)
    assert plan.suite is not None
    fewer = [assumed(need.assumed.name, need.for_suite, need.assumed.discordance) for need in plan.tasks]
    again = plan_power(fewer, 0.05, 0.01, 0.01).suite
    assert again is not None
    assert 0.8 <= min(again.power_degraded, again.power_preserved) < 0.81


def test_a_suite_that_cannot_be_decided_gives_all_items():
    plan = plan_power([assumed("a", 150), assumed("b", 100)], 0.05, 0.01, 0.01)
    assert plan.suite is not None
    assert (plan.suite.for_degraded, plan.suite.for_preserved, plan.suite.for_suite) == (None, None, 250)
    assert [need.for_suite for need in plan.tasks] == [150, 100]


def test_one_task_is_no_suite():
    plan = plan_power([assumed()], 0.05, 0.01, 0.01)
    assert plan.suite is None
    assert plan.task_level == 0.05


def test_nothing_need_differ():
    plan = plan_power([assumed("a", 150, 0.0), assumed("b", 250, 0.0)], 0.05, 0.02, 0.02)
    assert plan.suite is not None
    assert plan.suite.power_preserved == 1.0


def test_discordance_is_given_or_observed_or_usual():
    suite = load_suite("mplus")
    tasks = [task for task in suite.tasks if task.name in ("mmlu", "gsm8k", "agieval_en")]
    sizes = {task.name: (task.items or 0, task.kind or "") for task in tasks}
    observed = {"mmlu": seen(), "gsm8k": seen(discordance=0.01, noise=0.03)}
    found = {each.name: each for each in assume(suite, tasks, sizes, observed)}
    assert [found[name].discordance for name in ("mmlu", "gsm8k", "agieval_en")] == [0.05, 0.03, 0.10]
    assert [found[name].effect for name in ("mmlu", "agieval_en")] == [1.5, 1.0]
    assert [found[name].cautious_effect for name in ("mmlu", "agieval_en")] == [2.0, 1.0]
    assert {each.discordance for each in assume(suite, tasks, sizes, {}, discordance=0.03)} == {0.03}


def test_the_loss_to_be_found_is_the_margin_where_none_is_given():
    suite = load_suite("mplus")
    (task,) = [task for task in suite.tasks if task.name == "gsm8k"]
    sizes = {"gsm8k": (1319, "generation")}
    assert [(each.loss, each.margin) for each in assume(suite, [task], sizes, {})] == [(0.02, 0.02)]
    own = task.model_copy(update={"margin": 0.03})
    assert [(each.loss, each.margin) for each in assume(suite, [own], sizes, {}, loss=0.01)] == [(0.01, 0.03)]
    assert [(each.loss, each.margin) for each in assume(suite, [own], sizes, {}, margin=0.01)] == [(0.01, 0.01)]


def test_sizes_are_those_of_the_suite_file_or_of_the_run_or_of_the_data(tmp_path: Path):
    write_task(tmp_path, "sums")
    tasks = [
        SuiteTask(name="known", lm_eval="x", items=70, kind="generation"),
        SuiteTask(name="asked", lm_eval="x"),
        SuiteTask(name="sums", lm_eval="sums"),
    ]
    sizes = sizes_of(tasks, {"asked": seen()}, data_dir=None, tasks_dir=tmp_path)
    assert sizes["known"] == (70, "generation")
    assert sizes["asked"] == (300, "choice")
    assert sizes["sums"][0] > 0
    assert sizes["sums"][1] == "choice"


def test_a_task_of_unknown_size_is_a_line(tmp_path: Path):
    write_task(tmp_path, "sums")
    next(tmp_path.rglob("*.jsonl")).unlink()
    with pytest.raises(SpecError, match=r"^task 'x': its number of items is not known; task 'x': "):
        sizes_of([SuiteTask(name="x", lm_eval="sums")], {}, data_dir=None, tasks_dir=tmp_path)


def test_items_are_not_counted_for_ratios(tmp_path: Path) -> None:
    words = {"metric_list": [{"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False}]}
    changed = {"output_type": "loglikelihood", "doc_to_choice": None, "doc_to_target": "{{options[answer]}}"}
    write_task(tmp_path, "last_words", **changed, **words)
    tasks = [
        SuiteTask(name="pages", lm_eval="wikitext", kind="text", items=62),
        SuiteTask(name="x", lm_eval="last_words"),
    ]
    with pytest.raises(SpecError) as caught:
        sizes_of(tasks, {}, data_dir=None, tasks_dir=tmp_path)
    told = "items are counted for scores, and its value is a ratio of losses; leave it out with --tasks"
    assert list(caught.value.faults) == [f"task 'pages': {told}", f"task 'x': {told}"]
