from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mplus_eval.servers.usage import Price, Spent, UsageTracker


def test_a_price_is_per_million_tokens() -> None:
    assert Price(per_million_in=2.0, per_million_out=10.0).of(200, 20) == pytest.approx(200 * 2e-6 + 20 * 10e-6)


@pytest.mark.parametrize(("price", "cost"), [(None, None), (Price(1.0, 2.0), 1.0)])
def test_what_was_spent_is_known_where_the_price_is(price: Price | None, cost: float | None) -> None:
    assert UsageTracker(price, tokens_in=600_000, tokens_out=200_000).cost == cost


@pytest.mark.parametrize(("tokens_in", "tokens_out"), [(None, 5), (7, None), (None, None)])
def test_a_reply_whose_tokens_are_not_told_is_counted_apart(tokens_in: int | None, tokens_out: int | None) -> None:
    usage = UsageTracker()
    usage.replied(tokens_in, tokens_out)
    assert (usage.tokens_in, usage.tokens_out, usage.n_uncounted) == (tokens_in or 0, tokens_out or 0, 1)


def test_threads_count_together() -> None:
    usage = UsageTracker()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(400):
            pool.submit(usage.sent)
            pool.submit(usage.replied, 3, 2)
            pool.submit(usage.cached)
    assert (usage.n_requests, usage.tokens_in, usage.tokens_out, usage.n_cached) == (400, 1200, 800, 400)


def test_what_was_spent_since_is_a_difference() -> None:
    usage = UsageTracker()
    usage.sent()
    usage.replied(10, 2)
    before = usage.spent
    usage.sent()
    usage.replied(5, None)
    assert usage.spent - before == Spent(n_requests=1, tokens_in=5, tokens_out=0, n_uncounted=1)
    assert before + (usage.spent - before) == usage.spent
