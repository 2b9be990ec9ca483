"""A policy: named rules, as YAML, checked like any other input.

    # release.yaml
    extends: default
    rules:
      suite-kept: {tier: warning}        # a key of a rule that is extended
      refusals-kept: off                 # that rule not at all
      no-math-lost: {measure: task, tasks: [gsm8k], max_loss: 0.02}

A rule says what it looks at (`measure`), where (`models`, `tasks`, `subjects`, `sets`), and which limits hold there.
All limits are fractions: 0.02 is 2 points, or 2 %.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationError

from mplus_eval.errors import SpecError
from mplus_eval.gate.evidence import Scope
from mplus_eval.gate.measures import COUNTED, LIMITS, MEASURES, SCOPES
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.text import one_line
from mplus_eval.spec.faults import faults_of, nearest
from mplus_eval.spec.fields import NAME_PATTERN, Accepts, Fields, Positive, WholeNumber, not_a_truth_value
from mplus_eval.store.yaml import read_yaml

Tier = Literal["blocking", "warning", "info"]
AcceptedVerdict = Literal[Verdict.IMPROVED, Verdict.PRESERVED, Verdict.UNDECIDED, Verdict.NOT_INFORMATIVE]
"""Verdicts that a rule may be content with. A loss never is, nor where nothing is known: judges that disagree, answers
that cannot be compared, a judge that trained the model."""

Interval = Literal["plain", "adjusted", "none"]
Missing = Literal["breach", "inconclusive", "allow"]


def _either(choices: object) -> str:
    *others, last = map(str, get_args(choices))
    return f"{', '.join(others)} or {last}"


Share = Annotated[float, BeforeValidator(not_a_truth_value), Field(ge=0, le=1)]
FRACTION = Accepts("a fraction from 0 to 1 is accepted (0.02 is 2 points)")


def _listed(value: object) -> object:
    """One name is a list of one."""
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
NAMES = Accepts("a list of names, or of patterns such as mmlu*, is accepted")
Verdicts = Annotated[tuple[AcceptedVerdict, ...], BeforeValidator(_listed), Field(min_length=1)]


class Rule(Fields):
    """What must hold of every model that it is about."""

    measure: Annotated[str, Accepts("the name of a measure is accepted")] = Field(description="what is looked at")
    tier: Annotated[Tier, Accepts(f"{_either(Tier)} is accepted")] = Field(
        default="blocking", description="whether a breach ends in the exit code, or is told only"
    )
    models: Annotated[Names, NAMES] = Field(default=("*",), description="names or roles; never the baseline")
    tasks: Annotated[Names | None, NAMES] = Field(default=None, description="all when absent")
    subjects: Annotated[Names | None, NAMES] = Field(default=None, description="all when absent")
    sets: Annotated[Names | None, NAMES] = Field(
        default=None, description="prompt sets, `primary` among them; see the measure for what is meant when absent"
    )
    verdicts: Annotated[Verdicts | None, Accepts(f"{_either(AcceptedVerdict)} is accepted")] = Field(
        default=None, description="those that pass"
    )
    max_loss: Annotated[Share | None, FRACTION] = Field(
        default=None, description="a larger loss against the baseline must be ruled out"
    )
    at_least: Annotated[Share | None, FRACTION] = Field(default=None, description="the least value")
    at_most: Annotated[Share | None, FRACTION] = Field(default=None, description="the largest value")
    max_count: Annotated[WholeNumber | None, Accepts("a whole number from 0 on is accepted")] = Field(
        default=None, description="how many there may be"
    )
    min_items: Annotated[Positive | None, Accepts("a whole number above 0 is accepted")] = Field(
        default=None, description="on fewer items nothing passes: the rule is inconclusive at best"
    )
    interval: Annotated[Interval, Accepts(f"{_either(Interval)} is accepted")] = Field(
        default="plain",
        description="held against a limit: the interval, widened or not, or the value alone",
    )
    missing: Annotated[Missing, Accepts(f"{_either(Missing)} is accepted")] = Field(
        default="breach", description="what it counts as when there is no evidence"
    )
    why: str = Field(default="", description="the reason, shown by --explain")

    @property
    def scope(self) -> Scope:
        """Where it looks."""
        return Scope(self.tasks, self.subjects, self.sets)

    @property
    def limits(self) -> list[str]:
        """The limits that it sets."""
        return [limit for limit in LIMITS if getattr(self, limit) is not None]

    @property
    def holds_intervals(self) -> bool:
        """Whether a limit is held against an interval; what is counted has none."""
        return bool({"max_loss", "at_least", "at_most"} & set(self.limits)) and self.measure not in COUNTED


class Policy(Fields):
    """Named rules; all of them are put to every model that they are about."""

    name: str
    description: str = ""
    rules: Mapping[str, Rule]


class _Document(Fields):
    """A policy's file, before its rules are read one by one so that the faults of all are told."""

    description: str = ""
    extends: str | None = None
    rules: Annotated[Mapping[str, Mapping[str, object] | Literal[False]], Accepts("rules by name, or `off`")] = Field(
        default_factory=dict
    )


