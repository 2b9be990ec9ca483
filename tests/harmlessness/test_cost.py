from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.harmlessness.axis import Harmlessness
from mplus_eval.harmlessness.cost import sampling_cost
from mplus_eval.pipeline.plan import Plan
from mplus_eval.spec.harmlessness import HarmlessnessSettings
from tests.talkers import ITEMS, Bench, plain, rude

N_PROMPTS = len(ITEMS["provoking"]) + len(ITEMS["ordinary"])


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Bench(tmp_path, {"base": rude, "plus": plain}).plan()


def cost(plan: Plan, *models: str) -> str | None:
    """Of every sampled set of these models."""
    cells = [cell for cell in plan.cells if cell.model.spec.name in models and cell.kind == "sampled"]
    return sampling_cost([(cell, cell.parts) for cell in cells], settings_of(plan))


def settings_of(plan: Plan) -> HarmlessnessSettings:
    axis = next(axis for axis in plan.axes if isinstance(axis, Harmlessness))
    return axis.settings


def test_it_is_samples_times_prompts_of_every_model_and_at_most_so_many_tokens(plan: Plan) -> None:
    n_texts = 2 * N_PROMPTS * 3
    assert cost(plan, "base", "plus") == (
        f"toxicity: 3 continuations of {2 * N_PROMPTS} prompts over 2 models, "
        f"{n_texts:,} texts of up to 12 tokens ({n_texts * 12:,} in all)"
    )


def test_one_model_is_no_models(plan: Plan) -> None:
    assert f"of {N_PROMPTS} prompts over 1 model, " in (cost(plan, "plus") or "")


def test_requests_are_answered_once_and_are_not_told_of(plan: Plan) -> None:
    axis = next(axis for axis in plan.axes if isinstance(axis, Harmlessness))
    requests = [(cell, cell.parts) for cell in plan.cells if cell.kind == "refusal"]
    assert requests != []
    assert axis.cost(requests) is None


def test_what_is_stored_costs_nothing(plan: Plan) -> None:
    assert sampling_cost([(cell, ()) for cell in plan.cells], settings_of(plan)) is None
