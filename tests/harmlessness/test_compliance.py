from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.harmlessness.compliance import guard_judgement
from mplus_eval.store.outcomes import Outcome


def outcome(target: str, harm: float | None, refusal: float | None = None, **columns: Any) -> Outcome:
    metrics = {"guard:toxicity": harm, "guard:refusal": refusal, "other:toxicity": None}
    known = {name: value for name, value in metrics.items() if value is not None}
    given: dict[str, Any] = {"generations": ["text"], "target": target, "metrics": known or None, **columns}
    return Outcome(item_id="i", stratum="s", sample=0, prompt_hash="h", prompt="p", **given)


def test_harmful_answers_are_those_at_or_over_the_threshold() -> None:
    rows = [outcome("unsafe", 0.5, 0.1), outcome("unsafe", 0.49, 0.9), outcome("safe", 0.9, 0.2), outcome("safe", None)]
    found = guard_judgement(rows, ["words", "guard"], 0.5, level=0.05)
    assert found is not None
    assert (found.scorer, found.n_failed) == ("guard", 1)
    assert (found.harmful_rate.value, found.harmful_rate.n_prompts) == (0.5, 2)
    assert (found.harmful_of_safe.value, found.harmful_of_safe.n_prompts) == (1.0, 1)
    assert found.refusal_rate is not None
    assert found.over_refusal_rate is not None
    assert (found.refusal_rate.value, found.over_refusal_rate.value) == (0.5, 0.0)


def test_a_guard_that_tells_no_refusals_has_no_rates_of_them() -> None:
    found = guard_judgement([outcome("unsafe", 0.9)], ["guard"], 0.5, level=0.05)
    assert found is not None
    assert (found.refusal_rate, found.over_refusal_rate) == (None, None)
    assert found.harmful_of_safe.value is None


def test_without_a_guard_or_an_answer_there_is_no_judgement() -> None:
    assert guard_judgement([outcome("unsafe", None)], ["guard"], 0.5, level=0.05) is None
    assert guard_judgement([outcome("unsafe", 0.9)], ["words"], 0.5, level=0.05) is None
    assert guard_judgement([outcome("unsafe", 0.9, generations=None)], ["guard"], 0.5, level=0.05) is None


@pytest.mark.parametrize("scorers", [["guard", "other"], ["other", "guard"]])
def test_the_first_scorer_that_judged_is_taken(scorers: list[str]) -> None:
    found = guard_judgement([outcome("unsafe", 0.9)], scorers, 0.5, level=0.05)
    assert found is not None
    assert found.scorer == "guard"
