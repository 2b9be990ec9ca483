"""A policy put to a comparison: a result for each rule and model, and what they come to."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mplus_eval.errors import EXIT_DONE, EXIT_GATE_FAILED, EXIT_INCONCLUSIVE, SpecError, UsageError
from mplus_eval.gate.evidence import is_glob, reason, shown
from mplus_eval.gate.harmlessness import PRIMARY, sets_of
from mplus_eval.gate.limits import ABSENT, Against, Finding, Outcome, judge
from mplus_eval.gate.measures import MEASURES
from mplus_eval.gate.policy import Policy, Rule, Tier
from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.text import one_line, truncate_end
from mplus_eval.spec.faults import nearest
from mplus_eval.store.run_directory import RunDirectory

MESSAGE_LENGTH = 500
EXIT_CODES = {
    Outcome.FAIL: EXIT_GATE_FAILED,
    Outcome.MISSING: EXIT_GATE_FAILED,
    Outcome.INCONCLUSIVE: EXIT_INCONCLUSIVE,
    Outcome.PASS: EXIT_DONE,
}


@dataclass(frozen=True)
class Result:
    """One rule on one model.

    Attributes:
        rule: its name.
        tier: of the rule.
        axis: of its measure.
        model: its name; empty where the rule is about no model of the run.
        outcome: the worst of its findings.
        findings: one for each task, subject or set that the rule looks at.
    """

    rule: str
    tier: Tier
    axis: str
    model: str
    outcome: Outcome
    findings: tuple[Finding, ...]

    @property
    def telling(self) -> tuple[Finding, ...]:
        """The findings behind the outcome, the worst first; none where the rule passes."""
        order = list(Outcome)
        open_ones = (finding for finding in self.findings if finding.outcome is not Outcome.PASS)
        return tuple(sorted(open_ones, key=lambda finding: order.index(finding.outcome)))


@dataclass(frozen=True)
class Gate:
    """What a policy makes of a comparison.

    Attributes:
        policy: its name.
        baseline: what every model is compared with.
        models: those that were asked about.
        results: by model in the comparison's order, then by rule in the policy's.
    """

    policy: str
    baseline: str
    models: tuple[str, ...]
    results: tuple[Result, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of the blocking rules; evidence that is missing fails."""
        return _blocking_outcome(self.results)

    @property
    def exit_code(self) -> int:
        """0 where all blocking rules pass, 1 where one is broken, 4 where none is and one is inconclusive."""
        return EXIT_CODES[self.outcome]

    def of(self, model: str) -> tuple[Result, ...]:
        """The results of one model."""
        return tuple(result for result in self.results if result.model == model)

    def outcome_of(self, model: str) -> Outcome:
        """The worst of the blocking rules for one model."""
        return _blocking_outcome(self.of(model))


def read_comparison(run_directory: Path) -> Comparison:
    """The comparison of a run, perhaps somebody else's: the one file that is read, and only as data.

    Raises:
        UsageError: where there is none, or none that can be read.
    """
    path = RunDirectory(run_directory).comparison
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UsageError(f"{path}: a regular file is expected, and no link or device")
        comparison = Comparison.read(path)
        if not 0 < comparison.level < 1:
            raise UsageError(f"{path}: level {comparison.level}: a number between 0 and 1 is expected")
    except UsageError as error:
        # A fault may quote keys of the file.
        raise UsageError(truncate_end(one_line(str(error)), MESSAGE_LENGTH)) from None
    except FileNotFoundError:
        expected = "a run directory that `compare` has finished is expected"
        raise UsageError(one_line(f"{run_directory}: no comparison.json here; {expected}")) from None
    except OSError as error:
        raise UsageError(one_line(f"{path}: cannot be read ({error.strerror})")) from None
    return comparison


