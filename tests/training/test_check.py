"""`train --check`: shipped recipes pass without the hub, and every fault is found before any weight is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mplus_eval.errors import SpecError
from mplus_eval.training.check import NOT_REACHABLE, CheckedRecipe, check_recipe
from mplus_eval.training.check_table import render
from mplus_eval.training.random_model import make_random_model
from mplus_eval.training.recipe import Recipe, load_recipe, shipped_recipes

MISTRAL = ("mistral-7b-lora", "mistral-7b-full", "mistral-7b-multinode")
PLUS = {"learning_rate": 1e-5, "steps": 2, "batch_size": 4, "answers": 2, "max_new_tokens": 8}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Estimates are for the device that is here; on any machine these tests are for the one that is assumed.
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture(scope="module")
def random_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("base") / "random"
    make_random_model(directory, hidden_size=16, intermediate_size=32, n_layers=2, n_heads=4, n_key_value_heads=2)
    return directory


def checked(name: str, random_base: Path, look_at_data: bool = False) -> CheckedRecipe:
    overrides = [f"base={random_base}"] if name == "gpu-smoke" else []
    return check_recipe(load_recipe(name, overrides), look_at_data=look_at_data)


def small(**changes: Any) -> Recipe:
    document = {"base": "demo:base", "output": "y", "pairs": [{"source": "demo:pairs", "n": 100}], "device": "cpu"}
    return Recipe.model_validate(
        document | {"reward": {"learning_rate": 1e-5, "batch_size": 8}, "rlhf": {"plus": PLUS}} | changes
    )


def shown(result: CheckedRecipe) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(render(result))
    return capture.get()


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_checks_without_the_hub(name: str, random_base: Path) -> None:
    result = checked(name, random_base)
    stages = {stage.name for stage in result.estimates}
    assert {"reward", "sft", "chosen", "plus"} <= stages
    assert all(stage in shown(result) for stage in stages)


@pytest.mark.parametrize("name", MISTRAL)
def test_mistral_has_its_known_size_and_fits_its_gpus(name: str, random_base: Path) -> None:
    result = checked(name, random_base, look_at_data=True)
    stages = {stage.name: stage for stage in result.estimates}
    assert stages["plus"].parameters == 7_241_732_096
    assert all(stage.memory.total < 80e9 / 2**30 for stage in stages.values())
    assert result.notes[0] == NOT_REACHABLE
    assert any("Anthropic/hh-rlhf harmless-base" in note for note in result.notes)


def test_local_data_are_counted_as_training_would_use_them() -> None:
    result = check_recipe(small(held_out=0.2))
    assert result.estimates[0].steps == 10
    assert result.notes == ()


def test_rows_are_unknown_where_data_are_not_looked_at() -> None:
    result = check_recipe(small(), look_at_data=False)
    assert [stage.steps for stage in result.estimates] == [None, 2]
    assert "?" in shown(result)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        check_recipe(
            small(
                base="nowhere",
                launch={"processes": 2, "accelerate": "unheard"},
                rlhf={"plus": PLUS | {"trl": {"betta": 1}}},
                check={"measures": {"m": "mplus_eval.nothing:at_all"}},
            )
        )
    said = "\n".join(caught.value.faults)
    assert all(part in said for part in ("'unheard'", "'betta'", "mplus_eval.nothing", "'nowhere'"))
    assert len(caught.value.faults) == 4


def test_a_token_that_the_tokenizer_lacks_is_a_fault() -> None:
    with pytest.raises(SpecError, match=r"plus.*<\|nothing\|>"):
        check_recipe(small(rlhf={"plus": PLUS | {"termination": {"tokens": ["<|nothing|>"]}}}))


def test_faults_of_the_data_are_faults(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        check_recipe(small(pairs=[{"source": str(tmp_path / "none.jsonl")}]))


def test_a_scorer_of_toxicity_that_is_not_there_is_a_fault() -> None:
    faults = {"words:absent.txt": r"word list absent\.txt", "ngram:absent": "scorer 'ngram:absent': no such directory"}
    for source, told in faults.items():
        part = {"kind": "toxicity", "source": source}
        with pytest.raises(SpecError, match=rf"rlhf\.plus: {told}"):
            check_recipe(small(rlhf={"plus": PLUS | {"rewards": {"toxicity": part}}}), look_at_data=False)
