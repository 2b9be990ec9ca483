"""What a sample can show, and how many items it takes: of the tests that verdicts rest on, not of a normal stand-in.

Levels are those of one test. Among k tests that are adjusted together, level/k is what Holm asks of a lone difference:
the worst case, since a step-down asks less of the others once one is decided. Clusters, strata and graded scores enter
by the design effect: n items are worth n / effect independent pairs.
"""

from __future__ import annotations

from collections.abc import Callable

from mplus_eval.statistics.exact_power import (
    power_of_a_verdict,
    power_of_difference,
    power_of_non_inferiority,
    shares,
)
from mplus_eval.statistics.paired import PairedDifference
from mplus_eval.statistics.planned_effect import PlannedEffect

POWER = 0.8

_EXACT_UP_TO = 1_000_000
"""Pairs; beyond, a formula and the exact sum differ by less than one in a thousand."""
_BISECTIONS = 40


def power_for_degraded(
    n: float, discordance: float, loss: float, level: float, effect: float = 1.0, added: float = 1.0
) -> float:
    """The chance that n items show a true loss; arguments as of `items_for_degraded` and `detectable`."""
    return power_of_difference(_pairs(n, effect), discordance, loss, level, added)


def power_for_preserved(
    n: float, discordance: float, margin: float, level: float, loss: float = 0.0, effect: float = 1.0
) -> float:
    """The chance that n items exclude a loss of the margin or more; arguments as of `items_for_preserved`."""
    return power_of_non_inferiority(_pairs(n, effect), discordance, margin, level, loss)


def _pairs(items: float, effect: float) -> int:
    """Whole pairs that items are worth; rounding in the design effect costs none."""
    return int(items / effect + 1e-6)


def detectable(
    n: float,
    discordance: float,
    level: float,
    *,
    effect: float | Callable[[float], float] = 1.0,
    added: float = 1.0,
) -> float | None:
    """The true loss that n items show with a power of 80 %; None where they show none whatever.

    Args:
        n: items.
        discordance: share of items that differ where nothing is lost.
        level: of the two-sided test.
        effect: design effect; or that at a true loss, where it depends on it.
        added: share of the loss that adds to what differs.
    """

    def is_shown(loss: float) -> bool:
        worth = effect(loss) if callable(effect) else effect
        return power_for_degraded(n, discordance, loss, level, worth, added) >= POWER

    if not is_shown(1.0):
        return None
    short, enough = 0.0, 1.0
    for _ in range(_BISECTIONS):
        loss = (short + enough) / 2.0
        short, enough = (short, loss) if is_shown(loss) else (loss, enough)
    return enough


def items_for_degraded(discordance: float, loss: float, level: float, power: float = POWER, effect: float = 1.0) -> int:
    """How many items show a true loss, by the exact McNemar test.

    Args:
        discordance: share of items that differ where nothing is lost; the loss adds to it.
        loss: above 0.
        level: of the two-sided test.
        power: in how many of all samples it is to be shown.
        effect: design effect.
    """
    pairs = connor(discordance, loss, level, power)
    return _items(lambda n: power_of_difference(n, discordance, loss, level), pairs, power, effect)


def items_for_preserved(
    discordance: float, margin: float, level: float, loss: float = 0.0, power: float = POWER, effect: float = 1.0
) -> int:
    """How many items exclude a loss of the margin or more, by Nam's test at half of `level`.

    Args:
        discordance: share of items that differ where nothing is lost or gained; a loss or gain adds to it.
        margin: above 0.
        level: of the two-sided interval that is to lie above −`margin`.
        loss: the true loss, below `margin`; negative for a gain.
        power: in how many of all samples it is to be shown.
        effect: design effect.
    """
    pairs = nam(discordance, margin, level, loss, power)
    return _items(lambda n: power_of_non_inferiority(n, discordance, margin, level, loss), pairs, power, effect)


