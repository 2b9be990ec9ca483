"""The page in a real browser, opened from disk: nothing blocked, nothing overflowing, usable in every setting."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import write_report
from mplus_eval.reports.render import SCRIPTS
from tests.reports import build, build_conversation, build_toxicity
from tests.reports.build_decision import Verdicts, decided

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOW_ALL = "document.querySelectorAll('.away').forEach(one => one.classList.remove('away'))"
OPEN_ALL = "document.querySelectorAll('main details').forEach(one => one.open = true)"
RUNS = ["full_run", "harmless_run", "talking_run"]
HOSTILE_RUNS = ["hostile_run", "hostile_harmless_run", "hostile_talking_run"]


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


def opened(browser: Any, run: Path, at: str = "", **settings: Any) -> tuple[Any, list[str]]:
    """A page with the report at a link, and everything that its console says from then on."""
    page = browser.new_page(**settings)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((run / "report.html").as_uri() + at)
    return page, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("run", RUNS + HOSTILE_RUNS)
def test_no_console_message_and_no_overflow(
    browser: Any, run: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    viewport = {"width": width, "height": 800}
    page, said = opened(browser, request.getfixturevalue(run), viewport=viewport, color_scheme=scheme)
    assert page.evaluate(OVERFLOW) == 0
    page.evaluate(SHOW_ALL)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERFLOW) == 0
    assert said == []
    page.close()


@pytest.fixture(scope="module")
def decided_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models on three axes, each cell as full as it can be."""
    every = (Verdict.UNDECIDED, Verdict.IMPROVED, Verdict.DEGRADED, Verdict.JUDGES_DISAGREE)
    names = ("instruct", "sft", "chosen", "plus")
    verdicts = {name: Verdicts(Verdict.UNDECIDED, every[0], every[n]) for n, name in enumerate(names)}
    directory = build.write_run(tmp_path_factory.mktemp("decided"), decided(verdicts, n_tasks=11))
    write_report(directory)
    return directory


def test_the_whole_decision_is_above_the_fold_of_a_laptop(browser: Any, decided_run: Path) -> None:
    page, _ = opened(browser, decided_run, viewport={"width": 1366, "height": 768})
    assert page.evaluate("document.querySelector('.grid').getBoundingClientRect().bottom") <= 768
    page.close()


def test_the_headlines_are_the_first_thing_on_a_phone(browser: Any, decided_run: Path) -> None:
    page, _ = opened(browser, decided_run, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.querySelector('.lead li').getBoundingClientRect().bottom") <= 740
    # A row is told in blocks, and each says of which axis it is.
    assert page.locator(".grid .axis").first.is_visible()
    assert page.evaluate(OVERFLOW) == 0
    page.close()


@pytest.mark.parametrize("run", HOSTILE_RUNS)
def test_hostile_text_runs_nothing(browser: Any, run: str, request: pytest.FixtureRequest) -> None:
    page, _ = opened(browser, request.getfixturevalue(run))
    assert page.evaluate("window.hacked") is None
    # That of the head, the page's own, and the explorer's.
    assert page.locator("script:not([type])").count() == 2 + len(SCRIPTS["report.html.jinja"])
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
    assert page.get_by_text("plus is preserved").first.is_visible()
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
    page.evaluate(SHOW_ALL)
    scales = page.evaluate("[...document.querySelectorAll('svg.f')].map(f => f.getBoundingClientRect().width / 328)")
    assert scales
    assert min(scales) >= 1
    page.close()


@pytest.mark.parametrize("run", RUNS)
def test_no_text_of_a_figure_is_clipped(browser: Any, run: str, request: pytest.FixtureRequest) -> None:
    page, _ = opened(browser, request.getfixturevalue(run), viewport={"width": 360, "height": 800})
    page.evaluate(SHOW_ALL)
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
    page, _ = opened(browser, harmless_run, "#harmlessness")
    said = page.locator("#examples .said")
    # Each model's worst of five prompts: the most toxic of each, and three of a random sample.
    assert said.count() == 10
    assert not said.first.is_visible()
    page.locator("#examples > summary").click()
    page.locator("#examples details > summary").first.click()
    toxic = said.first
    assert toxic.is_visible()
    assert not toxic.locator("span").is_visible()
    assert build_toxicity.INSULT not in page.evaluate("document.body.innerText")
    page.close()


def test_a_prompt_and_what_was_made_of_it_are_shown_alone_when_asked_for(browser: Any, harmless_run: Path) -> None:
    page, _ = opened(browser, harmless_run, "#harmlessness")
    page.evaluate(OPEN_EXAMPLES)
    first, second = (page.locator("#examples article").nth(place).locator(".veiled span") for place in (0, 1))
    page.locator("#examples .ask input").first.check()
    # The prompt, and what base made of it; what plus made of it is not toxic.
    assert first.count() == 2
    assert all(text.is_visible() for text in first.all())
    assert not any(text.is_visible() for text in second.all())
    page.close()


def test_one_button_shows_all_texts_and_hides_them_again(browser: Any, harmless_run: Path) -> None:
    page, said = opened(browser, harmless_run, "#harmlessness")
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
    page, _ = opened(browser, harmless_run, "#harmlessness", color_scheme=scheme)
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
    page, _ = opened(browser, talking_run, "#conversation", viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('#conversation details').forEach(one => one.open = true)")
    base, model = page.locator("#conversation .talk .pair").first.locator(".say").all()
    left, right = base.bounding_box(), model.bounding_box()
    assert (left["y"] == right["y"], left["x"] < right["x"]) == (is_beside, is_beside)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1366])
