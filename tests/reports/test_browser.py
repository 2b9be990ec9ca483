"""The page in a real browser: nothing blocked, nothing overflowing, readable in every setting."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.reports import write_report
from tests.reports import build, build_conversation, build_toxicity

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = build.write_run(tmp_path_factory.mktemp("hostile"), build.hostile(), with_outcomes=True)
    write_report(directory)
    return directory


@pytest.fixture(scope="module")
def hostile_harmless_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hostile-harmless")
    build_toxicity.write_run(directory, build_toxicity.hostile(), build.HOSTILE)
    write_report(directory)
    return directory


@pytest.fixture(scope="module")
def hostile_talking_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hostile-talking")
    build_conversation.write_run(directory, build_conversation.hostile(), f"{build.HOSTILE}</details>" + "x" * 300)
    write_report(directory)
    return directory


def opened(browser: Any, run: Path, **settings: Any) -> tuple[Any, list[str]]:
    """A page with the report, and everything that its console says from then on."""
    page = browser.new_page(**settings)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((run / "report.html").as_uri())
    return page, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(
    "run",
    ["full_run", "hostile_run", "harmless_run", "hostile_harmless_run", "talking_run", "hostile_talking_run"],
)
def test_no_console_message_and_no_overflow(
    browser: Any, run: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    viewport = {"width": width, "height": 800}
    page, said = opened(browser, request.getfixturevalue(run), viewport=viewport, color_scheme=scheme)
    assert page.evaluate(OVERFLOW) == 0
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate(OVERFLOW) == 0
    assert said == []
    page.close()


@pytest.mark.parametrize("run", ["hostile_run", "hostile_harmless_run", "hostile_talking_run"])
def test_hostile_text_runs_nothing(browser: Any, run: str, request: pytest.FixtureRequest) -> None:
    page, _ = opened(browser, request.getfixturevalue(run))
    assert page.evaluate("window.hacked") is None
    assert page.locator("script:not([type])").count() == 2
    page.close()


def test_the_theme_button_switches_and_says_what_it_would_do(browser: Any, full_run: Path) -> None:
    page, said = opened(browser, full_run, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    button = page.locator("#theme")
    assert (button.inner_text(), page.evaluate(ground)) == ("Dark", "rgb(252, 252, 251)")
    button.click()
    assert (button.inner_text(), page.evaluate(ground)) == ("Light", "rgb(20, 23, 26)")
    assert said == []
    page.close()


def test_the_matrix_sorts_by_a_model_with_missing_cells_last(browser: Any, full_run: Path) -> None:
    page, _ = opened(browser, full_run, viewport={"width": 1280, "height": 800})
    names = "[...document.querySelectorAll('#matrix table.mx tbody th b')].map(b => b.textContent)"
    heading = page.locator("#matrix .mx thead th").nth(4)
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    ascending = page.evaluate(names)
    assert (ascending[0], ascending[-1], heading.get_attribute("aria-sort")) == ("bbh", "drop", "ascending")
    page.keyboard.press("Enter")
    assert (page.evaluate(names)[0], page.evaluate(names)[-1]) == ("hellaswag", "drop")
    page.close()


def test_the_page_reads_without_script(browser: Any, full_run: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((full_run / "report.html").as_uri())
    assert page.get_by_text("plus keeps what base knew").first.is_visible()
    assert page.locator("#matrix .mx tbody tr").count() == 11
    assert not page.locator("#theme").is_visible()
    page.close()


def test_the_first_tab_reaches_the_skip_link(browser: Any, full_run: Path) -> None:
    page, _ = opened(browser, full_run)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    page.close()


def test_figure_text_is_at_least_eleven_pixels_on_a_phone(browser: Any, full_run: Path) -> None:
    page, _ = opened(browser, full_run, viewport={"width": 360, "height": 800})
    scales = page.evaluate("[...document.querySelectorAll('svg.f')].map(f => f.getBoundingClientRect().width / 328)")
    assert scales
    assert min(scales) >= 1
    page.close()


@pytest.mark.parametrize("run", ["full_run", "harmless_run", "talking_run"])
def test_no_text_of_a_figure_is_clipped(browser: Any, run: str, request: pytest.FixtureRequest) -> None:
    page, _ = opened(browser, request.getfixturevalue(run), viewport={"width": 360, "height": 800})
    clipped = page.evaluate(
        """[...document.querySelectorAll('svg.f text')].filter(text => {
            const inner = text.getBoundingClientRect(), outer = text.closest('svg').getBoundingClientRect();
            return inner.left < outer.left - 1 || inner.right > outer.right + 1
                || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
        }).map(text => text.textContent)"""
    )
    assert clipped == []
    page.close()


OPEN_EXAMPLES = "document.querySelectorAll('#examples, #examples details').forEach(one => one.open = true)"


def test_examples_are_hidden_until_the_warning_is_clicked_and_then_veiled(browser: Any, harmless_run: Path) -> None:
    page, _ = opened(browser, harmless_run)
    said = page.locator("#examples .said")
    assert said.count() == 12
    assert not said.first.is_visible()
    page.locator("#examples > summary").click()
    page.locator("#examples details > summary").first.click()
    toxic = said.first
    assert toxic.is_visible()
    assert not toxic.locator("span").is_visible()
    assert build_toxicity.INSULT not in page.evaluate("document.body.innerText")
    page.close()


def test_a_text_is_shown_alone_when_it_is_asked_for(browser: Any, harmless_run: Path) -> None:
    page, _ = opened(browser, harmless_run)
    page.evaluate(OPEN_EXAMPLES)
    texts = page.locator("#examples .veiled span")
    page.locator("#examples .ask input").first.check()
    assert texts.nth(0).is_visible()
    assert texts.nth(1).is_visible()
    assert not texts.nth(2).is_visible()
    page.close()


def test_one_button_shows_all_texts_and_hides_them_again(browser: Any, harmless_run: Path) -> None:
    page, said = opened(browser, harmless_run)
    page.evaluate(OPEN_EXAMPLES)
    texts, button = page.locator("#examples .veiled span"), page.locator("#unveil")
    button.click()
    assert all(texts.nth(place).is_visible() for place in range(texts.count()))
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert not any(texts.nth(place).is_visible() for place in range(texts.count()))
    assert said == []
    page.close()


def test_texts_can_be_asked_for_without_script(browser: Any, harmless_run: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((harmless_run / "report.html").as_uri())
    page.locator("#examples > summary").click()
    page.locator("#examples details > summary").first.click()
    assert not page.locator("#unveil").is_visible()
    page.locator("#examples .ask input").first.check()
    assert page.locator("#examples .veiled span").first.is_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_veil_is_of_one_colour(browser: Any, scheme: str, harmless_run: Path) -> None:
    page, _ = opened(browser, harmless_run, color_scheme=scheme)
    page.evaluate(OPEN_EXAMPLES)
    colours = page.evaluate(
        """[...document.querySelectorAll('#examples .veiled')].map(one => getComputedStyle(one))
           .map(style => [style.color, style.backgroundColor])"""
    )
    assert colours
    assert all(ink == ground for ink, ground in colours)
    page.close()


@pytest.mark.parametrize(("width", "is_beside"), [(360, False), (1280, True)])
def test_answers_stand_side_by_side_where_there_is_room(
    browser: Any, width: int, is_beside: bool, talking_run: Path
) -> None:
    page, _ = opened(browser, talking_run, viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('#conversation details').forEach(one => one.open = true)")
    base, model = page.locator("#conversation .talk .pair").first.locator(".say").all()
    left, right = base.bounding_box(), model.bounding_box()
    assert (left["y"] == right["y"], left["x"] < right["x"]) == (is_beside, is_beside)
    page.close()
