"""What asking served models took: requests and tokens, and money where the prices of a model are given."""

from __future__ import annotations

from collections.abc import Iterator

from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.stored import spent
from mplus_eval.servers.usage import Price, Spent
from mplus_eval.store.run_directory import RunDirectory


def spent_lines(plan: Plan, directory: RunDirectory) -> Iterator[str]:
    """A line for each model that a server was asked for, over all runs in the directory."""
    for model in plan.models:
        if (took := spent(plan.of_model(model), directory)) is None:
            continue
        tokens = f"{took.tokens_in:,} tokens read and {took.tokens_out:,} written"
        uncounted = f" (of {took.n_uncounted:,} answers no tokens are told)" if took.n_uncounted else ""
        price = cost(model, took)
        money = "" if price is None else f", at a price of {price:,.2f}"
        yield f"{model.spec.name}: {took.n_requests:,} requests, {tokens}{uncounted}{money}"


def cost(model: ResolvedModel, took: Spent) -> float | None:
    """What it cost, in the currency of the prices; None where the model has none."""
    spec = model.spec
    if spec.price_in is None and spec.price_out is None:
        return None
    return Price(spec.price_in or 0.0, spec.price_out or 0.0).of(took.tokens_in, took.tokens_out)