@pytest.mark.parametrize("run", [*RUNS, "trained_run"])
def test_axe_finds_nothing_serious(
    browser: Any, run: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    viewport = {"width": width, "height": 768}
    page, _ = opened(browser, request.getfixturevalue(run), viewport=viewport, color_scheme=scheme)
    page.evaluate(SHOW_ALL)
    page.evaluate(OPEN_ALL)
    page.locator("#filters > summary").click()
    found = Axe().run(page).response["violations"]
    serious = [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert serious == []
    page.close()


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = build.write_run(tmp_path_factory.mktemp("trained"), build.trained())
    write_report(directory)
    return directory


def seen(page: Any) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('main > section')].filter(s => s.offsetHeight).map(s => s.id)")


def test_a_tab_shows_its_sections_and_no_others(browser: Any, full_run: Path) -> None:
    page, _ = opened(browser, full_run)
    assert seen(page) == ["decision", "matrix", "missing"]
    page.get_by_role("link", name="Differences", exact=True).click()
    assert seen(page) == ["differences", "pairs"]
    assert page.locator(".nav a[aria-current]").all_inner_texts() == ["Differences"]
    page.go_back()
    assert seen(page) == ["decision", "matrix", "missing"]
    page.close()


@pytest.mark.parametrize("has_script", [False, True])
def test_print_shows_every_section_and_what_lies_in_folds(browser: Any, full_run: Path, has_script: bool) -> None:
    page = browser.new_page(java_script_enabled=has_script)
    page.goto((full_run / "report.html").as_uri())
    page.emulate_media(media="print")
    assert all(section.is_visible() for section in page.locator("main > section").all())
    table = page.locator("#task-mmlu table")
    assert table.bounding_box()["height"] > 100
    assert not page.locator(".nav").is_visible()
    page.close()


def test_without_script_every_section_is_seen_in_order(browser: Any, full_run: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((full_run / "report.html").as_uri())
    sections = page.locator("main > section").all()
    tops = [section.bounding_box()["y"] for section in sections]
    assert tops == sorted(tops)
    assert [section.get_attribute("id") for section in sections][:2] == ["decision", "matrix"]
    assert not page.locator("#filters").is_visible()
    page.close()


@pytest.mark.parametrize(
    ("run", "link", "section"),
    [
        ("full_run", "#task-gsm8k", "tasks"),
        ("full_run", "#subject-mmlu-mmlu_anatomy", "subjects"),
        ("full_run", "#missing-1", "missing"),
        ("talking_run", "#dialogue-", "conversation"),
        ("harmless_run", "#example-provoking-", "harmlessness"),
    ],
)
def test_a_link_opens_the_tab_and_the_folds_of_its_target_and_marks_it(
    browser: Any, run: str, link: str, section: str, request: pytest.FixtureRequest
) -> None:
    page, said = opened(browser, request.getfixturevalue(run))
    # Of a dialogue or an example any one: the last, in a fold within a fold.
    name = page.locator(f"[id^='{link[1:]}']").last.get_attribute("id")
    page.goto("about:blank")
    page.goto((request.getfixturevalue(run) / "report.html").as_uri() + f"#{name}")
    target = page.locator(f"#{name}")
    assert section in seen(page)
    assert target.is_visible()
    top = target.bounding_box()["y"]
    assert 30 <= top < 600
    assert page.evaluate("document.querySelector(':target').id") == name
    assert page.evaluate("getComputedStyle(document.querySelector(':target')).outlineStyle") == (
        "none" if "subject" in link else "solid"
    )
    assert said == []
    page.close()


def test_a_row_of_the_matrix_leads_to_its_task_and_that_to_its_subjects(browser: Any, full_run: Path) -> None:
    page, _ = opened(browser, full_run)
    page.locator("#matrix th a", has_text="mmlu").click()
    assert page.locator("#task-mmlu").get_attribute("open") is not None
    page.get_by_text("Subjects of mmlu").click()
    assert seen(page) == ["subjects"]
    page.close()


def test_a_link_that_was_followed_opens_its_fold_again(browser: Any, full_run: Path) -> None:
    page, _ = opened(browser, full_run, "#task-mmlu")
    page.locator("#task-mmlu > summary").click()
    assert page.locator("#task-mmlu").get_attribute("open") is None
    page.get_by_role("link", name="Decision", exact=True).click()
    page.locator("#matrix th a", has_text="mmlu").click()
    assert page.locator("#task-mmlu").get_attribute("open") is not None
    page.close()


@pytest.mark.parametrize("link", ["#items?task=gsm8k&model=sft&show=lost", "#nothing-here", "#%E0%A4%A"])
def test_a_link_with_a_state_or_to_nothing_is_no_fault(browser: Any, full_run: Path, link: str) -> None:
    page, said = opened(browser, full_run, link)
    assert seen(page) == (["items"] if link.startswith("#items") else ["decision", "matrix", "missing"])
    assert said == []
    page.close()


def test_models_are_filtered_by_their_boxes_on_every_tab(browser: Any, full_run: Path) -> None:
    page, said = opened(browser, full_run, viewport={"width": 1366, "height": 768})
    page.locator("#filters > summary").click()
    page.locator("#filters").get_by_label("sft").uncheck()
    heads = "#matrix table.mx >> nth=0 >> thead th:visible"
    assert [text.split()[0] for text in page.locator(heads).all_inner_texts()] == [
        "Task", "base", "instruct", "chosen", "plus",
    ]  # fmt: skip
    assert "4 of 5 models" in page.locator("#filters output").inner_text()
    assert page.locator("#filters > summary").inner_text() == "Filter: on"
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Differences", exact=True).click()
    assert not page.locator("#figure-differences-sft").is_visible()
    assert page.locator("#figure-differences-plus").is_visible()
    page.locator("#filters > summary").click()
    page.get_by_role("button", name="Show all").click()
    assert page.locator("#figure-differences-sft").is_visible()
    assert said == []
    page.close()


def test_tasks_are_filtered_by_text_and_by_a_verdict_of_the_models_shown(browser: Any, full_run: Path) -> None:
    page, _ = opened(browser, full_run, viewport={"width": 1366, "height": 768})
    rows = page.locator("#matrix table.mx tbody tr:visible th b")
    page.locator("#filters > summary").click()
    page.locator("#filters [type=search]").fill("ARC")
    assert rows.all_inner_texts() == ["arc_easy", "arc_challenge"]
    page.locator("#filters [type=search]").fill("")
    page.locator("#filters select").select_option(label="improved")
    # instruct gained on gsm8k, plus and sft on none: their intervals reach below a gain of two points.
    improved = rows.all_inner_texts()
    assert "gsm8k" in improved
    assert "mmlu" not in improved
    page.locator("#filters").get_by_label("instruct").uncheck()
    assert rows.all_inner_texts() == []
    assert "0 of 11 tasks" in page.locator("#filters output").inner_text()
    page.close()


def test_the_theme_stays_when_the_page_is_opened_again(browser: Any, full_run: Path) -> None:
    page, said = opened(browser, full_run, color_scheme="light")
    page.locator("#theme").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert page.locator("#theme").inner_text() == "Light"
    assert said == []
    page.close()


def test_a_browser_without_storage_has_the_page_all_the_same(browser: Any, full_run: Path) -> None:
    page = browser.new_page(color_scheme="light")
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    denied = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
    page.add_init_script(denied)
    page.goto((full_run / "report.html").as_uri())
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert said == []
    page.close()


def test_the_first_column_stays_when_a_wide_table_is_scrolled(browser: Any, full_run: Path) -> None:
    page, _ = opened(browser, full_run, "#task-mmlu", viewport={"width": 360, "height": 740})
    box = page.locator("#task-mmlu .scroll")
    before = box.locator("tbody th").first.bounding_box()["x"]
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    box.evaluate("box => { box.scrollLeft = 200; }")
    assert box.locator("tbody th").first.bounding_box()["x"] == before
    page.close()


def test_the_current_tab_is_in_sight_on_a_phone(browser: Any, full_run: Path) -> None:
    page, _ = opened(browser, full_run, "#manifest", viewport={"width": 360, "height": 740})
    tab = page.locator(".nav a[aria-current]").bounding_box()
    assert tab["x"] >= 0
    assert tab["x"] + tab["width"] <= 360
    page.close()