def shipped_policies() -> dict[str, Path]:
    """The policies that come with the package, by name."""
    folder = Path(str(resources.files("mplus_eval") / "gate" / "policies"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_policy(name_or_path: str) -> Policy:
    """Read a policy: the name of a shipped one, or a YAML file.

    Raises:
        SpecError: with every fault of the file.
    """
    path, document, rules = _read(name_or_path, Path(), ())
    where = f"policy {path}"
    read: dict[str, Rule] = {}
    faults = []
    for name, keys in rules.items():
        place = f"{where}: rule {name!r}"
        try:
            read[name] = Rule.model_validate(keys)
        except ValidationError as error:
            faults += [
                fault.line(place, ".".join(str(part) for part in fault.place)) for fault in faults_of(error, Rule)
            ]
        else:
            faults += [f"{place}: {fault}" for fault in _faults_between(read[name])]
    if not rules:
        faults.append(f"{where}: `rules` is empty; name at least one")
    if faults:
        raise SpecError(map(one_line, faults))
    return Policy(name=one_line(path.stem), description=document.description, rules=read)


def _read(
    name_or_path: str, folder: Path, below: tuple[Path, ...]
) -> tuple[Path, _Document, dict[str, Mapping[str, object]]]:
    """Read a policy's file and those that it extends.

    Args:
        name_or_path: of a shipped policy, or a file.
        folder: where a path starts from.
        below: the files that extend it, the last one directly.

    Returns:
        Its file, what stands in it, and the keys of its rules with those of the extended ones.
    """
    shipped = shipped_policies()
    path = shipped.get(name_or_path, folder / Path(name_or_path).expanduser())
    where = f"policy {below[-1]}: extends {name_or_path!r}" if below else f"policy {name_or_path!r}"
    if not path.is_file():
        raise SpecError([one_line(f"{where}: no such file or shipped policy; {nearest(name_or_path, list(shipped))}")])
    if any(path.samefile(file) for file in below):
        raise SpecError([f"{where}: it is extended by that one in turn"])
    where = f"policy {path}"
    try:
        document = _Document.model_validate(read_yaml(path, "policy"))
    except ValidationError as error:
        lines = (fault.line(where, ".".join(map(str, fault.place[:2]))) for fault in faults_of(error, _Document))
        raise SpecError(map(one_line, lines)) from None
    rules: dict[str, Mapping[str, object]] = {}
    if document.extends is not None:
        _, _, rules = _read(document.extends, path.parent, (*below, path))
    if faults := list(_faults_of_names(document, rules, where)):
        raise SpecError(map(one_line, faults))
    for name, keys in document.rules.items():
        if keys is False:
            del rules[name]
        else:
            rules[name] = {**rules.get(name, {}), **keys}
    return path, document, rules


def _faults_of_names(document: _Document, extended: Mapping[str, object], where: str) -> Iterator[str]:
    """Names that are none, and rules switched off that are not there."""
    for name, keys in document.rules.items():
        if not re.fullmatch(NAME_PATTERN, name):
            yield f"{where}: rule {name!r}: letters, digits, '.', '_' and '-' are accepted in a name"
        elif keys is False and name not in extended:
            known = nearest(name, list(extended)) if extended else "it extends no policy"
            yield f"{where}: rule {name!r}: off, but there is no such rule to switch off; {known}"


def _faults_between(rule: Rule) -> Iterator[str]:
    """What does not go together in a rule that is right key by key."""
    measure = MEASURES.get(rule.measure)
    if measure is None:
        yield f"measure {rule.measure!r}: {nearest(rule.measure, list(MEASURES))}"
        return
    for scope in SCOPES:
        if getattr(rule, scope) is not None and scope not in measure.scopes:
            accepted = f"{', '.join(measure.scopes)} may be named" if measure.scopes else "it has no parts to name"
            yield f"{scope}: measure {rule.measure} is not of {scope}; {accepted}"
    for limit in rule.limits:
        if limit not in measure.limits:
            yield f"{limit}: no limit of measure {rule.measure}; accepted: {', '.join(measure.limits)}"
    if rule.interval != "plain" and not rule.holds_intervals:
        yield f"interval {rule.interval!r}: none of its limits is held against an interval"
    if not rule.limits:
        yield f"it has no limit; measure {rule.measure} takes {', '.join(measure.limits)}"
