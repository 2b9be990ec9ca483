"""The two report formats: golden pages, links, escaping, policy. Renew the pages with MPLUS_EVAL_RENEW_GOLD=1."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from mplus_eval.errors import UsageError
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import write_report
from mplus_eval.reports.render import SCRIPTS, TEMPLATES, markdown_escaped, render_decision, render_html
from mplus_eval.reports.view import build_report
from tests.reports import build, build_conversation, build_toxicity
from tests.reports.build_decision import Verdicts, decided

GOLD = Path(__file__).parent / "gold"


class Page(HTMLParser):
    """What a page holds: ids, links inside it, the content of scripts and styles, and every element's attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.code: dict[str, list[str]] = {"script": [], "style": []}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        # A script with a type is data, which no browser runs.
        self._open = tag if tag in self.code and "type" not in attributes else ""
        self.ids += [attributes["id"]] if attributes.get("id") else []  # type: ignore[list-item]
        self.links += [attributes["href"]] if attributes.get("href") else []  # type: ignore[list-item]
        if self._open:
            self.code[tag].append("")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.code[self._open][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def html(run: Path) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


def blanked(text: str) -> str:
    """A report without what changes by machine or day: figures, style, script, hashes, versions and dates."""
    text = re.sub(r"(<svg [^>]*class=\"f\"[^>]*>).*?</svg>", r"\1</svg>", text, flags=re.DOTALL)
    text = re.sub(r"(<(style|script)\b[^>]*>).*?</\2>", r"\1</\2>", text, flags=re.DOTALL)
    text = re.sub(r"sha256-[A-Za-z0-9+/=]+", "sha256-HASH", text)
    text = re.sub(r"\d{4}-\d{2}-\d{2}", "DATE", text)
    return re.sub(r"\b\d+\.\d+\.\d+\b", "VERSION", text)


@pytest.mark.parametrize("kind", ["html", "md"])
@pytest.mark.parametrize(
    ("run", "name"), [("full_run", "report"), ("harmless_run", "harmlessness"), ("talking_run", "conversation")]
)
def test_the_report_is_the_golden_one(run: str, name: str, kind: str, request: pytest.FixtureRequest) -> None:
    found = blanked((request.getfixturevalue(run) / f"report.{kind}").read_text(encoding="utf-8"))
    gold = GOLD / f"{name}.{kind}"
    if os.environ.get("MPLUS_EVAL_RENEW_GOLD"):
        GOLD.mkdir(exist_ok=True)
        gold.write_text(found, encoding="utf-8")
    assert found == gold.read_text(encoding="utf-8")


@pytest.mark.parametrize("run", ["full_run", "harmless_run", "talking_run"])
def test_every_internal_link_lands(run: str, request: pytest.FixtureRequest) -> None:
    page = Page(html(request.getfixturevalue(run)))
    # The explorer of items reads which ones to show from what follows the question mark.
    targets = [link[1:].partition("?")[0] for link in page.links if link.startswith("#")]
    assert len(targets) > 20
    assert {target.split("?")[0] for target in targets} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_page_loads_nothing_from_elsewhere(full_run: Path) -> None:
    page = Page(html(full_run))
    assert [link for link in page.links if not link.startswith("#")] == []
    assert not [tag for tag, attributes in page.elements if "src" in attributes or tag == "link"]


@pytest.mark.parametrize("run", ["full_run", "harmless_run", "talking_run"])
def test_every_section_stands_in_a_tab_and_every_tab_leads_to_its_sections(
    run: str, request: pytest.FixtureRequest
) -> None:
    elements = Page(html(request.getfixturevalue(run))).elements
    sections = [attributes["id"] for tag, attributes in elements if tag == "section"]
    tabs = [attributes["data-sections"] for _, attributes in elements if "data-sections" in attributes]
    assert [anchor for tab in tabs for anchor in (tab or "").split()] == sections


def test_tasks_subjects_models_and_dialogues_have_stable_ids(
    full_run: Path, harmless_run: Path, talking_run: Path
) -> None:
    ids = Page(html(full_run)).ids
    assert {"task-mmlu", "task-gsm8k", "subject-mmlu-mmlu_anatomy", "model-plus", "model-base"} <= set(ids)
    assert any(re.fullmatch(r"dialogue-d\d+", name) for name in Page(html(talking_run)).ids)
    assert any(re.fullmatch(r"example-provoking-.+", name) for name in Page(html(harmless_run)).ids)


def test_ids_are_safe_and_unique_whatever_names_hold(hostile_run: Path) -> None:
    ids = Page(html(hostile_run)).ids
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in ids)


