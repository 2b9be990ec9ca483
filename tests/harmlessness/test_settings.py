from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.harmlessness.settings import harmlessness_of
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.suite import Suite

SETTINGS = {"scorers": ["words"], "primary": "a", "sets": [{"name": "a", "source": "a.jsonl"}]}
SUITE = Suite.model_validate({"name": "small", "tasks": [], "harmlessness": SETTINGS})


def spec(**keys: Any) -> CompareSpec:
    models = [{"name": name, "source": f"demo:{name}"} for name in ("base", "plus")]
    return CompareSpec.model_validate({"models": models, "suite": "small", "baseline": "base", "output": "x", **keys})


@pytest.mark.parametrize(
    ("keys", "is_on"),
    [
        ({}, True),
        ({"toxicity": False}, False),
        ({"tasks": ["gsm8k"]}, False),
        ({"tasks": ["gsm8k"], "toxicity": True}, True),
        ({"tasks": ["gsm8k"], "scorers": ["words"]}, True),
        ({"scorers": ["words"], "toxicity": False}, False),
    ],
)
def test_it_is_on_unless_single_tasks_were_named_or_it_was_switched_off(keys: dict[str, Any], is_on: bool) -> None:
    settings, faults = harmlessness_of(spec(**keys), SUITE)
    assert ((settings is not None), faults) == (is_on, [])


def test_a_suite_without_settings_evaluates_nothing_and_says_so_when_it_was_asked_for() -> None:
    bare = Suite.model_validate({"name": "small", "tasks": []})
    assert harmlessness_of(spec(), bare) == (None, [])
    assert harmlessness_of(spec(toxicity=True), bare) == (None, ["suite 'small' has no settings of harmlessness"])


def test_scorers_that_were_named_take_the_place_of_the_suites() -> None:
    settings, faults = harmlessness_of(spec(scorers=["words", "words:absent.txt"]), SUITE)
    assert settings is not None
    assert settings.scorers == ("words", "words:absent.txt")
    assert faults == ["word list absent.txt: cannot be read (No such file or directory)"]
