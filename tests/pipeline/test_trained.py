"""Evaluation while training goes on and after it: it happens, and it changes nothing of what is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.pipeline.aggregate import aggregate
from mplus_eval.pipeline.evaluate import evaluate
from mplus_eval.pipeline.plan import make_plan
from mplus_eval.pipeline.trained import compare_trained, evaluate_trajectory
from mplus_eval.pipeline.validate import validate
from mplus_eval.records.training import read_record
from mplus_eval.reports.trajectory import trajectories
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.training.evaluation import EVALUATION
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.train import train
from tests.spec.test_trajectory import write_training
from tests.specs import build_spec
from tests.toy import Bench
from tests.training.small import rlhf_recipe, same

STAGE = {"learning_rate": 1e-5, "steps": 30}
COMPARE = {"compare": {"suite": "mini", "limit": 2}}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed")
    train(rlhf_recipe(output))
    return output / "plus"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["process", "rank 0"])
def test_evaluating_gives_results_and_does_not_change_what_is_trained(
    where: str, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process of its own is started as a user's shell would start it, from the project's root.
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    train(rlhf_recipe(tmp_path, COMPARE, evaluate_every=2, evaluate_in=where), evaluate=evaluate_trajectory)
    directory = tmp_path / "plus"

    assert same(directory, undisturbed)
    comparison = json.loads((directory / EVALUATION / "comparison.json").read_text())
    assert list(comparison["models"]) == ["base", "plus-step-2", "plus-step-4"]
    record = read_record(directory)
    assert record is not None
    assert record.dose is not None


def test_only_models_with_saved_steps_besides_the_final_one_have_a_trajectory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[CompareSpec, Any]] = []
    monkeypatch.setattr(
        "mplus_eval.pipeline.trained.run", lambda spec, _progress, *, faults, command: asked.append((spec, faults))
    )
    recipe = Recipe.model_validate(
        {"base": "demo:base", "output": tmp_path, "rlhf": {"plus": STAGE, "short": STAGE}}
        | {"prompts": [{"source": "demo:provoking"}], "compare": {"suite": "mini", "limit": 9}}
        | {"reward": STAGE, "pairs": [{"source": "demo:pairs"}]}
    )
    write_training(tmp_path / "plus", 10, 30, final=30)
    write_training(tmp_path / "short", 30, final=30, name="short")

    compare_trained(recipe)

    ((spec, faults),) = asked
    assert faults == []
    assert [model.name for model in spec.models] == ["base", "plus", "short", "plus-step-10"]


def test_what_transformers_trainer_left_goes_the_whole_line(
    trainer_output: Path, trainer_base: Path, tmp_path: Path
) -> None:
    """Answered by rule: no step has a record, so its number is all that is known of how it was made."""
    bench = Bench(tmp_path)
    options = {"suite": str(bench.suite), "tasks_dir": tmp_path / "tasks", "output": bench.directory.path}
    spec = build_spec([f"base={trainer_base}"], options={**options, "trajectory": trainer_output})
    plan = make_plan(validate(spec), bench.directory)
    comparison = aggregate(plan, bench.directory, evaluate(plan, bench.directory, load=bench.load))

    assert [(name, entry.step, entry.training) for name, entry in comparison.models.items()] == [
        ("base", None, None),
        ("sft", 4, None),
        ("sft-step-2", 2, None),
    ]
    assert list(comparison.trajectories["sft"].averages) == ["base", "sft", "sft-step-2"]
    assert [step.step for step in trajectories(comparison)["sft"]] == [0, 2, 4]
