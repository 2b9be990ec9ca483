from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.gate.policy import load_policy, shipped_policies
from mplus_eval.records.verdict import Verdict
from tests.gate import build


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        build.policy(folder, text)
    return [fault.replace(f"policy {folder / 'policy.yaml'}: ", "") for fault in caught.value.faults]


def test_a_rule_has_defaults_that_block(tmp_path: Path) -> None:
    rule = build.one_rule(tmp_path, "{measure: task, verdicts: preserved}").rules["only"]
    assert (rule.tier, rule.models, rule.tasks, rule.interval, rule.missing) == (
        "blocking",
        ("*",),
        None,
        "plain",
        "breach",
    )
    assert rule.verdicts == (Verdict.PRESERVED,)


def test_every_fault_of_every_rule_is_a_line(tmp_path: Path) -> None:
    text = """
rules:
  a: {measure: task, verdict: [preserved], max_loss: 2, tier: block}
  b: {measure: suites, verdicts: [improved]}
  c: {measure: suite, tasks: [gsm8k], at_least: 0.5}
  d: {measure: conversation}
  f: {measure: suite, verdicts: improved, interval: adjusted}
  g: {measure: failed_items, at_most: 0.1, interval: none}
  e: {verdicts: [degraded], measure: suite, missing: never, min_items: true}
"""
    assert faults(tmp_path, text) == [
        "rule 'a': tier 'block': blocking, warning or info is accepted",
        "rule 'a': max_loss 2: a fraction from 0 to 1 is accepted (0.02 is 2 points)",
        "rule 'a': unknown key 'verdict'; did you mean verdicts?",
        "rule 'b': measure 'suites': did you mean suite?",
        "rule 'c': tasks: measure suite is not of tasks; it has no parts to name",
        "rule 'c': at_least: no limit of measure suite; accepted: verdicts, max_loss, min_items",
        "rule 'd': it has no limit; measure conversation takes verdicts, max_loss, min_items, at_least",
        "rule 'f': interval 'adjusted': none of its limits is held against an interval",
        "rule 'g': interval 'none': none of its limits is held against an interval",
        "rule 'e': verdicts.0 'degraded': improved, preserved, undecided or not informative is accepted",
        "rule 'e': min_items True: a whole number above 0 is accepted",
        "rule 'e': missing 'never': breach, inconclusive or allow is accepted",
    ]


@pytest.mark.parametrize("verdict", ["judges disagree", "not comparable", "degraded"])
def test_no_rule_can_be_content_with_a_loss_or_with_nothing_known(tmp_path: Path, verdict: str) -> None:
    (fault,) = faults(tmp_path, f"rules: {{a: {{measure: suite, verdicts: [{verdict}]}}}}")
    assert f"verdicts.0 '{verdict}'" in fault


@pytest.mark.parametrize("limit", [".nan", ".inf", "-0.1", "1.01", "true", "two"])
def test_a_limit_is_a_fraction(tmp_path: Path, limit: str) -> None:
    (fault,) = faults(tmp_path, f"rules: {{a: {{measure: suite, max_loss: {limit}}}}}")
    assert "a fraction from 0 to 1 is accepted" in fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("rule: {}", "unknown key 'rule'; did you mean rules?"),
        ("rules: {}", "`rules` is empty; name at least one"),
        ("description: nothing", "`rules` is empty; name at least one"),
        ("rules: [a]", "rules ['a']: rules by name, or `off`"),
        ("rules: {a: 3}", "rules.a 3: rules by name, or `off`"),
        ("rules: {a: {}}", "rule 'a': 'measure' is missing"),
        ("rules: {a b: {measure: suite}}", "rule 'a b': letters, digits, '.', '_' and '-' are accepted in a name"),
        ("rules: {a: off}", "rule 'a': off, but there is no such rule to switch off; it extends no policy"),
        ("rules: {a: {measure: suite, verdicts: []}}", "is accepted"),
        ("rules: {a: {measure: suite, models: [], max_loss: 0}}", "is accepted"),
    ],
)
def test_a_file_that_is_no_policy(tmp_path: Path, text: str, fault: str) -> None:
    assert any(fault in line for line in faults(tmp_path, text))


def test_a_key_that_is_null_is_as_if_absent(tmp_path: Path) -> None:
    policy = build.policy(tmp_path, "extends: capability\nrules: {suite-kept: {verdicts: null, max_loss: 0.01}}")
    assert policy.rules["suite-kept"].limits == ["max_loss"]


def test_what_is_extended_is_changed_key_by_key(tmp_path: Path) -> None:
    policy = build.policy(
        tmp_path,
        "extends: default\nrules:\n  suite-kept: {tier: warning}\n  refusals-kept: off\n"
        "  own: {measure: task, tasks: sums, max_loss: 0.02}\n",
    )
    default = load_policy("default").rules
    assert policy.rules["suite-kept"] == default["suite-kept"].model_copy(update={"tier": "warning"})
    assert [name for name in default if name not in policy.rules] == ["refusals-kept"]
    assert policy.rules["own"].tasks == ("sums",)


def test_a_policy_is_extended_from_where_its_file_lies(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "base.yaml").write_text("rules: {a: {measure: suite, max_loss: 0.01}}")
    (tmp_path / "team" / "own.yaml").write_text("extends: ../base.yaml\nrules: {b: {measure: suite, max_loss: 0.02}}")
    assert list(load_policy(str(tmp_path / "team" / "own.yaml")).rules) == ["a", "b"]


def test_policies_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("extends: policy.yaml")
    (fault,) = faults(tmp_path, "extends: other.yaml")
    assert fault.endswith("it is extended by that one in turn")


def test_a_rule_that_is_switched_off_must_be_there(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "extends: default\nrules: {suite-keep: off}")
    assert fault.endswith("no such rule to switch off; did you mean suite-kept?")


def test_an_unknown_policy_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="policy 'strickt': no such file or shipped policy; did you mean strict"):
        load_policy("strickt")


def test_text_that_would_act_in_a_terminal_is_shown(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, 'rules: {a: {measure: "\\e[31mred\\ud800", max_loss: 0.1}}')
    assert fault.isprintable()


@pytest.mark.parametrize("name", shipped_policies())
def test_every_shipped_policy_says_why_of_every_rule(name: str) -> None:
    policy = load_policy(name)
    assert policy.description
    assert [rule for rule, keys in policy.rules.items() if not keys.why] == []
    assert any(keys.tier == "blocking" for keys in policy.rules.values())