def test_every_figure_of_the_markdown_is_there(full_run: Path) -> None:
    links = re.findall(r"\]\((figures/[^)]+)\)", (full_run / "report.md").read_text(encoding="utf-8"))
    assert len(links) == 7
    assert sorted(links) == sorted(f"figures/{path.name}" for path in (full_run / "figures").iterdir())


def test_the_policy_allows_the_one_style_and_the_pages_own_scripts_only(full_run: Path) -> None:
    page = Page(html(full_run))
    policy = next(a["content"] for tag, a in page.elements if tag == "meta" and a.get("http-equiv"))
    assert policy is not None
    for kind, n_codes in (("style", 1), ("script", 1 + len(SCRIPTS["report.html.jinja"]) + 1)):
        digests = [b64encode(sha256(code.encode()).digest()).decode() for code in page.code[kind]]
        assert len(digests) == n_codes
        admitted = " ".join(f"'sha256-{digest}'" for digest in digests)
        assert f"{kind}-src {admitted};" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


@pytest.mark.parametrize("run", ["full_run", "harmless_run", "talking_run"])
def test_no_element_carries_style_or_handlers(run: str, request: pytest.FixtureRequest) -> None:
    for _, attributes in Page(html(request.getfixturevalue(run))).elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_tables_have_scoped_headers_and_figures_have_labels(full_run: Path) -> None:
    elements = Page(html(full_run)).elements
    assert all("scope" in attributes for tag, attributes in elements if tag == "th")
    figures = [attributes for tag, attributes in elements if tag == "svg" and attributes.get("class") == "f"]
    assert len(figures) == 7
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in figures)


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = build.write_run(tmp_path_factory.mktemp("hostile"), build.hostile())
    stored = build.MANIFEST | {
        "command": build.HOSTILE,
        "created": build.HOSTILE,
        "versions": {build.HOSTILE: build.HOSTILE},
        "hardware": {"devices": [build.HOSTILE]},
        "models": {"base": {"source": build.HOSTILE, "weights": build.HOSTILE}},
        "cells": [{"model": build.HOSTILE, "task": build.HOSTILE, "fingerprint": build.HOSTILE}],
    }
    (directory / "manifest.json").write_text(json.dumps(stored), encoding="utf-8")
    said = {"prompt": build.HOSTILE, "answer": build.HOSTILE, "target": build.HOSTILE, "item_id": build.HOSTILE}
    for name, value in (("base", 1.0), ("sft", 0.0)):
        row = build.outcome(1, value, **said, generations=[f"{name}{build.HOSTILE}"])
        build.write_outcomes(directory, name, "gsm8k", [row])
    write_report(directory)
    return directory


def test_hostile_text_stays_text(hostile_run: Path, full_run: Path) -> None:
    page, calm = Page(html(hostile_run)), Page(html(full_run))
    assert page.code == calm.code
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in calm.elements} | {"wbr"}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on") or name == "src"]


def test_hostile_text_is_shown_with_its_hidden_characters(hostile_run: Path) -> None:
    text = html(hostile_run)
    assert "⟨U+202E⟩" in text
    assert "⟨U+0000⟩" in text
    assert "\u202e" not in text


def test_hostile_text_makes_no_markdown(hostile_run: Path) -> None:
    text = (hostile_run / "report.md").read_text(encoding="utf-8")
    assert "<" not in text
    assert "](javascript" not in text
    assert "\u202e" not in text


def test_hostile_text_adds_no_column(hostile_run: Path) -> None:
    text = (hostile_run / "report.md").read_text(encoding="utf-8")
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| **")]
    assert widths == [3] * 4 + [7] * 12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a|b", "a\\|b"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("arc_easy", "arc_easy"),
        ("_a_", "\\_a\\_"),
        ("*a* `b`", "\\*a\\* \\`b\\`"),
        ("[a](b)", "[a]\\(b)"),
        ("[a]: b", "[a]\\: b"),
        ("two\nlines", "two lines"),
        ("[−0.7, +0.1]", "[−0.7, +0.1]"),
        ("# no heading", "\\# no heading"),
        (3, "3"),
    ],
)
def test_markdown_is_escaped(value: object, text: str) -> None:
    assert markdown_escaped(value) == text


