"""What the guides quote is there: links, files, modules and names."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).resolve().parents[1]
GUIDES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HISTORY = {ROOT / "CHANGELOG.md", ROOT / "docs" / "decisions.md"}
"""They tell of what is no more, too; only their links are looked at."""
FOLDERS = {path.name for path in (ROOT / "mplus_eval").iterdir() if path.is_dir()}
TOP = {"mplus_eval", "tests", "benchmarks", "docs", *FOLDERS}

LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(rf"(?<![\w./:-])(?:{'|'.join(sorted(TOP))})/[\w./*-]*[\w*/]")
FILE = re.compile(r"`(\w+\.(?:py|css|js))`")
DOTTED = re.compile(r"(?<![\w./-])mplus_eval(?:\.\w+)+(?::\w+)?")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def headings(guide: Path) -> set[str]:
    """The anchors of a guide, as GitHub makes them."""
    lines = re.findall(r"^#+ (.*)$", guide.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_links_land(guide: Path) -> None:
    lost = []
    for link in LINK.findall(guide.read_text("utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (guide.parent / file).resolve() if file else guide
        if not target.exists() or (anchor and anchor not in headings(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if guide not in HISTORY], ids=name_of)
def test_files_are_there(guide: Path) -> None:
    text = guide.read_text("utf-8")
    anywhere = {path.name for folder in TOP if (ROOT / folder).is_dir() for path in (ROOT / folder).rglob("*")}
    roots = (ROOT, ROOT / "mplus_eval")
    lost = {path for path in PATH.findall(text) if not any(found for root in roots for found in root.glob(path))}

    assert lost | {name for name in FILE.findall(text) if name not in anywhere} == set()


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if guide not in HISTORY], ids=name_of)
def test_names_are_there(guide: Path) -> None:
    assert [name for name in set(DOTTED.findall(guide.read_text("utf-8"))) if not _exists(name)] == []


def test_every_guide_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        guide = waiting.pop()
        reached.add(guide)
        links = [link.partition("#")[0] for link in LINK.findall(guide.read_text("utf-8"))]
        targets = {(guide.parent / link).resolve() for link in links if link.endswith(".md") and "://" not in link}
        waiting += [target for target in targets - reached if target in GUIDES]
    assert set(GUIDES) - reached == set()


def test_every_printout_says_what_printed_it_and_when() -> None:
    printouts = sorted((ROOT / "docs" / "measured").glob("*.txt"))
    assert printouts
    for printout in printouts:
        command, measured, *_ = printout.read_text("utf-8").splitlines()
        assert command.startswith("$ "), printout
        assert re.match(r"measured \d{4}-\d\d-\d\d.* [0-9a-f]{7}", measured), printout


def _exists(name: str) -> bool:
    """Whether a dotted name is a module, or what stands in one."""
    module, _, attribute = name.partition(":")
    if attribute:
        return hasattr(resolve_name(module), attribute)
    try:
        return find_spec(name) is not None or resolve_name(name) is not None
    except (ImportError, AttributeError):
        try:
            return resolve_name(name) is not None
        except (ImportError, AttributeError):
            return False
