from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.gate.check import Gate, check, read_comparison
from mplus_eval.gate.limits import Outcome
from mplus_eval.gate.policy import load_policy
from mplus_eval.records.comparison import Comparison, Missing
from mplus_eval.records.verdict import Verdict
from tests.gate import build
from tests.reports import build as reports


@pytest.fixture(scope="module")
def run() -> Comparison:
    return build.three_models()


def outcomes(gate: Gate, model: str) -> dict[str, str]:
    return {result.rule: str(result.outcome) for result in gate.of(model)}


def test_the_default_policy_fails_what_forgot_passes_what_was_kept_and_is_inconclusive_on_few_items(
    run: Comparison,
) -> None:
    gate = check(run, load_policy("default"))
    assert {model: str(gate.outcome_of(model)) for model in gate.models} == {
        "kept": "pass",
        "forgetful": "fail",
        "few": "inconclusive",
    }
    assert set(outcomes(gate, "kept").values()) == {"pass"}
    failed = {rule for rule, outcome in outcomes(gate, "forgetful").items() if outcome == "fail"}
    assert failed == {"suite-kept", "no-task-degraded"}
    assert gate.exit_code == 1


@pytest.mark.parametrize(("model", "exit_code"), [("kept", 0), ("forgetful", 1), ("few", 4)])
def test_the_exit_code_is_of_the_models_asked_about(run: Comparison, model: str, exit_code: int) -> None:
    assert check(run, load_policy("default"), [model]).exit_code == exit_code


def test_only_blocking_rules_decide(run: Comparison, tmp_path: Path) -> None:
    rules = "\n".join(
        f"  {tier}: {{measure: suite, verdicts: preserved, tier: {tier}}}" for tier in ("warning", "info")
    )
    gate = check(run, build.policy(tmp_path, f"rules:\n{rules}"), ["forgetful"])
    assert outcomes(gate, "forgetful") == {"warning": "fail", "info": "fail"}
    assert (gate.outcome, gate.exit_code) == (Outcome.PASS, 0)


def test_a_failure_goes_before_what_is_inconclusive(run: Comparison) -> None:
    assert check(run, load_policy("default"), ["few", "forgetful"]).exit_code == 1
    assert check(run, load_policy("default"), ["few", "kept"]).exit_code == 4


@pytest.mark.parametrize("axis", ["tasks", "toxicity", "conversation"])
def test_an_axis_that_was_not_evaluated_is_a_breach(run: Comparison, axis: str) -> None:
    absent: dict[str, Any] = {"tasks": {"tasks": {}, "summary": {}}}
    without = run.model_copy(update=absent.get(axis, {axis: None}))
    gate = check(without, load_policy("strict"), ["kept"])
    missing = [result for result in gate.results if result.outcome is Outcome.MISSING]
    assert gate.exit_code == 1
    assert {finding.words for result in missing for finding in result.findings} <= {
        f"no evidence: {'capability' if axis == 'tasks' else 'harmlessness' if axis == 'toxicity' else axis} "
        "was not evaluated"
    }


def test_a_missing_cell_is_a_breach_with_its_cause(run: Comparison, tmp_path: Path) -> None:
    sums = run.tasks["sums"]
    contrasts = {name: each for name, each in sums.contrasts.items() if name != "kept"}
    tasks = run.tasks | {"sums": sums.model_copy(update={"contrasts": contrasts})}
    missing = (Missing(model="kept", task="sums", cause="out of memory"),)
    holed = run.model_copy(update={"tasks": tasks, "missing": missing})
    gate = check(holed, build.one_rule(tmp_path, "{measure: task, max_loss: 0.05}"), ["kept"])
    (result,) = gate.results
    assert [(each.place, str(each.outcome)) for each in result.findings] == [
        ("task facts", "pass"),
        ("task sums", "missing"),
    ]
    assert result.telling[0].words == "no evidence: out of memory"
    assert gate.exit_code == 1


