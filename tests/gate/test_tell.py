from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from mplus_eval.gate.check import Gate, Result, check
from mplus_eval.gate.limits import Finding, Outcome
from mplus_eval.gate.policy import load_policy
from mplus_eval.gate.tell import as_json, lines, markdown, summary
from tests.gate import build

HOSTILE = "<script>alert(1)</script>|`x`[a](javascript:x)\n\n# head\x1b[31m\u202e\x00\ud800 ::error::x ##[error]y"


@pytest.fixture(scope="module")
def gate() -> Gate:
    return check(build.three_models(), load_policy("default"))


def hostile() -> Gate:
    words = " ".join([HOSTILE.replace("\n", " ")] * 20)
    finding = Finding("task x", Outcome.FAIL, words, "#items?x")
    result = Result("rule", "blocking", "capability", HOSTILE, Outcome.FAIL, (finding,))
    return Gate("own", "base", (HOSTILE,), (result,))


def test_the_terminal_has_a_line_a_model_and_what_does_not_pass(gate: Gate) -> None:
    assert list(lines(gate, "run/report.html")) == [
        "model kept: pass, 10 of 10 rules passed",
        "model forgetful: fail, 8 of 10 rules passed",
        "  blocking suite-kept: fail",
        "    suite: degraded, macro-average −20.0 points [−22.0, −18.0]; improved or",
        "      preserved is required",
        "      run/report.html#items?task=facts&model=forgetful&show=lost",
        "  blocking no-task-degraded: fail",
        "    task facts: degraded, score −25.0 points [−28.0, −22.0]; no loss may be",
        "      shown",
        "      run/report.html#items?task=facts&model=forgetful&show=lost",
        "    task sums: degraded, score −25.0 points [−28.0, −22.0]; no loss may be shown",
        "      run/report.html#items?task=sums&model=forgetful&show=lost",
        "model few: inconclusive, 9 of 10 rules passed",
        "  blocking suite-kept: inconclusive",
        "    suite: undecided, macro-average −0.5 points [−3.5, +2.5]; about 4,700 items",
        "      would settle it; improved or preserved is required",
        "      run/report.html#items?task=facts&model=few&show=lost",
        summary(gate),
    ]


def test_one_line_for_a_chat(gate: Gate) -> None:
    assert summary(gate) == (
        "mplus-eval gate, policy default: fail. kept passes; forgetful fails (suite-kept and no-task-degraded); "
        "few inconclusive (suite-kept)."
    )


def test_a_chat_hears_of_warnings() -> None:
    without = build.three_models().model_copy(update={"conversation": None})
    assert summary(check(without, load_policy("default"), ["kept"])) == (
        "mplus-eval gate, policy default: pass. kept passes, with 1 warning."
    )


def test_lines_begin_no_command_of_a_runner_and_act_in_no_terminal() -> None:
    for line in [*lines(hostile(), "report.html"), summary(hostile())]:
        assert "\n" not in line
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
    for line in [summary(hostile()), next(lines(hostile(), ""))]:
        assert line.isprintable()


class Tags(HTMLParser):
    """Which elements a text would open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.add(tag)


def test_markdown_is_a_row_a_rule_and_holds_foreign_text_as_text() -> None:
    text = markdown(hostile(), "")
    assert Tags(text).opened == set()
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3
    assert "](javascript" not in text
    assert "(`report.html#items?x`)" in text
    assert not any(line.startswith("# head") for line in text.splitlines())


def test_json_holds_everything(gate: Gate) -> None:
    document = json.loads(as_json(gate))
    assert document["schema_version"] == 1
    assert (document["outcome"], document["exit_code"]) == ("fail", 1)
    assert document["models"] == {"kept": "pass", "forgetful": "fail", "few": "inconclusive"}
    assert len(document["results"]) == 30
    first = next(each for each in document["results"] if each["model"] == "forgetful")
    assert (first["rule"], first["outcome"], first["findings"][0]["link"]) == (
        "suite-kept",
        "fail",
        "#items?task=facts&model=forgetful&show=lost",
    )
    assert json.loads(as_json(hostile()))["results"][0]["model"] == HOSTILE
