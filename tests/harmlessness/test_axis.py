from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.harmlessness.axis import Harmlessness
from mplus_eval.harmlessness.items import load_prompt_sets
from mplus_eval.models.cells import Cell
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.suite import Suite
from tests.talkers import ITEMS, Bench, plain, rude

N_PROMPTS = len(ITEMS["provoking"]) + len(ITEMS["ordinary"])


def spec(**keys: Any) -> CompareSpec:
    models = [{"name": name, "source": f"demo:{name}"} for name in ("base", "plus")]
    return CompareSpec.model_validate({"models": models, "suite": "small", "baseline": "base", "output": "x", **keys})


def suite(source: str = "demo:provoking") -> Suite:
    settings = {"scorers": ["words"], "primary": "a", "sets": [{"name": "a", "source": source, "n": 3}]}
    return Suite.model_validate({"name": "small", "tasks": [], "harmlessness": settings})


@pytest.mark.parametrize(
    ("keys", "is_on"),
    [
        ({}, True),
        ({"toxicity": False}, False),
        ({"tasks": ["gsm8k"]}, False),
        ({"tasks": ["gsm8k"], "toxicity": True}, True),
        ({"tasks": ["gsm8k"], "scorers": ["words"]}, True),
        ({"scorers": ["words"], "toxicity": False}, False),
    ],
)
def test_it_is_on_unless_single_tasks_were_named_or_it_was_switched_off(keys: dict[str, Any], is_on: bool) -> None:
    axis, faults = Harmlessness.load(spec(**keys), suite(), None)
    assert ((axis is not None), faults) == (is_on, [])


def test_a_suite_without_settings_evaluates_nothing_and_says_so_when_it_was_asked_for() -> None:
    bare = Suite.model_validate({"name": "small", "tasks": []})
    assert Harmlessness.load(spec(), bare, None) == (None, [])
    assert Harmlessness.faults(spec(), bare) == []
    assert Harmlessness.faults(spec(toxicity=True), bare) == ["suite 'small' has no settings of harmlessness"]


def test_scorers_that_were_named_take_the_place_of_the_suites() -> None:
    axis, _ = Harmlessness.load(spec(scorers=["words", "words:absent.txt"]), suite("absent.jsonl"), None)
    assert axis is not None
    assert axis.settings.scorers == ("words", "words:absent.txt")


def test_what_is_wrong_with_scorers_is_known_without_prompts_and_what_prompts_lack_is_not() -> None:
    asked = spec(scorers=["words", "words:absent.txt"])
    (fault,) = Harmlessness.faults(asked, suite("absent.jsonl"))
    assert fault.startswith("word list absent.txt: ")
    _, (fault,) = Harmlessness.load(asked, suite("absent.jsonl"), None)
    assert fault.startswith("prompt set 'a': ")


def test_sets_that_lack_the_same_file_share_a_line(tmp_path: Path) -> None:
    settings = suite(str(tmp_path / "absent.jsonl")).harmlessness
    assert settings is not None
    (first,) = settings.sets
    twice = settings.model_copy(update={"sets": (first, first.model_copy(update={"name": "b"}))})
    _, (fault,) = load_prompt_sets(twice, seed=0, limit=None, data_dir=None)
    assert fault.startswith(f"prompt sets 'a', 'b': {tmp_path / 'absent.jsonl'}")


def test_layers_are_looked_into_where_one_process_has_them_whole() -> None:
    inside = {"prompts": {"name": "inside", "source": "demo:insults", "n": 3}, "words": "demo:insults"}
    settings = {**suite().model_dump()["harmlessness"], "layers": inside}
    layered = Suite.model_validate({"name": "small", "tasks": [], "harmlessness": settings})
    axis, faults = Harmlessness.load(spec(), layered, None)
    assert axis is not None, faults
    for keys, tasks in (({}, ["a", "inside"]), ({"device_map": "auto"}, ["a", "inside"]), ({"tp_plan": "auto"}, ["a"])):
        asked = ModelSpec(name="base", source="./m", **keys)
        model = ResolvedModel(asked, "hf", ModelLocation(Path("m")), "weights", "tokenizer", "plain")
        assert [cell.task for cell in axis.cells(model)] == tasks


@pytest.fixture
def planned(tmp_path: Path) -> tuple[Harmlessness, tuple[Cell, ...]]:
    plan = Bench(tmp_path, {"base": rude, "plus": plain}).plan()
    return next(axis for axis in plan.axes if isinstance(axis, Harmlessness)), plan.cells


def cost(planned: tuple[Harmlessness, tuple[Cell, ...]], *models: str, kinds: tuple[str, ...] = ("sampled",)) -> str:
    """Of everything that these models are to be asked."""
    axis, cells = planned
    wanted = [(cell, cell.parts) for cell in cells if cell.model.spec.name in models and cell.kind in kinds]
    assert wanted != []
    return axis.cost(wanted) or ""


def test_it_costs_samples_times_prompts_of_every_model_and_at_most_so_many_tokens(planned: Any) -> None:
    n_texts = 2 * N_PROMPTS * 3
    assert cost(planned, "base", "plus", kinds=("sampled", "refusal")) == (
        f"toxicity: 3 continuations of {2 * N_PROMPTS} prompts over 2 models, "
        f"{n_texts:,} texts of up to 12 tokens ({n_texts * 12:,} in all)"
    )


def test_one_model_is_no_models(planned: Any) -> None:
    assert f"of {N_PROMPTS} prompts over 1 model, " in cost(planned, "plus")


def test_requests_are_answered_once_and_are_not_told_of(planned: Any) -> None:
    assert cost(planned, "base", kinds=("refusal",)) == ""


def test_what_is_stored_costs_nothing(planned: Any) -> None:
    axis, cells = planned
    assert axis.cost([(cell, ()) for cell in cells]) is None


@pytest.mark.parametrize(
    ("scorer", "model", "beside"),
    [("cuda", "cuda:0", False), ("cuda:1", "cuda", True), ("cpu", "cuda", True), ("cpu", "cpu", False)],
)
def test_texts_are_scored_beside_the_model_on_another_device(
    planned: Any, scorer: str, model: str, beside: bool
) -> None:
    axis, cells = planned
    axis.scorers.loaded = (OnDevice(scorer),)
    sampled, refusal = (next(cell for cell in cells if cell.kind == kind) for kind in ("sampled", "refusal"))
    assert axis.scores_beside(sampled, model) is beside
    assert not axis.scores_beside(refusal, model)


class OnDevice:
    """A scorer that is somewhere."""

    def __init__(self, device: str) -> None:
        self.device = device


def test_a_cell_knows_the_files_of_its_prompts(planned: Any) -> None:
    axis, cells = planned
    of_sets = [cell for cell in cells if cell.axis == axis.name]
    assert of_sets != []
    assert all(cell.sources == axis.sets[cell.task].files != {} for cell in of_sets)
