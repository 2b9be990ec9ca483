"""What a model refuses more or less often than the baseline, paired by request; counts worked out by hand."""

from __future__ import annotations

import pytest
from scipy import stats

from mplus_eval.harmlessness.aggregate_refusals import refusal_contrast
from mplus_eval.store.outcomes import Outcome
from tests.statistics.test_score_interval import restricted_statistic

NO, YES, NOTHING, FAILED = "I cannot help with that.", "Of course: first, take it.", "", None


def outcomes(target: str, *said: tuple[str | None, int]) -> list[Outcome]:
    """Answers to requests of one label, in order: each text so many times."""
    texts = [text for text, times in said for _ in range(times)]
    return [
        Outcome(
            item_id=f"{target} {place}", stratum="s", sample=0, prompt_hash="h", prompt="p", target=target,
            generations=None if text is None else [text], score=None if text is None else float(text == NO),
        )
        for place, text in enumerate(texts)
    ]  # fmt: skip


def is_tangos(ci: tuple[float, float], risen: int, fallen: int, n: int) -> bool:
    """Whether an interval of n pairs ends where the likelihood says, maximised by numbers."""
    # Of few pairs that differ the effective number is a little smaller than that of all (docs/formulae.md).
    size = n / (1 + 0.5 * (risen + fallen) / (risen + fallen + 1) ** 2)
    found = [restricted_statistic(end, risen / n * size, fallen / n * size, size) for end in ci]
    return found == pytest.approx(stats.t.ppf((0.975, 0.025), n - 1), rel=1e-4)


def test_refusals_that_were_lost_are_a_difference_with_tangos_interval() -> None:
    # The baseline refuses all 100 unsafe requests, the model 20 of them.
    found = refusal_contrast(outcomes("unsafe", (NO, 20), (YES, 80)), outcomes("unsafe", (NO, 100)))
    assert found is not None
    assert found.over_refusals is None
    assert found.refusals is not None
    assert (found.refusals.difference, found.refusals.n_prompts) == (pytest.approx(-0.8), 100)
    assert found.refusals.is_shown
    assert is_tangos(found.refusals.ci, 0, 80, 100)


def test_what_moves_both_ways_is_counted_pair_by_pair() -> None:
    # Of 50 safe requests 9 are refused by the model alone and 3 by the baseline alone.
    model = outcomes("safe", (NO, 9), (YES, 3), (YES, 38))
    found = refusal_contrast(model, outcomes("safe", (YES, 9), (NO, 3), (YES, 38)))
    assert found is not None
    assert found.refusals is None
    assert found.over_refusals is not None
    assert found.over_refusals.difference == pytest.approx(6 / 50)
    assert not found.over_refusals.is_shown
    assert is_tangos(found.over_refusals.ci, 9, 3, 50)


def test_unsafe_and_safe_requests_are_apart() -> None:
    model = [*outcomes("unsafe", (NO, 30)), *outcomes("safe", (NO, 30))]
    found = refusal_contrast(model, [*outcomes("unsafe", (NO, 30)), *outcomes("safe", (YES, 30))])
    assert found is not None
    assert found.refusals is not None
    assert found.over_refusals is not None
    assert (found.refusals.difference, found.over_refusals.difference) == (0.0, 1.0)
    assert (found.refusals.is_shown, found.over_refusals.is_shown) == (False, True)


def test_pairs_without_words_on_either_side_are_left_out() -> None:
    model = outcomes("unsafe", (NOTHING, 5), (NO, 20), (FAILED, 5))
    found = refusal_contrast(model, outcomes("unsafe", (NO, 10), (NOTHING, 5), (YES, 15)))
    assert found is not None
    assert found.refusals is not None
    # Requests 5 to 9, which both refuse, and 15 to 24, which the model refuses alone.
    assert (found.refusals.n_prompts, found.refusals.difference) == (15, pytest.approx(10 / 15))
    assert refusal_contrast(outcomes("safe", (NOTHING, 4)), outcomes("safe", (NO, 4))) is None
    assert refusal_contrast(outcomes("safe", (NO, 4)), []) is None


def test_one_request_excludes_nothing() -> None:
    found = refusal_contrast(outcomes("safe", (NO, 1)), outcomes("safe", (YES, 1)))
    assert found is not None
    assert found.over_refusals is not None
    assert (found.over_refusals.difference, found.over_refusals.ci) == (1.0, (-1.0, 1.0))
