"""Every family of models: the right tier, and a plain forward's numbers on requests that the check does not know."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mplus_eval.inference import self_check
from mplus_eval.inference.budget import Budget
from mplus_eval.inference.self_check import choose_tier, scorer_of
from mplus_eval.inference.tree_scorer import TreeScorer
from tests.inference.families import (
    LONGEST,
    PLAIN,
    SHARED_PREFIX,
    TREE,
    build,
    largest_difference,
    plain,
    some_requests,
)

REQUESTS = some_requests()


@pytest.mark.parametrize("family", TREE)
def test_a_family_scored_by_a_tree(family: str) -> None:
    model = build(TREE[family])
    kernel = model.config._attn_implementation
    tier = choose_tier(model, LONGEST)
    assert (tier.name, tier.why) == ("tree", "")
    assert tier.difference <= 1e-4
    assert model.config._attn_implementation == kernel
    expected = plain(model, REQUESTS)
    for budget in (Budget(60), Budget()):
        scorer = scorer_of(tier, model, budget)
        assert scorer is not None
        assert largest_difference(scorer.score(REQUESTS), expected) < 1e-4


@pytest.mark.parametrize(
    ("family", "why"),
    [
        ("Llama 4", "tree: layers of the kind chunked_attention"),
        *((family, "tree: attention of its own, which cannot be exchanged") for family in [*SHARED_PREFIX][1:]),
    ],
)
def test_a_family_scored_with_shared_prefixes(family: str, why: str) -> None:
    model = build(SHARED_PREFIX[family])
    tier = choose_tier(model, LONGEST)
    assert (tier.name, tier.why) == ("shared prefix", why)
    assert tier.difference <= 1e-4
    expected = plain(model, REQUESTS)
    for budget in (Budget(60), Budget()):
        scorer = scorer_of(tier, model, budget)
        assert scorer is not None
        assert largest_difference(scorer.score(REQUESTS), expected) < 1e-4


@pytest.mark.parametrize("family", PLAIN)
def test_a_family_with_a_recurrent_state_is_left_plain(family: str) -> None:
    model = build(PLAIN[family])
    tier = choose_tier(model, LONGEST)
    assert tier.name == "plain"
    kind = tier.why.removeprefix("tree: layers of the kind ").partition(";")[0]
    assert tier.why == f"tree: layers of the kind {kind}; shared prefix: layers of the kind {kind}"
    assert scorer_of(tier, model) is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("family", "name"),
    [(TREE["Llama"], "tree"), (TREE["Mixtral"], "tree"), (SHARED_PREFIX["Llama 4"], "shared prefix")],
)
def test_rounding_of_half_precision_does_not_change_the_tier(
    family: tuple[str, dict[str, Any]], name: str, dtype: torch.dtype
) -> None:
    tier = choose_tier(build(family).to(dtype), LONGEST)
    assert tier.name == name
    assert tier.difference < tier.tolerance


@pytest.mark.parametrize("family", [name for name in PLAIN if name != "Falcon-H1"])
def test_a_family_with_a_recurrent_state_fails_even_if_it_does_not_say_so(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anything = frozenset({"full_attention", "linear_attention", "conv"})
    monkeypatch.setattr(self_check, "KINDS", {"tree": anything, "shared prefix": anything})
    tier = choose_tier(build(PLAIN[family]), LONGEST)
    assert tier.name == "plain"
    assert tier.why.startswith("tree: RuntimeError: attention was computed ")
    assert "; shared prefix: AttributeError: " in tier.why


def test_a_tree_is_silently_wrong_where_the_check_refuses_it() -> None:
    """What the refusal is for: no error, and numbers far off."""
    model = build(SHARED_PREFIX["Llama 4"])
    found, expected = TreeScorer(model, Budget()).score(REQUESTS), plain(model, REQUESTS)
    assert max(abs(one - other) for (one, _), (other, _) in zip(found, expected, strict=True)) > 1