@pytest.fixture(scope="module")
def hostile_harmless_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hostile-harmless")
    build_toxicity.write_run(directory, build_toxicity.hostile(), build.HOSTILE)
    write_report(directory)
    return directory


def test_hostile_words_on_toxicity_stay_text(hostile_harmless_run: Path, harmless_run: Path) -> None:
    page, calm = Page(html(hostile_harmless_run)), Page(html(harmless_run))
    assert page.code == calm.code
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in calm.elements}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on") or name == "src"]


def test_hostile_words_on_toxicity_make_no_markdown(hostile_harmless_run: Path) -> None:
    text = (hostile_harmless_run / "report.md").read_text(encoding="utf-8")
    assert "<" not in text
    assert "](javascript" not in text
    assert "\u202e" not in text


def test_no_answer_stands_in_the_markdown(harmless_run: Path) -> None:
    text = (harmless_run / "report.md").read_text(encoding="utf-8")
    assert build_toxicity.INSULT not in text
    assert "Examples of answers stand in report.html, behind a warning" in text


def test_answers_stand_inside_the_warning_and_toxic_ones_veiled(harmless_run: Path) -> None:
    text = html(harmless_run)
    warned = text.index('<details id="examples"')
    assert text.index(f" {build_toxicity.INSULT} ") > warned
    toxic = re.findall(r"most toxic of .*?</article>", text, flags=re.DOTALL)
    assert len(toxic) == 2
    assert all('class="said veiled"' in article and 'class="prompt veiled"' in article for article in toxic)
    assert all(f"</svg> <b>{model}</b>" in article for article in toxic for model in ("base", "plus"))


@pytest.fixture(scope="module")
def hostile_talking_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hostile-talking")
    build_conversation.write_run(directory, build_conversation.hostile(), f"{build.HOSTILE}</p></details></article>")
    write_report(directory)
    return directory


def test_hostile_words_in_conversation_stay_text(hostile_talking_run: Path, talking_run: Path) -> None:
    text = html(hostile_talking_run)
    page, calm = Page(text), Page(html(talking_run))
    assert page.code == calm.code
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in calm.elements}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on") or name == "src"]
    for tag in ("details", "article", "p"):
        assert len(re.findall(f"<{tag}[ >]", text)) == text.count(f"</{tag}>")


def test_what_was_said_in_conversation_is_shown_as_it_is(hostile_talking_run: Path) -> None:
    text = html(hostile_talking_run)
    fence = "&lt;/p&gt;&lt;/details&gt;&lt;/article&gt;"
    # The user, both models, a judge's reasons for both orders: all end with the same words.
    said = re.search(r"<article.*?</article>", text[text.index('class="talk"') :], flags=re.DOTALL)
    assert said is not None
    assert said[0].count(fence) == 5
    assert "⟨U+202E⟩" in said[0]


def test_hostile_words_in_conversation_make_no_markdown(hostile_talking_run: Path) -> None:
    text = (hostile_talking_run / "report.md").read_text(encoding="utf-8")
    assert "<" not in text
    assert "](javascript" not in text
    assert "\u202e" not in text


def test_dialogues_are_folded_and_stand_in_the_page_only(talking_run: Path) -> None:
    page = Page(html(talking_run))
    assert "plus says 1 to" in html(talking_run)
    assert "plus says 1 to" not in (talking_run / "report.md").read_text(encoding="utf-8")
    talks = [attributes for tag, attributes in page.elements if tag == "details" and attributes.get("class") == "talk"]
    assert len(talks) == 7
    assert not [attributes for attributes in talks if "open" in attributes]


def test_every_cell_of_the_decision_is_a_link(full_run: Path) -> None:
    page = html(full_run)
    grid = page[page.index('<table class="grid"') : page.index("</table>")]
    cells = re.findall(r"<td[^>]*>\s*<a href=\"(#[^\"]+)\"", grid)
    assert len(cells) == grid.count("<td") == 4
    # What has no verdict leads to the cell that is missing.
    assert cells == ["#matrix", "#matrix", "#missing-1", "#matrix"]
    assert 'href="#items?task=drop&amp;model=sft&amp;show=lost"' in grid


