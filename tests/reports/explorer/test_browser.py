"""The explorer in a real browser: links open items, filters and searches list them, hostile texts stay texts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.reports import write_report
from mplus_eval.reports.explorer import explorer as module
from mplus_eval.reports.render import render_html
from mplus_eval.reports.view import build_report
from tests.reports import build, build_conversation, build_toxicity
from tests.reports.explorer import hostile

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]
OPEN_MS = 30_000
"""A generous bound, for busy machines; benchmarks/explorer.py measures."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty items of five models with choices, of which plus lost every third, and a text of each for gsm8k."""
    directory = tmp_path_factory.mktemp("run")
    full = build.full()
    tasks = {name: full.tasks[name].model_copy(update={"n_shots": 0}) for name in ("arc_easy", "gsm8k")}
    build.write_run(directory, full.model_copy(update={"tasks": tasks, "pairs": (), "missing": ()}))
    for model in full.models:
        picks = [1 if model == "plus" and n % 3 == 0 else 0 for n in range(30)]
        choices = [
            build.outcome(
                n,
                float(not pick),
                stratum="arc_easy",
                item_id=f"arc_easy/{n}",
                generations=None,
                choices=["in leaves", "in the soil"],
                target="in leaves",
                answer=("in leaves", "in the soil")[pick],
                log_probabilities=[-1.5, -2.25] if not pick else [-2.25, -1.5],
            )
            for n, pick in enumerate(picks)
        ]
        choices[4] |= {"score": None, "error": "out of memory", "log_probabilities": None} if model == "sft" else {}
        build.write_outcomes(directory, model, "arc_easy", choices)
        ending = "and a half are left" if model == "plus" else "are left"
        texts = [build.outcome(n, 1.0, generations=[f"Of {n} plums and six pears seven {ending}."]) for n in range(3)]
        build.write_outcomes(directory, model, "gsm8k", texts)
    write_report(directory)
    return directory


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with fifty thousand hostile items."""
    directory = tmp_path_factory.mktemp("hostile")
    report = replace(build_report(build.full(), {}, directory), explorer=hostile.explorer())
    drawings = dict.fromkeys((figure.name for figure in report.figures), "")
    (directory / "report.html").write_text(render_html(report, drawings), encoding="utf-8")
    return directory


def opened(browser: Any, directory: Path, fragment: str = "", **settings: Any) -> tuple[Any, list[str]]:
    """A page with the report, and everything that its console says."""
    page = browser.new_page(**settings)
    page.set_default_timeout(OPEN_MS)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((directory / "report.html").as_uri() + fragment)
    return page, said


def listed(page: Any) -> list[str]:
    """The ids in sight."""
    return list(page.locator("#x-list [role=option]:visible .x-what b").all_inner_texts())


def count(page: Any, text: str) -> None:
    page.locator("#x-count", has_text=re.compile(text)).wait_for()


def test_a_link_opens_its_item_with_what_the_filter_leaves(browser: Any, run: Path) -> None:
    page, said = opened(browser, run, "#items?task=arc_easy&model=plus&show=lost&item=arc_easy%2F6")
    page.locator("#x-texts .x-choices").wait_for()
    assert page.locator("#x-title").inner_text() == "arc_easy · arc_easy/6"
    assert page.locator("#x-count").inner_text() == "10 items."
    assert page.locator("#x-position").inner_text() == "3 of 10"
    assert page.locator("#x-show").input_value() == "lost"
    assert page.evaluate("document.activeElement.id") == "x-item"
    assert said == []
    page.close()


def test_every_choice_has_its_log_probability_and_the_pick_is_marked(browser: Any, run: Path) -> None:
    page, _ = opened(browser, run, "#items?task=arc_easy&item=arc_easy/6&models=base,plus")
    rows = page.locator("#x-texts .x-choices tbody tr")
    rows.first.wait_for()
    assert [row.locator("th, td").all_text_contents() for row in rows.all()] == [
        ["in leavesreference", "−1.50 pick", "−2.25"],
        ["in the soil", "−2.25", "−1.50 pick"],
    ]
    widths = [box["width"] for box in (bar.bounding_box() for bar in page.locator(".x-bar").all())]
    assert widths[0] > widths[1] * 0.9
    assert widths[0] > widths[2] * 0.9
    page.close()


def test_filters_list_what_became_of_items(browser: Any, run: Path) -> None:
    page, said = opened(browser, run, "#items?task=arc_easy")
    count(page, "^30 items")
    page.locator("#x-show").select_option("failed")
    count(page, "^1 item")
    assert listed(page) == ["arc_easy/4"]
    page.locator("#x-list [role=option]").first.click()
    page.get_by_text("out of memory").wait_for()
    page.locator("#x-show").select_option("gained")
    count(page, "^0 items")
    assert page.locator("#x-item").is_hidden()
    assert page.evaluate("location.hash") == "#items?task=arc_easy&show=gained"
    page.go_back()
    page.get_by_text("out of memory").wait_for()
    assert said == []
    page.close()


def test_three_models_are_compared_word_by_word(browser: Any, run: Path) -> None:
    page, said = opened(browser, run, "#items?task=gsm8k&item=item-1&models=base,sft,plus")
    columns = page.locator("#x-texts .say")
    columns.nth(2).wait_for()
    assert columns.count() == 3
    assert page.locator("#x-texts ins").all_inner_texts() == ["and a half "]
    assert columns.nth(1).get_by_text("word for word").is_visible()
    page.locator("#x-difference").uncheck()
    page.locator("#x-texts ins").wait_for(state="detached")
    page.locator("#x-models input").nth(1).check()
    columns.nth(3).wait_for()
    assert "models=base%2Cinstruct%2Csft%2Cplus" in page.evaluate("location.hash")
    assert said == []
    page.close()


def test_the_list_is_used_by_keyboard(browser: Any, run: Path) -> None:
    page, _ = opened(browser, run, "#items?task=arc_easy")
    count(page, "^30 items")
    page.locator("#x-list").focus()
    for key in ("End", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    page.locator("#x-texts .x-choices").wait_for()
    assert page.locator("#x-title").inner_text() == "arc_easy · arc_easy/28"
    active = page.locator("#x-list").get_attribute("aria-activedescendant")
    row = page.locator(f"#{active}")
    assert (row.get_attribute("aria-posinset"), row.get_attribute("aria-selected")) == ("29", "true")
    assert page.evaluate("document.activeElement.id") == "x-title"
    page.close()


def test_an_item_that_is_not_there_is_said(browser: Any, run: Path) -> None:
    page, said = opened(browser, run, "#items?task=arc_easy&item=arc_easy/999")
    count(page, "No item arc_easy/999 is in this page")
    assert said == []
    page.close()


def test_a_link_followed_within_the_page_lists_what_it_asks_for(browser: Any, run: Path) -> None:
    page, said = opened(browser, run)
    page.evaluate("location.hash = '#items?task=gsm8k&model=plus'")
    count(page, "^3 items")
    page.wait_for_timeout(500)
    assert (page.locator("#x-task").input_value(), page.locator("#x-model").input_value()) == ("gsm8k", "plus")
    assert said == []
    page.close()


def test_nothing_is_unpacked_before_it_is_in_sight(browser: Any, run: Path) -> None:
    page, _ = opened(browser, run, viewport={"width": 1280, "height": 500})
    assert page.locator("#x-count").text_content() == "Not unpacked yet."
    page.locator(".nav a", has_text="Items").click()
    count(page, "^30 items")
    page.close()


@pytest.mark.parametrize("width", [360, 1366])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fifty_thousand_hostile_items_open_by_a_link_and_stay_text(
    browser: Any, hostile_page: Path, width: int, scheme: str
) -> None:
    viewport = {"width": width, "height": 800}
    link = "#items?item=subject-2/40002&show=all"
    page, said = opened(browser, hostile_page, link, viewport=viewport, color_scheme=scheme)
    page.locator("#x-texts .x-choices").wait_for()
    assert page.locator("#x-count").inner_text() == "50,000 items."
    assert page.locator("#x-texts .prompt").inner_text().startswith("Item 40002: null⟨U+0000⟩byte")
    assert page.locator("#x-texts .x-choices thead th").count() == 6
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.evaluate("window.hacked") is None
    assert said == []
    page.close()


def test_the_list_of_fifty_thousand_scrolls_to_its_end_with_few_rows(browser: Any, hostile_page: Path) -> None:
    page, said = opened(browser, hostile_page, "#items?task=")
    count(page, "^50,000 items")
    page.evaluate("document.getElementById('x-list').scrollTop = 1e9")
    page.locator("#x-list b", has_text="subject-9/49999").wait_for()
    assert page.locator("#x-list [role=option]").count() < 60
    assert said == []
    page.close()


def test_a_search_finds_texts_among_fifty_thousand_and_a_second_one_takes_its_place(
    browser: Any, hostile_page: Path
) -> None:
    page, said = opened(browser, hostile_page, "#items?q=words-77%20")
    count(page, r"^50 items\.")
    assert listed(page)[:2] == ["subject-7/77", "subject-0/1090"]
    page.locator("#x-q").fill("NULL")
    count(page, r"^7,143 items\.")
    page.locator("#x-q").fill("item 1090: ")
    count(page, r"^1 item\.")
    assert said == []
    page.close()


def test_a_text_of_a_megabyte_is_cut_until_all_of_it_is_asked_for(browser: Any, hostile_page: Path) -> None:
    page, said = opened(browser, hostile_page, "#items?item=subject-7/7")
    prompt = page.locator("#x-texts .prompt")
    prompt.locator("button").wait_for()
    assert len(prompt.inner_text()) < 2000
    prompt.locator("button").click()
    assert page.evaluate("document.querySelector('#x-texts .prompt').textContent.length") > hostile.MEGABYTE
    assert said == []
    page.close()


def test_what_acts_is_shown_as_its_code_point(browser: Any, hostile_page: Path) -> None:
    for place, shown in (
        (9, "⟨U+202E⟩right"),
        (10, "⟨U+001B⟩[31mred"),
        (11, "null⟨U+0000⟩byte"),
        (12, "lone ⟨U+D800⟩"),
    ):
        page, _ = opened(browser, hostile_page, f"#items?item=subject-{place % 10}/{place}")
        page.locator("#x-texts .prompt").wait_for()
        assert shown in page.locator("#x-texts .prompt").inner_text()
        page.close()


def test_judges_that_disagree_are_marked_and_say_why(browser: Any, tmp_path: Path) -> None:
    build_conversation.write_run(tmp_path, build_conversation.talking(), build.HOSTILE)
    write_report(tmp_path)
    page, said = opened(browser, tmp_path, "#items?task=conversation&show=disagree&item=d3")
    page.locator("#x-texts .x-turn").first.wait_for()
    assert page.locator("#x-texts .x-disagree").count() == 1
    turns = page.locator("#x-texts .x-turn")
    assert (
        "the order decided: plus shown first, plus preferred; base shown first, base preferred"
        in turns.first.inner_text()
    )
    page.locator("#x-texts summary", has_text="reason").first.click()
    page.locator("#x-texts .reason", has_text="A is base: A is fuller.").first.wait_for()
    assert page.evaluate("window.hacked") is None
    assert said == []
    page.close()


def test_texts_that_may_offend_are_not_in_the_page_until_they_are_asked_for(browser: Any, tmp_path: Path) -> None:
    build_toxicity.write_run(tmp_path, build_toxicity.harmless())
    write_report(tmp_path)
    page, said = opened(browser, tmp_path, "#items?task=provoking&item=provoking/1")
    page.get_by_text("hidden until “Show texts” is pressed").wait_for()
    assert "rudeness" not in page.locator("#explorer").inner_text()
    page.locator("#x-unveil").click()
    page.locator("#x-texts .x-sample").first.wait_for()
    assert "rudeness" in page.locator("#x-list").inner_text()
    assert said == []
    page.close()


def test_a_link_into_a_report_whose_items_lie_beside_it_leads_there(
    browser: Any, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.setattr(module, "LARGEST_WITHIN", 1)
    write_report(tmp_path / "run")
    page, said = opened(browser, tmp_path / "run", "#items?task=arc_easy&item=arc_easy/6")
    page.locator("#x-texts .x-choices").wait_for()
    assert "items.html#items?task=arc_easy" in page.url
    page.get_by_role("link", name="The report").click()
    page.locator(".nav a", has_text="Items").click()
    page.get_by_role("link", name="items.html").wait_for()
    assert said == []
    page.close()


def test_without_script_and_on_paper_a_few_items_stand_in_its_place(browser: Any, run: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((run / "report.html").as_uri())
    assert not page.locator("#explorer").is_visible()
    assert page.locator(".x-few > details").first.is_visible()
    page.close()
    page, _ = opened(browser, run, "#items?task=arc_easy")
    count(page, "^30 items")
    assert not page.locator(".x-few").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".x-few").is_visible()
    assert not page.locator("#x-list").is_visible()
    page.close()
