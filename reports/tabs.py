"""The page's tabs: which sections are shown together. Without script, and in print, all are shown in this order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    anchor: str
    title: str


@dataclass(frozen=True)
class Tab:
    """Sections that are shown together; `anchor` is that of the first of them."""

    anchor: str
    title: str
    sections: tuple[str, ...]


TABS = (
    Tab("decision", "Decision", ("decision", "matrix", "missing")),
    Tab("differences", "Differences", ("differences", "pairs")),
    Tab("tax", "Tax and toxicity", ("tax",)),
    Tab("tasks", "Tasks", ("tasks",)),
    Tab("subjects", "Subjects", ("subjects",)),
    Tab("harmlessness", "Harmlessness", ("harmlessness",)),
    Tab("conversation", "Conversation", ("conversation",)),
    Tab("training", "Training", ("training", "trajectory")),
    Tab("items", "Items", ("items",)),
    Tab("methods", "Methods", ("methods",)),
    Tab("manifest", "Manifest", ("manifest",)),
)
"""Every section is in one of them."""


def tabs_of(sections: Iterable[Section]) -> Iterable[Tab]:
    """The tabs of a page that has these sections; one without its first section is named after the next."""
    titles = {section.anchor: section.title for section in sections}
    for tab in TABS:
        anchors = tuple(anchor for anchor in tab.sections if anchor in titles)
        if anchors:
            first = anchors[0]
            yield Tab(first, tab.title if first == tab.anchor else titles[first], anchors)
