import re
from dataclasses import replace
from pathlib import Path

import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import write_report
from mplus_eval.reports.palette import DARK, LIGHT
from mplus_eval.reports.verdicts import ALL_MARKS, MARKS, VERDICTS, Mark, Words, is_comparable
from tests.reports import build


def test_every_verdict_is_told_in_the_order_in_which_the_first_that_holds_counts() -> None:
    assert list(VERDICTS) == list(Verdict)
    assert [told.mark.word for told in VERDICTS.values()] == [verdict.value for verdict in Verdict]


@pytest.mark.parametrize("mark", ALL_MARKS, ids=lambda mark: mark.key)
def test_every_mark_has_a_colour_in_light_and_dark_and_a_symbol_in_the_page(mark: Mark, full_run: Path) -> None:
    assert mark.ink in LIGHT.keys() & DARK.keys()
    page = (full_run / "report.html").read_text(encoding="utf-8")
    assert f'<g id="mark-{mark.key}"><' in page
    assert re.search(rf"\.v-{mark.key}[,{{]", page)


def test_the_first_case_that_holds_and_has_words_is_told() -> None:
    words = Words("plain {size}", loss_shown="lost {size}", power_known="could show {size}")
    facts = {"size": "0.4"}
    assert words.sentence(facts, {"loss_shown": False, "beyond_margin": True}) == "plain 0.4"
    assert words.sentence(facts, {"loss_shown": True, "power_known": True}) == "lost 0.4"
    assert words.sentence(facts, {"beyond_margin": True, "power_known": True}) == "could show 0.4"


def test_what_a_model_is_named_is_no_template() -> None:
    assert Words("{name} gained").sentence({"name": "{size}{0}"}, {}) == "{size}{0} gained"


def test_what_has_no_verdict_may_be_compared() -> None:
    assert is_comparable(None)
    assert is_comparable(build.summary(0.5, 0, 0.1, Verdict.DEGRADED))
    assert not is_comparable(build.summary(0.5, 0, 0.1, Verdict.NOT_COMPARABLE))


def test_a_new_verdict_is_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another mark, colour and words in the place of a verdict's stand in the page with nothing else changed."""
    told = VERDICTS[Verdict.PRESERVED]
    mark = replace(told.mark, word="kept")
    words = Words("Capability is as good as that of {baseline}.")
    other = replace(told, mark=mark, meaning="nothing was lost", capability=words)
    monkeypatch.setitem(VERDICTS, Verdict.PRESERVED, other)
    monkeypatch.setitem(MARKS, Verdict.PRESERVED, mark)
    write_report(build.write_run(tmp_path, build.of_size(2, 3)))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "- kept: nothing was lost" in text
    assert "Capability is as good as that of model-0." in text
    assert "Kept: a loss larger than the margin is ruled out" in text
