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
from mplus_eval.reports.background import Json
from mplus_eval.reports.figures.registry import draw
from mplus_eval.reports.figures.svg import standalone
from mplus_eval.reports.palette import DARK, LIGHT, MODEL_TOKENS, declarations
from mplus_eval.reports.verdicts import ALL_MARKS, VERDICTS
from mplus_eval.reports.view import Report, build_report
from mplus_eval.store.files import write_whole
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.sealed import DamagedFileError, read_sealed

TEMPLATES = Path(__file__).parent / "templates"


def write_report(run_directory: Path) -> None:
    """Write `report.html`, `report.md` and `figures/*.svg` of a run, each whole or not at all."""
    run = RunDirectory(run_directory)
    if not run.comparison.is_file():
        raise UsageError(
            f"{run_directory}: no comparison.json here; a run directory that `compare` has finished is expected"
        )
    run.refuse_foreign()
    report = build_report(Comparison.read(run.comparison), _manifest(run.manifest), run_directory)
    drawings = {figure.name: draw(figure) for figure in report.figures}
    folder = run_directory / "figures"
    folder.mkdir(exist_ok=True)
    for name, svg in drawings.items():
        write_whole(folder / f"{name}.svg", standalone(svg))
    write_whole(run_directory / "report.md", render_markdown(report))
    write_whole(run_directory / "report.html", render_html(report, drawings))
    for path in folder.glob("*.svg"):
        if path.stem not in drawings:
            path.unlink()


def render_html(report: Report, drawings: Mapping[str, str]) -> str:
    """The report as a page of one file that opens offline; no script but its own can run in it."""
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
    )
    script = (TEMPLATES / "script.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment("html")
        .get_template("report.html.jinja")
        .render(
            report=report,
            policy=policy,
            style=Markup(style),
            script=Markup(script),
            marks={mark.key: Markup(mark.symbol) for mark in ALL_MARKS},
            drawings={name: Markup(svg) for name, svg in drawings.items()},
        )
    )


def render_markdown(report: Report) -> str:
    """The report as Markdown, with links to the figures."""
    text = _environment("md").get_template("report.md.jinja").render(report=report)
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
