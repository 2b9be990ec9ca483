from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.pipeline.manifest import build_manifest
from tests.toy import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def manifest(bench: Bench, **options: Any) -> dict[str, Any]:
    bench.run(**options)
    command = ["mplus-eval", "compare", "base=./base"]
    made = build_manifest(bench.plan(**options), bench.directory, command=command, seconds=1.26)
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


def test_it_says_how_the_run_was_made(bench: Bench) -> None:
    made = manifest(bench, seed=4)
    assert (made["command"], made["seconds"]) == ("mplus-eval compare base=./base", 1.3)
    assert made["seeds"] == {"run": 4, "few_shot": 1234}
    assert made["versions"]["lm_eval"] == version("lm_eval")
    assert made["hardware"]["devices"]
    assert "noise_floor" not in made


def test_it_names_every_cell_with_what_it_is_made_of_and_how_long_it_took(bench: Bench) -> None:
    made = manifest(bench)
    plan = bench.plan()
    assert [(cell["model"], cell["task"]) for cell in made["cells"]] == [cell.key for cell in plan.cells]
    for told, cell in zip(made["cells"], plan.cells, strict=True):
        assert (told["fingerprint"], told["components"]) == (cell.fingerprint, cell.components)
        assert told["n_items"] == 12
        assert told["seconds"] >= 0


def test_it_tells_models_as_they_were_loaded(bench: Bench) -> None:
    model = manifest(bench)["models"]["plus"]
    assert model["source"] == str(bench.path / "plus")
    assert (model["backend"], model["device"], model["chat_template"]) == ("hf", "cpu", "plain")
    assert len(model["weights"]) == 64


def test_the_noise_rerun_stands_apart_from_the_models(bench: Bench) -> None:
    made = manifest(bench, noise_floor=True)
    assert list(made["models"]) == ["base", "plus"]
    assert {cell["model"] for cell in made["cells"]} == {"base", "plus"}
    # On a CPU batches are of 16; 3/8 of the twelve items that a subtask has, were it limited to them, would be 4.
    assert made["noise_floor"]["batch_size"] == 6
    assert [cell["model"] for cell in made["noise_floor"]["cells"]] == ["base~noise", "base~noise"]
