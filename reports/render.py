"""Rendering: one view into a page of one file, a Markdown text and the figures beside it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mplus_eval.errors import UsageError
from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import SHORT_REPORT
from mplus_eval.reports.background import Json
from mplus_eval.reports.decision import decision_grid
from mplus_eval.reports.explorer.collection import CHOICES, Choice
from mplus_eval.reports.explorer.page import ITEMS_PAGE, WrittenReport, explorer_script, explorer_style
from mplus_eval.reports.figures.registry import draw
from mplus_eval.reports.figures.svg import standalone
from mplus_eval.reports.palette import DARK, LIGHT, MODEL_TOKENS, declarations
from mplus_eval.reports.short import short_reports
from mplus_eval.reports.timeless import timeless
from mplus_eval.reports.verdicts import ALL_MARKS, VERDICTS
from mplus_eval.reports.view import Report, build_report
from mplus_eval.store.files import write_whole
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.sealed import DamagedFileError, read_sealed

TEMPLATES = Path(__file__).parent / "templates"
HEAD_SCRIPT = "theme.js"
"""Stands in the page's head, so that nothing is drawn in the wrong theme first."""
SCRIPTS = {"report.html.jinja": ("theme_button.js", "script.js"), "items.html.jinja": ("theme_button.js",)}
"""By page: stand at its end, in this order; each is admitted by its hash, and so is the explorer's where it has one."""
SHORT_LENGTH = 20_000


def write_report(run_directory: Path, items: Choice | None = None, *, is_short: bool = False) -> WrittenReport:
    """Write `report.html`, `report.md` and `figures/*.svg` of a run, each whole or not at all.

    Args:
        run_directory: of the run.
        items: which ones the page holds; None for what the run was made with, and for all where that is not known.
        is_short: whether to write `report-short.md` too; wherever there is one, it is never left out of date.
    """
    run = RunDirectory(run_directory)
    if not run.comparison.is_file():
        raise UsageError(
            f"{run_directory}: no comparison.json here; a run directory that `compare` has finished is expected"
        )
    run.refuse_foreign()
    manifest = _manifest(run.manifest)
    report = build_report(Comparison.read(run.comparison), manifest, run_directory, items or _choice(manifest))
    drawings = {figure.name: draw(figure) for figure in report.figures}
    folder = run_directory / "figures"
    folder.mkdir(exist_ok=True)
    for name, svg in drawings.items():
        write_whole(folder / f"{name}.svg", standalone(svg))
    write_whole(run_directory / "report.md", render_markdown(report))
    write_whole(run_directory / "report.html", render_html(report, drawings))
    short = run_directory / SHORT_REPORT
    if is_short or short.is_file():
        write_whole(short, render_short(report))
    is_beside = report.explorer is not None and report.explorer.is_beside
    if is_beside:
        write_whole(run_directory / ITEMS_PAGE, render_html(report, drawings, "items.html.jinja"))
    else:
        (run_directory / ITEMS_PAGE).unlink(missing_ok=True)
    for path in folder.glob("*.svg"):
        if path.stem not in drawings:
            path.unlink()
    return WrittenReport.of(run_directory, report.explorer.size if report.explorer else 0, is_beside=is_beside)


def render_html(report: Report, drawings: Mapping[str, str], template: str = "report.html.jinja") -> str:
    """A page of one file that opens offline; no script but its own can run in it.

    Args:
        report: what it says.
        drawings: its figures as SVG elements, by name.
        template: the report's; the other page is that of items which are too large for the report.
    """
    inks: dict[str, list[str]] = {}
    for mark in ALL_MARKS:
        inks.setdefault(mark.ink, []).append(mark.key)
    style = (
        _environment("css")
        .get_template("style.css.jinja")
        .render(
            light=declarations(LIGHT),
            dark=declarations(DARK),
            model_tokens=MODEL_TOKENS,
            verdicts=VERDICTS.values(),
            inks=inks,
        )
    ) + explorer_style()
    head_script, *scripts = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in (HEAD_SCRIPT, *SCRIPTS[template])
    )
    if of_items := explorer_script(report.explorer, is_beside=template != "report.html.jinja"):
        scripts.append(of_items)
    hashes = " ".join(f"'{_hash(script)}'" for script in (head_script, *scripts))
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src {hashes}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment("html")
        .get_template(template)
        .render(
            report=report,
            policy=policy,
            style=Markup(style),
            head_script=Markup(head_script),
            scripts=[Markup(script) for script in scripts],
            explorer=report.explorer,
            marks={mark.key: Markup(mark.symbol) for mark in ALL_MARKS},
            drawings={name: Markup(svg) for name, svg in drawings.items()},
        )
    )


def render_markdown(report: Report) -> str:
    """The report as Markdown, with links to the figures and without times."""
    return _markdown("report.md.jinja", report=timeless(report))


def render_short(report: Report) -> str:
    """The report as Markdown for a comment on a pull request: under 20,000 characters, with no picture and no time."""
    for shorter in short_reports(report):
        text = _markdown("short.md.jinja", short=shorter)
        if len(text) < SHORT_LENGTH:
            break
    return text


def render_decision(comparison: Comparison) -> str:
    """The decision alone as HTML for a notebook: headlines and grid, with no link and no style of their own."""
    return _environment("html").get_template("notebook.html.jinja").render(grid=decision_grid(comparison))


def _markdown(template: str, **values: object) -> str:
    text = _environment("md").get_template(template).render(**values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def markdown_escaped(value: object) -> str:
    """A value as one line of Markdown text: no HTML, no link, no table border, no emphasis of its own."""
    text = " ".join(str(value).split())
    text = re.sub(r"[\\`*|~]", r"\\\g<0>", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    text = re.sub(r"\](?=[(\[:])", r"]\\", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"^([#+-])(?=[\s#])", r"\\\1", text)


@cache
def _environment(kind: Literal["html", "md", "css"]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=kind == "html",
        finalize=markdown_escaped if kind == "md" else None,
    )
    # A name may break after its underscores.
    environment.filters["breakable"] = lambda name: Markup("_<wbr>").join(name.split("_"))
    return environment


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _manifest(path: Path) -> Json:
    """The stored manifest; a run without one, or with a damaged one, is still worth reporting."""
    try:
        return read_sealed(path)
    except DamagedFileError:
        return {}


def _choice(manifest: Json) -> Choice:
    """Which items the run was made with; all where that is not known."""
    return next((choice for choice in CHOICES if choice == manifest.get("items")), "all")
