"""The demo's page, as it is committed, in a real browser from end to end: what a reader does with it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
PAGE = Path(__file__).resolve().parents[2] / "reports" / "sample" / "report.html"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


def opened(browser: Any, fragment: str = "", **settings: Any) -> tuple[Any, list[str]]:
    """The page without any network, and everything that its console says."""
    context = browser.new_context(offline=True, **settings)
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(PAGE.as_uri() + fragment)
    return page, said


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1024, "light"), (1366, "light"), (1600, "dark")])
def test_every_tab_is_sound_at_every_width(browser: Any, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page, said = opened(browser, viewport={"width": width, "height": 768}, color_scheme=scheme)
    tabs = page.locator(".nav a")
    assert tabs.count() == 11
    for tab in tabs.all():
        tab.click()
        if tab.inner_text() == "Items":
            page.locator("#x-list [role=option]").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        if width in (360, 1366):
            found = Axe().run(page).response["violations"]
            assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], tab.inner_text()
    assert said == []
    page.context.close()


def test_the_decision_of_four_models_is_above_the_fold(browser: Any) -> None:
    page, _ = opened(browser, viewport={"width": 1366, "height": 768})
    assert page.locator(".grid tbody tr").count() == 4
    assert page.evaluate("document.querySelector('.grid').getBoundingClientRect().bottom") <= 768
    verdicts = set(page.locator(".grid .verdict b").all_inner_texts())
    assert {"preserved", "not settled", "degraded", "less toxic"} <= verdicts
    page.context.close()


def test_a_reader_sorts_filters_searches_opens_compares_turns_dark_and_prints(browser: Any) -> None:
    page, said = opened(browser, viewport={"width": 1366, "height": 768}, color_scheme="light")
    rows = page.locator("#matrix table").first.locator("tbody tr")
    before = rows.first.inner_text()
    page.locator("#matrix th[aria-sort] button").last.click()
    assert rows.first.inner_text() != before
    page.locator("#filters summary").click()
    page.locator("#filters select").select_option("degraded")
    assert "forgetful" not in before
    assert "of 5 models" in page.locator("#filters output").inner_text()
    page.locator("#filters button").click()
    page.locator(".grid .warn a", has_text="degraded on mini_gsm8k").click()
    page.locator("#x-count", has_text="54 items").wait_for()
    page.locator("#x-q").fill("hats")
    page.wait_for_url(re.compile("q=hats"))
    page.locator("#x-count", has_text=re.compile(r"^[1-9] items\.|^[1-4]\d items\.")).wait_for()
    page.locator("#x-list [role=option]").first.click()
    page.locator("#x-texts .say").first.wait_for()
    page.goto(PAGE.as_uri() + "#items?task=mini_gsm8k&item=mini_gsm8k/1&models=base,plus,forgetful")
    page.locator("#x-title", has_text="mini_gsm8k/1").wait_for()
    assert page.locator("#x-texts .say").count() == 3
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.emulate_media(media="print")
    hidden = "[...document.querySelectorAll('main > section')].filter(one => !one.getClientRects().length).length"
    assert page.evaluate(hidden) == 0
    assert said == []
    page.context.close()
