from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from mplus_eval.gate.check import Gate, Result, check
from mplus_eval.gate.junit import junit
from mplus_eval.gate.limits import Finding, Outcome
from mplus_eval.gate.policy import load_policy
from mplus_eval.records.comparison import Missing
from tests.gate import build

HOSTILE = '<b>&amp;"]]>\x1b[31m\x00\x0b\ud800\udfff\ufffe\uffff\u202e\r\n\t\U0001f600'
CASE_CHILDREN = {"failure", "error", "skipped"}


@pytest.fixture(scope="module")
def gate() -> Gate:
    return check(build.three_models(), load_policy("default"))


def parsed(text: str) -> ElementTree.Element:
    """The document as a reader of bytes gets it, so that what UTF-8 cannot write fails here."""
    return ElementTree.fromstring(text.encode("utf-8"))


def assert_well_shaped(top: ElementTree.Element) -> None:
    """The shape that Jenkins' junit-10.xsd and GitLab's reader ask for: which elements, attributes and counts."""
    assert top.tag == "testsuites"
    for element in (top, *top):
        assert element.tag in ("testsuites", "testsuite")
        counts = {"tests", "failures", "errors"} | ({"skipped"} if element.tag == "testsuite" else set())
        assert set(element.attrib) == {"name", "time"} | counts
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            if attribute in counts:
                assert int(element.attrib[attribute]) == len(list(element.iter(tag)))
        assert int(element.attrib["tests"]) == len(list(element.iter("testcase")))
    for case in top.iter("testcase"):
        assert set(case.attrib) == {"name", "classname", "time"}
        assert len(case) <= 1
        for child in case:
            assert child.tag in CASE_CHILDREN
            assert "message" in child.attrib
            assert len(child) == 0


def test_a_suite_is_a_model_and_a_case_a_rule(gate: Gate) -> None:
    top = parsed(junit(gate, "run/report.html"))
    assert_well_shaped(top)
    assert [(suite.get("name"), suite.get("failures"), suite.get("errors")) for suite in top] == [
        ("kept", "0", "0"),
        ("forgetful", "2", "0"),
        ("few", "0", "1"),
    ]
    assert [case.get("name") for case in top[0]] == list(load_policy("default").rules)
    assert top[0][0].get("classname") == "kept.capability"


def test_a_failure_says_why_and_links_the_items(gate: Gate) -> None:
    top = parsed(junit(gate, "run/report.html"))
    failure = top.find("testsuite[@name='forgetful']/testcase[@name='no-task-degraded']/failure")
    assert failure is not None
    assert failure.get("type") == "fail"
    assert failure.get("message") == (
        "blocking, fail: task facts: degraded, score −25.0 points [−28.0, −22.0]; no loss may be shown"
    )
    assert "run/report.html#items?task=facts&model=forgetful&show=lost" in (failure.text or "")
    assert "task sums: degraded" in (failure.text or "")


def test_what_is_inconclusive_is_an_error(gate: Gate) -> None:
    error = parsed(junit(gate, "")).find("testsuite[@name='few']/testcase[@name='suite-kept']/error")
    assert error is not None
    assert error.get("type") == "inconclusive"


def test_only_blocking_rules_fail_a_job(tmp_path: Path) -> None:
    policy = build.one_rule(tmp_path, "{measure: suite, verdicts: preserved, tier: warning}")
    top = parsed(junit(check(build.three_models(), policy), ""))
    assert_well_shaped(top)
    assert (top.get("failures"), top.get("errors")) == ("0", "0")
    assert [suite.get("skipped") for suite in top] == ["0", "1", "1"]
    skipped = top.find("testsuite[@name='forgetful']/testcase/skipped")
    assert skipped is not None
    assert (skipped.get("message") or "").startswith("warning, fail: suite: degraded")


def test_a_rule_about_no_model_has_a_suite_of_its_own(tmp_path: Path) -> None:
    policy = build.one_rule(tmp_path, "{measure: suite, verdicts: preserved, models: 'rlhf*'}")
    top = parsed(junit(check(build.three_models(), policy), ""))
    assert_well_shaped(top)
    assert [(suite.get("name"), suite.get("failures")) for suite in top] == [("no model", "1")]


def test_hostile_text_changes_nothing_but_what_is_shown() -> None:
    """Markup, escapes of terminals, null bytes, lone surrogates, characters that XML forbids, and a megabyte."""
    finding = Finding(HOSTILE, Outcome.FAIL, HOSTILE + "x" * 1_000_000, f"#items?task={HOSTILE}")
    results = tuple(
        Result(f"rule-{tier}", tier, "capability", HOSTILE, Outcome.FAIL, (finding,))  # type: ignore[arg-type]
        for tier in ("blocking", "warning")
    )
    top = parsed(junit(Gate(HOSTILE, HOSTILE, (HOSTILE,), results), HOSTILE))
    assert_well_shaped(top)
    assert (top[0].get("failures"), top[0].get("skipped")) == ("1", "1")
    failure = top.find(".//failure")
    assert failure is not None
    shown = failure.text or ""
    assert shown.startswith(
        '<b>&amp;"]]>⟨U+001B⟩[31m⟨U+0000⟩⟨U+000B⟩⟨U+D800⟩⟨U+DFFF⟩\ufffd\ufffd⟨U+202E⟩\n\t\U0001f600: <b>'
    )
    assert "x" * 1_000_000 in shown


def test_hostile_names_of_a_run_go_through_the_whole_gate() -> None:
    run = build.three_models()
    bad = HOSTILE.replace("\ud800\udfff", "")[:200]
    models = {(bad if name == "kept" else name): entry for name, entry in run.models.items()}
    tasks = {f"{bad}{name}": task for name, task in run.tasks.items()}
    missing = tuple(Missing(model=bad, task=task, cause=bad) for task in tasks)
    hostile = run.model_copy(update={"models": models, "tasks": tasks, "missing": missing})
    gate = check(hostile, load_policy("strict"))
    top = parsed(junit(gate, "report.html"))
    assert_well_shaped(top)
    assert len(top) == 3
    assert gate.exit_code == 1