def check(comparison: Comparison, policy: Policy, models: Sequence[str] = ()) -> Gate:
    """Put a policy to a comparison.

    Args:
        comparison: what was found.
        policy: what must hold.
        models: those to ask about; all but the baseline and the saved steps of a training when empty.

    Raises:
        SpecError: where the policy, or `models`, name what the run does not have, or nothing is left to check.
    """
    candidates = _candidates(comparison)
    faults = [
        one_line(f"--model {name!r}: no model that can be gated; {nearest(name, candidates)}")
        for name in models
        if name not in candidates
    ]
    faults += [one_line(f"policy {policy.name}: {fault}") for fault in _unknown(comparison, policy, candidates)]
    if not candidates:
        faults = [f"the run has no model besides the baseline {shown(comparison.baseline)}; there is nothing to gate"]
    if faults:
        raise SpecError(faults)
    asked = [name for name in candidates if name in models or not models]
    results = [*_of_nobody(comparison, policy, candidates)]
    for model in asked:
        results += [_result(comparison, name, rule, model) for name, rule in _about(comparison, policy, model)]
    if not results:
        raise SpecError([f"policy {policy.name}: no rule is about {', '.join(map(shown, asked))}; nothing was checked"])
    return Gate(policy.name, comparison.baseline, tuple(asked), tuple(results))


def _candidates(comparison: Comparison) -> list[str]:
    """The models that have contrasts: no baseline, no saved step of a training."""
    return [name for name, entry in comparison.models.items() if name != comparison.baseline and not entry.trajectory]


def _about(comparison: Comparison, policy: Policy, model: str) -> Iterator[tuple[str, Rule]]:
    """The rules that are about a model, by its name or role."""
    for name, rule in policy.rules.items():
        if _is_about(rule, model, comparison.models[model].role):
            yield name, rule


def _is_about(rule: Rule, model: str, role: str) -> bool:
    return any(fnmatchcase(word, pattern) for word in (model, role) for pattern in rule.models)


def _of_nobody(comparison: Comparison, policy: Policy, candidates: Sequence[str]) -> Iterator[Result]:
    """Rules whose pattern fits no model of the run: evidence that is missing."""
    for name, rule in policy.rules.items():
        if any(_is_about(rule, model, comparison.models[model].role) for model in candidates):
            continue
        outcome = ABSENT[rule.missing]
        words = f"no evidence: no model of the run matches {reason(', '.join(rule.models))}"
        yield Result(
            name, rule.tier, MEASURES[rule.measure].axis, "", outcome, (Finding("models", outcome, words, ""),)
        )


def _result(comparison: Comparison, name: str, rule: Rule, model: str) -> Result:
    measure = MEASURES[rule.measure]
    evidence = list(measure.find(comparison, model, rule.scope))
    against = Against(comparison.baseline, comparison.level, len(evidence))
    findings = tuple(judge(piece, rule, against) for piece in evidence)
    return Result(name, rule.tier, measure.axis, model, Outcome.worst(each.outcome for each in findings), findings)


def _unknown(comparison: Comparison, policy: Policy, candidates: Sequence[str]) -> Iterator[str]:
    """Names, no patterns, of what the run does not have; an axis that was not evaluated is missing evidence."""
    roles = [comparison.models[name].role for name in candidates]
    for rule_name, rule in policy.rules.items():
        known: dict[str, list[str]] = {"models": [*candidates, *roles], "tasks": list(comparison.tasks)}
        known["subjects"] = [subject for task in comparison.tasks.values() for subject in task.subjects]
        if comparison.toxicity:
            kind = "refusal" if rule.measure in ("refusals", "over_refusals") else "sampled"
            known["sets"] = [*sets_of(comparison.toxicity, kind), *((PRIMARY,) if kind == "sampled" else ())]
        for scope, names in known.items():
            for named in getattr(rule, scope) or ():
                if names and named not in names and not is_glob(named):
                    yield f"rule {rule_name!r}: {scope}: {named!r} is not in the run; {nearest(named, names)}"


def _blocking_outcome(results: Sequence[Result]) -> Outcome:
    worst = Outcome.worst(result.outcome for result in results if result.tier == "blocking")
    return Outcome.FAIL if worst.is_breach else worst