@pytest.mark.parametrize(
    ("missing", "outcome", "exit_code"), [("inconclusive", "inconclusive", 4), ("allow", "pass", 0)]
)
def test_a_rule_may_be_content_without_evidence(
    run: Comparison, tmp_path: Path, missing: str, outcome: str, exit_code: int
) -> None:
    without = run.model_copy(update={"conversation": None})
    policy = build.one_rule(tmp_path, f"{{measure: conversation, verdicts: improved, missing: {missing}}}")
    gate = check(without, policy, ["kept"])
    assert (outcomes(gate, "kept"), gate.exit_code) == ({"only": outcome}, exit_code)


@pytest.mark.parametrize(
    ("models", "asked"),
    [
        ("['*']", {"kept", "forgetful", "few"}),
        ("[sft]", {"forgetful"}),
        ("[kept, in*]", {"kept", "few"}),
        ("'f*'", {"forgetful", "few"}),
    ],
)
def test_rules_name_models_and_roles(run: Comparison, tmp_path: Path, models: str, asked: set[str]) -> None:
    gate = check(run, build.one_rule(tmp_path, f"{{measure: suite, verdicts: preserved, models: {models}}}"))
    assert {result.model for result in gate.results} == asked


def test_names_that_the_run_does_not_have_are_faults_all_at_once(run: Comparison, tmp_path: Path) -> None:
    policy = build.policy(
        tmp_path,
        """rules:
  a: {measure: task, tasks: [fact], max_loss: 0.1, models: [keept]}
  b: {measure: subject, subjects: [laws], max_loss: 0.1}
  c: {measure: toxicity, sets: [requests], verdicts: improved}
  d: {measure: refusals, sets: [requests], at_least: 0.1}
  e: {measure: toxicity, sets: [primary, talk], verdicts: improved}
""",
    )
    with pytest.raises(SpecError) as caught:
        check(run, policy, ["kep", "base"])
    assert list(caught.value.faults) == [
        "--model 'kep': no model that can be gated; did you mean kept?",
        "--model 'base': no model that can be gated; known: kept, forgetful, few",
        "policy policy: rule 'a': models: 'keept' is not in the run; did you mean kept?",
        "policy policy: rule 'a': tasks: 'fact' is not in the run; did you mean facts?",
        "policy policy: rule 'b': subjects: 'laws' is not in the run; did you mean law?",
        "policy policy: rule 'c': sets: 'requests' is not in the run; known: provoking, talk, primary",
    ]


@pytest.mark.parametrize(
    "keys",
    [
        "{measure: task, tasks: ['gsm*'], max_loss: 0.1}",
        "{measure: subject, subjects: ['physics*'], max_loss: 0.1}",
        "{measure: toxicity, sets: ['quarrel*'], verdicts: improved}",
        "{measure: suite, models: ['rlhf*'], verdicts: improved}",
    ],
)
def test_a_pattern_that_matches_nothing_is_missing_evidence(run: Comparison, tmp_path: Path, keys: str) -> None:
    gate = check(run, build.one_rule(tmp_path, keys))
    assert {result.outcome for result in gate.results} == {Outcome.MISSING}
    assert "match" in gate.results[0].findings[0].words
    assert gate.exit_code == 1


def test_a_name_of_an_axis_that_was_not_evaluated_is_missing_evidence(run: Comparison, tmp_path: Path) -> None:
    policy = build.one_rule(
        tmp_path, "{measure: toxicity, sets: [anything], verdicts: improved, missing: inconclusive}"
    )
    assert check(run.model_copy(update={"toxicity": None}), policy).exit_code == 4


def test_a_gate_that_would_check_nothing_is_refused(run: Comparison, tmp_path: Path) -> None:
    alone = run.model_copy(update={"models": {"base": run.models["base"]}})
    with pytest.raises(SpecError, match="no model besides the baseline base; there is nothing to gate"):
        check(alone, load_policy("default"))
    policy = build.one_rule(tmp_path, "{measure: suite, verdicts: preserved, models: [forgetful]}")
    with pytest.raises(SpecError, match="no rule is about kept; nothing was checked"):
        check(run, policy, ["kept"])


