"""How many items a task is asked on average where asking stops as soon as its verdict is settled, by simulation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.exact_power import shares
from mplus_eval.statistics.rounds import round_sizes
from mplus_eval.statistics.score_interval import score_statistic
from mplus_eval.statistics.sequential import Look, is_clear_loss, plain_p_values

SAMPLES = 400
"""Their mean is known to about 3 %, and nothing planned by it is known better."""


def expected_items(n: int, discordance: float, loss: float, margin: float, level: float, effect: float = 1.0) -> int:
    """The mean number of items asked of a task of n, with a look after every round.

    Looks are those of independent items scored 0 or 1, at n / effect of them. The level is that of one test, as it
    is held to while nothing else of its family is decided.

    Args:
        n: items there are.
        discordance: share of items that differ where nothing is lost; the loss adds to it.
        loss: the true one; 0 for none.
        margin: above 0.
        level: two-sided, of the test of the difference; non-inferiority is tested at half of it.
        effect: design effect.
    """
    generator = np.random.default_rng(0)
    lost_share, gained_share = shares(discordance, loss)
    lost, gained = np.zeros(SAMPLES), np.zeros(SAMPLES)
    asked, is_open, before = np.zeros(SAMPLES), np.ones(SAMPLES, dtype=bool), 0
    for items in round_sizes(n):
        pairs = max(int(items / effect), 1)
        changed = generator.multinomial(
            pairs - before, [lost_share, gained_share, max(1.0 - lost_share - gained_share, 0.0)], size=SAMPLES
        )
        lost, gained, before = lost + changed[:, 0], gained + changed[:, 1], pairs
        asked[is_open] = items
        is_open &= ~_is_settled(gained, lost, pairs, margin, level)
        if not is_open.any():
            break
    return round(float(asked.mean()))


def _is_settled(gained: Floats, lost: Floats, pairs: int, margin: float, level: float) -> NDArray[np.bool_]:
    """Whether the items so far show that the model improved, is preserved, or clearly degraded."""
    p_difference, p_non_inferiority = plain_p_values(gained, lost, pairs, margin)
    up, down = gained / pairs, lost / pairs
    half_margin = score_statistic(-margin / 2.0, up, down, pairs)
    look = Look(up - down, p_difference, p_non_inferiority, up - down, up - down, half_margin)
    differs, kept = p_difference < level, p_non_inferiority < level / 2.0
    is_clear = np.asarray(look.value > 0) | np.asarray(is_clear_loss(look, margin), dtype=np.bool_)
    return np.asarray(kept | (differs & is_clear), dtype=np.bool_)
