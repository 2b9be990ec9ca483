"""What a policy means, in words: a paragraph a rule."""

from __future__ import annotations

from mplus_eval.gate.limits import NO_LOSS_SHOWN, demanded
from mplus_eval.gate.measures import MEASURES, SCOPES
from mplus_eval.gate.policy import Policy, Rule
from mplus_eval.reports import formats
from mplus_eval.reports.text import one_line

TIERS = {
    "blocking": "Blocking: decides the exit code.",
    "warning": "Warning: told, and does not change the exit code.",
    "info": "Information: told, and does not change the exit code.",
}
MISSING = {
    "breach": "Without evidence the rule is broken.",
    "inconclusive": "Without evidence the rule is inconclusive.",
    "allow": "Without evidence the rule passes.",
}
INTERVALS = {
    "plain": "The interval as stored decides: a breach must be ruled out to pass, and shown to fail.",
    "adjusted": "The interval, widened over all that the rule looks at in a model (Bonferroni), decides: a breach must "
    "be ruled out to pass, and shown to fail.",
    "none": "The value alone decides, whatever its interval.",
}


def explain(policy: Policy) -> str:
    """A policy in words, as plain text."""
    head = f"Policy {policy.name}. {one_line(policy.description)}".rstrip()
    return "\n\n".join([head, *(_of_rule(name, rule) for name, rule in policy.rules.items())])


def _of_rule(name: str, rule: Rule) -> str:
    measure = MEASURES[rule.measure]
    lines = [f"{name} ({measure.axis})", f"  Looks at: {measure.meaning}{_where(rule)}."]
    lines += [f"  Of each model: {_demand(limit, rule)}." for limit in rule.limits]
    if rule.holds_intervals:
        lines.append(f"  {INTERVALS[rule.interval]}")
    lines += [f"  {MISSING[rule.missing]} {TIERS[rule.tier]}"]
    return "\n".join([*lines, *([f"  Why: {one_line(rule.why)}"] if rule.why else [])])


def _where(rule: Rule) -> str:
    """The parts that are named, and the models where they are not all."""
    named = {scope: getattr(rule, scope) for scope in SCOPES} | {
        "models": rule.models if rule.models != ("*",) else None
    }
    return "".join(f"; {scope}: {one_line(', '.join(names))}" for scope, names in named.items() if names)


def _demand(limit: str, rule: Rule) -> str:
    """One limit of a rule as a demand."""
    match limit:
        case "verdicts":
            mild = set(rule.verdicts or ()) == NO_LOSS_SHOWN
            beside = " (judges that disagree and answers that cannot be compared do not pass)" if mild else ""
            return demanded(rule.verdicts or ()) + beside
        case "max_loss":
            return f"a loss of {formats.margin_in_points(rule.max_loss or 0)} against the baseline must be ruled out"
        case "at_least":
            return f"at least {_share(rule.at_least)} is accepted"
        case "at_most":
            return f"at most {_share(rule.at_most)} is accepted"
        case "max_count":
            return f"no more than {formats.count(rule.max_count or 0)} are accepted"
        case _:
            return f"on fewer than {formats.counted(rule.min_items or 0, 'item')} nothing passes"


def _share(limit: float | None) -> str:
    return f"{formats.plain(limit or 0)} ({formats.whole_percent(limit or 0)})"