def test_a_notebook_shows_the_decision_and_no_hostile_text_runs_in_it() -> None:
    every = {f"m{number}": Verdicts(verdict, verdict, verdict) for number, verdict in enumerate((*Verdict, None))}
    shown = render_decision(decided(every, text=build.HOSTILE))
    page, calm = Page(shown), Page(render_decision(decided(every)))
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in calm.elements}
    assert not {tag for tag, _ in page.elements} & {"script", "style", "img", "a"}
    assert not [attributes for _, attributes in page.elements if attributes.keys() - {"scope"}]
    assert "<b>− degraded</b>" in shown
    assert "⟨U+202E⟩" in shown


def test_hostile_words_in_the_decision_stay_text_in_the_page(tmp_path: Path) -> None:
    every = {f"m{number}": Verdicts(verdict, verdict, verdict) for number, verdict in enumerate((*Verdict, None))}
    pages = []
    for text in ("", build.HOSTILE):
        report = build_report(decided(every, text=text), {}, tmp_path)
        # Drawings are other tests' concern.
        pages.append(Page(render_html(report, {figure.name: "" for figure in report.figures})))
    calm, page = pages
    assert page.code == calm.code
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in calm.elements}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on") or name == "src"]


def test_a_run_of_conversation_alone_is_reported(tmp_path: Path) -> None:
    build_conversation.talk_alone().write(tmp_path / "comparison.json")
    write_report(tmp_path)
    page, text = Page(html(tmp_path)), (tmp_path / "report.md").read_text(encoding="utf-8")
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert {"decision", "conversation", "methods"} <= set(page.ids)
    for absent in ("macro-average", "has no verdict over the suite", "lm-eval", "toxic"):
        assert absent not in text.split("## Manifest")[0]


def test_a_run_of_toxicity_alone_is_reported(tmp_path: Path) -> None:
    build_toxicity.toxicity_alone().write(tmp_path / "comparison.json")
    write_report(tmp_path)
    page, text = Page(html(tmp_path)), (tmp_path / "report.md").read_text(encoding="utf-8")
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert {"decision", "matrix", "harmlessness", "methods"} <= set(page.ids)
    for absent in ("macro-average", "has no verdict over the suite", "lm-eval"):
        assert absent not in text.split("## Manifest")[0]


ARITHMETIC = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Neg)
COUNTING = {"sum", "round", "abs", "int", "float", "length", "count", "min", "max"}


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.jinja")), ids=lambda path: path.name)
def test_templates_hold_no_arithmetic(path: Path) -> None:
    tree = Environment().parse(path.read_text(encoding="utf-8").replace("| breakable", ""))
    assert list(tree.find_all(ARITHMETIC)) == []
    assert not COUNTING & {node.name for node in tree.find_all(nodes.Filter)}


def test_writing_again_gives_the_same_bytes_and_drops_old_figures(tmp_path: Path) -> None:
    build.write_run(tmp_path, build.of_size(4, 3))
    write_report(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "figures" / "of-another-run.svg").write_text("<svg/>", encoding="utf-8")
    write_report(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_directory_without_a_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no comparison\.json here"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{}", "[1, 2", '{"baseline": 1}'])
def test_a_damaged_comparison_is_refused_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="not a comparison") as refusal:
        write_report(tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}"])
def test_a_missing_or_damaged_manifest_is_no_fault(content: str | None, tmp_path: Path) -> None:
    build.of_size(2, 1).write(tmp_path / "comparison.json")
    if content is not None:
        (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    write_report(tmp_path)
    assert "Capability preserved: 0.1 points below model-0" in html(tmp_path)


@pytest.mark.parametrize(("n_models", "n_tasks"), [(1, 1), (1, 11), (2, 3), (5, 1)])
def test_runs_of_any_size_are_reported(n_models: int, n_tasks: int, tmp_path: Path) -> None:
    build.of_size(n_models, n_tasks).write(tmp_path / "comparison.json")
    write_report(tmp_path)
    page = Page(html(tmp_path))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert (n_models > 1) == ("decision" in page.ids)


@pytest.mark.slow
def test_twelve_models_on_forty_tasks_are_reported(tmp_path: Path) -> None:
    build.of_size(12, 40).write(tmp_path / "comparison.json")
    write_report(tmp_path)
    assert len(list((tmp_path / "figures").glob("differences-*.svg"))) == 11
