"""JUnit XML, as Jenkins, GitLab and GitHub's test reporters read it: a suite a model, a case a rule.

A blocking rule that is broken is a failure, one that is inconclusive an error. A rule of another tier that does not
pass is skipped, with the reason as its message: it is seen, and fails no job.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from mplus_eval.gate.check import Gate, Result
from mplus_eval.gate.evidence import shown
from mplus_eval.gate.limits import Outcome
from mplus_eval.reports.text import visible

TAGS = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
"""What is counted, by the attribute that counts it."""
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write (production 2, Char)."""


def junit(gate: Gate, report: str) -> str:
    """The whole document.

    Args:
        gate: what was found.
        report: where the report is, before the fragment of a link.
    """
    top = ElementTree.Element("testsuites", name=_xml(f"mplus-eval gate, policy {gate.policy}"))
    for model in dict.fromkeys(result.model for result in gate.results):
        suite = ElementTree.SubElement(top, "testsuite", name=_xml(shown(model) or "no model"))
        for result in gate.of(model):
            _case(suite, result, report)
        _count(suite, "tests", "failures", "errors", "skipped")
    # Jenkins' junit-10.xsd knows no `skipped` here.
    _count(top, "tests", "failures", "errors")
    ElementTree.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(top, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, result: Result, report: str) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=result.rule,
        classname=_xml(f"{shown(result.model) or 'no model'}.{result.axis}"),
        time="0",
    )
    if result.outcome is Outcome.PASS:
        return
    first = result.telling[0]
    message = _xml(f"{result.tier}, {result.outcome}: {first.place}: {first.words}")
    if result.tier != "blocking":
        ElementTree.SubElement(case, "skipped", message=message)
        return
    tag = "failure" if result.outcome.is_breach else "error"
    ElementTree.SubElement(case, tag, message=message, type=str(result.outcome)).text = _xml(
        "\n".join(
            f"{finding.place}: {finding.words}" + (f"\n  {report}{finding.link}" if finding.link else "")
            for finding in result.telling
        )
    )


def _count(element: ElementTree.Element, *attributes: str) -> None:
    """Write how many cases there are within, and how many of each kind."""
    for attribute in attributes:
        element.set(attribute, str(sum(1 for _ in element.iter(TAGS[attribute]))))
    element.set("time", "0")


def _xml(text: str) -> str:
    """Text that XML can hold: what would act instead of show by its code point, what is no character as a mark."""
    return FORBIDDEN.sub("\ufffd", visible(text))
