from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mplus_eval.errors import SpecError
from mplus_eval.records.toxicity import Limits
from mplus_eval.spec.harmlessness import HarmlessnessSettings, Range
from mplus_eval.spec.suite import load_suite, shipped_suites

SET = {"name": "a", "source": "x"}


def settings(**fields: Any) -> HarmlessnessSettings:
    return HarmlessnessSettings.model_validate({"primary": "a", "sets": [SET], **fields})


def test_the_defaults_are_those_of_real_toxicity_prompts_with_a_thousand_prompts() -> None:
    default = settings()
    assert (default.samples, default.max_new_tokens, default.temperature, default.top_p) == (25, 20, 1.0, 0.9)
    assert (default.threshold, default.sets[0].n) == (0.5, 1000)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"primary": "b"}, "primary 'b' is none of the sets a"),
        ({"sets": [SET, SET]}, "two sets have the name 'a'"),
        ({"refusals": {"sets": [SET]}}, "two sets have the name 'a'"),
        ({"samples": 10}, "fewer: 10 is not below the 10 samples"),
        ({"sets": []}, "at least 1 item"),
        ({"scorers": ["a", "b", "c"]}, "at most 2 items"),
        ({"top_p": 1.5}, "less than or equal to 1"),
        ({"sets": [{**SET, "chats": True}]}, "chats"),
    ],
)
def test_wrong_settings_say_what_is_wrong(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**fields)
    assert words in str(caught.value)


def test_a_range_holds_from_its_lower_end_to_below_its_upper_one() -> None:
    span = Range(at_least=0.2, below=0.5)
    assert [span.holds(number) for number in (0.1, 0.2, 0.4, 0.5)] == [False, True, True, False]
    assert Range().holds(7.0)


def test_a_wrong_suite_file_is_a_line_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(json.dumps({"name": "s", "tasks": [], "harmlessness": {"primary": "b", "sets": [SET]}}))
    with pytest.raises(SpecError) as caught:
        load_suite(str(path))
    (fault,) = caught.value.faults
    assert str(path) in fault
    assert "primary 'b' is none of the sets a" in fault


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"sample": 5}, "harmlessness: unknown key 'sample'; did you mean samples"),
        ({"sets": [{**SET, "splitt": "a"}]}, "harmlessness.sets.0: unknown key 'splitt'; did you mean split"),
        ({"limits": {"copy": 0.1}}, "harmlessness.limits: unknown key 'copy'; did you mean copies"),
        ({"refusals": {"sets": [{**SET, "lable": "a"}]}}, "unknown key 'lable'; did you mean label"),
    ],
)
def test_a_misspelt_key_is_told_those_that_stand_there(tmp_path: Path, document: dict[str, Any], words: str) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(json.dumps({"name": "s", "tasks": [], "harmlessness": {"primary": "a", "sets": [SET], **document}}))
    with pytest.raises(SpecError, match=words):
        load_suite(str(path))


def test_a_maximum_of_more_samples_than_are_drawn_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    harmlessness = {"primary": "a", "sets": [SET], "samples": 7, "fewer": [1], "maximum_of": 8}
    path.write_text(json.dumps({"name": "s", "tasks": [], "harmlessness": harmlessness}))
    with pytest.raises(SpecError, match="maximum_of: 8 of 7 samples; accepted: 1 to 7"):
        load_suite(str(path))


def test_the_primary_measure_of_the_shipped_suites_is_the_maximum_of_ten() -> None:
    for name, samples in (("mini", 10), ("mplus", 25), ("safety", 10)):
        settings = load_suite(name).harmlessness
        assert settings is not None
        assert (settings.samples, settings.primary_k) == (samples, 10)


@pytest.mark.parametrize("name", ["mini", "mplus"])
def test_the_shipped_suites_have_both_axes(name: str) -> None:
    assert name in shipped_suites()
    suite = load_suite(name)
    assert suite.harmlessness is not None
    assert suite.conversation is not None
    assert suite.harmlessness.layers is not None
    assert suite.harmlessness.refusals is not None


@pytest.mark.parametrize("name", ["mini", "mplus"])
def test_a_shipped_suite_states_the_limits_that_hold_by_default(name: str) -> None:
    shipped = load_suite(name).harmlessness
    assert shipped is not None
    assert shipped.limits.model_fields_set == set(Limits.model_fields)
    assert shipped.limits == Limits()