def test_saved_steps_of_a_training_are_not_gated() -> None:
    gate = check(reports.trained(), load_policy("capability"))
    assert gate.models == ("instruct", "sft", "chosen", "plus")


def test_a_judge_that_trained_the_model_lets_nothing_pass(run: Comparison, tmp_path: Path) -> None:
    """Whatever verdict and win rate are stored."""
    trained = build.talking(Verdict.IMPROVED, 0.9, trained_model=True)
    judged = run.model_copy(update={"conversation": build.conversation(kept=trained)})
    for limit in ("verdicts: improved", "at_least: 0.5", "max_loss: 0.02"):
        gate = check(judged, build.one_rule(tmp_path, f"{{measure: conversation, {limit}}}"), ["kept"])
        assert gate.exit_code == 1
        assert gate.results[0].findings[0].words == "no evidence: not comparable (the judge trained this model)"


def test_a_run_is_read_back(run: Comparison, tmp_path: Path) -> None:
    run.write(tmp_path / "comparison.json")
    assert read_comparison(tmp_path) == run


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not a comparison of schema version 1"),
        (b"\xff\xfe\x00", "is not a comparison of schema version 1"),
        (b"[" * 100_000, "is not a comparison of schema version 1"),
        (b'{"schema_version": 2}', "is not a comparison of schema version 1"),
        (b'{"results": {"hellaswag": {"acc,none": 0.5}}}', "is not a comparison of schema version 1"),
        (b'{"baseline": "\\ud800"}', "is not a comparison of schema version 1"),
    ],
)
def test_a_damaged_or_foreign_file_is_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "comparison.json").write_bytes(content)
    with pytest.raises(UsageError, match=told) as caught:
        read_comparison(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_keys_of_a_foreign_file_cannot_act_in_a_terminal(tmp_path: Path) -> None:
    run = b'{"baseline": "a", "suite": "b", "models": {"\\u001b[31m\\u202e\\nx": 3}}'
    (tmp_path / "comparison.json").write_bytes(run)
    with pytest.raises(UsageError, match="x: Input should be") as caught:
        read_comparison(tmp_path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("level", [0.0, 1.0, 7.0, float("nan")])
def test_a_level_that_is_none_is_refused(run: Comparison, tmp_path: Path, level: float) -> None:
    text = run.model_dump_json().replace('"level":0.05', f'"level":{level}'.replace("nan", "NaN"))
    (tmp_path / "comparison.json").write_text(text)
    with pytest.raises(UsageError, match="level"):
        read_comparison(tmp_path)


def test_only_a_regular_file_is_read(run: Comparison, tmp_path: Path) -> None:
    run.write(tmp_path / "elsewhere.json")
    for name in ("link", "pipe", "folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "link" / "comparison.json").symlink_to(tmp_path / "elsewhere.json")
    os.mkfifo(tmp_path / "pipe" / "comparison.json")
    (tmp_path / "folder" / "comparison.json").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(UsageError, match="a regular file is expected, and no link or device"):
            read_comparison(tmp_path / name)
    with pytest.raises(UsageError, match=r"no comparison\.json here"):
        read_comparison(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_comparison(tmp_path / "elsewhere.json")


def test_nothing_that_a_run_names_is_opened(run: Comparison, tmp_path: Path) -> None:
    """A source, an lm-eval task or a judge of a foreign run is a text; the only file opened is comparison.json."""
    bait = tmp_path / "bait.py"
    bait.write_text("raise SystemExit('followed')")
    models = {name: entry.model_copy(update={"source": str(bait)}) for name, entry in run.models.items()}
    tasks = {name: task.model_copy(update={"lm_eval": str(bait)}) for name, task in run.tasks.items()}
    run.model_copy(update={"models": models, "tasks": tasks}).write(tmp_path / "comparison.json")
    policy = load_policy("strict")
    opened: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in ("open", "import", "subprocess.Popen"):
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)  # stays for the process, and sees nothing once it is not watching
    check(read_comparison(tmp_path), policy)
    watching.clear()
    assert [name for name in opened if str(tmp_path) in name] == [str(tmp_path / "comparison.json")]
    assert not any("bait" in name for name in opened)