def items_to_settle(
    up: float,
    down: float,
    n: float,
    margin: float,
    level_difference: float,
    level_margin: float,
    effect: float = 1.0,
) -> int | None:
    """How many items would settle an undecided contrast, were the truth what was observed; None where nobody knows.

    With so many, four of five samples show the difference or exclude the margin; at a loss about half as large as the
    margin either takes most. What was observed is uncertain itself, so this is an order of magnitude.

    Args:
        up: share of items that rose, or the mean rise.
        down: the same of those that fell.
        n: items observed; the answer is larger.
        margin: in the same unit, above 0.
        level_difference: two-sided, of the test of the difference.
        level_margin: two-sided; non-inferiority is tested at half of it.
        effect: design effect.
    """
    loss = down - up
    alike = up + down - abs(loss)
    formulae = [connor(alike, abs(loss), level_difference)] if loss else []
    formulae += [nam(alike, margin, level_margin, loss)] if loss < margin else []

    def power_of_either(pairs: int) -> float:
        return power_of_a_verdict(pairs, up, down, margin, level_difference, level_margin)

    either = _items(power_of_either, min(formulae), POWER, effect)
    if either > n:
        return either
    # The sample lies between the two verdicts, of which one was to be expected: then one of them alone counts.
    alone = [items_for_degraded(alike, abs(loss), level_difference, effect=effect)] if loss else []
    alone += [items_for_preserved(alike, margin, level_margin, loss, effect=effect)] if loss < margin else []
    return min((items for items in alone if items > n), default=None)


def connor(discordance: float, loss: float, level: float, power: float = POWER) -> float:
    """Pairs that McNemar's test needs: ((z(1 − level/2) √q′ + z(power) √(q′ − d²)) / d)², q′ = q + d (Connor 1987)."""
    from scipy.stats import norm

    lost, gained = shares(discordance, loss)
    differing = lost + gained
    spread = max(differing - loss**2, 0.0)
    return float(((norm.isf(level / 2.0) * differing**0.5 + norm.ppf(power) * spread**0.5) / loss) ** 2)


def nam(discordance: float, margin: float, level: float, loss: float = 0.0, power: float = POWER) -> float:
    """Pairs for non-inferiority: (z(1 − level/2) + z(power))² (q′ − d²)/(m − d)², at least z²(1 − m)/m (Nam 1997).

    The least is what a sample without any difference needs.
    """
    from scipy.stats import norm

    lost, gained = shares(discordance, loss)
    critical = norm.isf(level / 2.0)
    spread = lost + gained - loss**2
    least = critical**2 * (1.0 - margin) / margin
    return float(max((critical + norm.ppf(power)) ** 2 * spread / (margin - loss) ** 2, least))


def smallest_detectable(
    difference: PairedDifference, level: float, n_tests: int = 1, effect: PlannedEffect | None = None
) -> float | None:
    """The true difference that four of five samples like this would show; None if not known, or if none.

    A loss adds to what differs where items are alike so far. Where nearly all differ already, as graded scores of
    sampled texts do, it moves them and adds little.

    Args:
        difference: what was observed.
        level: of the family of tests.
        n_tests: tests in the family; the level is divided by it, for that is what Holm asks of a lone difference.
        effect: the design effect as it depends on the loss; that of the sample when None.
    """
    if not difference.df > 0:
        return None
    items, discordance = float(difference.items), float(difference.up + difference.down)
    planned = effect or PlannedEffect.of(difference)
    alike = 1.0 - min(float(difference.informative) / items, 1.0)
    return detectable(items, discordance, level / n_tests, effect=lambda loss: planned.at(items, loss), added=alike)


def smallest_provable(difference: PairedDifference, level: float, n_tests: int = 1) -> float | None:
    """The smallest margin for which non-inferiority is shown here whatever the other tests show; None if not known.

    Args:
        difference: what was observed, oriented so that more is better.
        level: two-sided; non-inferiority is tested at half of it.
        n_tests: tests in the family; the level is divided by it.
    """
    if not difference.df > 0:
        return None
    return max(-float(difference.interval(level / n_tests, cautious=True)[0]), 0.0)


def _items(power_at: Callable[[int], float], start: float, power: float, effect: float) -> int:
    """The fewest items with that power, sought from `start` independent pairs on; `start` itself where it is huge."""
    if start > _EXACT_UP_TO:
        return _whole(start * effect)
    short, enough = 0, max(int(start), 1)
    while power_at(enough) < power:
        short, enough = enough, 2 * enough
    while enough - short > 1:
        pairs = (short + enough) // 2
        short, enough = (short, pairs) if power_at(pairs) >= power else (pairs, enough)
    return _whole(enough * effect)


def _whole(items: float) -> int:
    """Rounded up, where rounding errors count for nothing."""
    return int(-(-round(items, 6) // 1))
