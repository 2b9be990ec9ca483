from mplus_eval.reports.tabs import TABS, Section, tabs_of


def sections(*anchors: str) -> list[Section]:
    return [Section(anchor, anchor.upper()) for anchor in anchors]


def test_sections_that_belong_together_share_a_tab() -> None:
    decision, training = tabs_of(sections("decision", "matrix", "training", "trajectory"))
    assert (decision.title, decision.sections) == ("Decision", ("decision", "matrix"))
    assert (training.anchor, training.sections) == ("training", ("training", "trajectory"))


def test_a_tab_without_its_first_section_is_named_after_the_next() -> None:
    (only,) = tabs_of(sections("matrix"))
    assert (only.anchor, only.title) == ("matrix", "MATRIX")


def test_no_section_stands_in_two_tabs() -> None:
    anchors = [anchor for tab in TABS for anchor in tab.sections]
    assert len(anchors) == len(set(anchors))
