from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.gate.explain import explain
from mplus_eval.gate.policy import load_policy, shipped_policies
from tests.gate import build


def test_a_rule_is_told_in_words(tmp_path: Path) -> None:
    policy = build.policy(
        tmp_path,
        """description: For the release.
rules:
  math:
    measure: task
    tasks: [gsm8k, 'math*']
    models: [plus]
    max_loss: 0.02
    min_items: 500
    interval: adjusted
    missing: inconclusive
    tier: warning
    why: Our users compute.
""",
    )
    assert explain(policy) == (
        """Policy policy. For the release.

math (capability)
  Looks at: score on each task; tasks: gsm8k, math*; models: plus.
  Of each model: a loss of 2 points against the baseline must be ruled out.
  Of each model: on fewer than 500 items nothing passes.
  The interval, widened over all that the rule looks at in a model (Bonferroni), decides: a breach must be ruled out """
        """to pass, and shown to fail.
  Without evidence the rule is inconclusive. Warning: told, and does not change the exit code.
  Why: Our users compute."""
    )


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("{measure: suite, verdicts: [improved, preserved]}", "improved or preserved is required."),
        (
            "{measure: task, verdicts: [improved, preserved, undecided, not informative]}",
            "no loss may be shown (judges that disagree and answers that cannot be compared do not pass).",
        ),
        ("{measure: refusals, at_least: 0.955}", "at least 0.955 (95.5 %) is accepted."),
        ("{measure: toxicity, at_most: 0.3}", "at most 0.3 (30 %) is accepted."),
        ("{measure: failed_items, max_count: 3}", "no more than 3 are accepted."),
    ],
)
def test_every_limit_has_words(tmp_path: Path, keys: str, told: str) -> None:
    assert f"  Of each model: {told}" in explain(build.one_rule(tmp_path, keys)).splitlines()


@pytest.mark.parametrize("name", shipped_policies())
def test_every_shipped_policy_is_told_rule_by_rule(name: str) -> None:
    policy = load_policy(name)
    told = explain(policy)
    assert all(f"\n{rule} (" in told for rule in policy.rules)
