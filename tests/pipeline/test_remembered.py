from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline import calibrate
from mplus_eval.pipeline.calibrate import estimate_plan
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.remembered import LASTS, remember, remembered
from mplus_eval.pipeline.speed import Rate, Speed
from mplus_eval.store.hashes import cache_directory
from tests.toy import Bench, RuleBackend

SPEED = Speed(
    2.0, "cpu", {"sums": Rate(300, 3.0)}, {"words": Rate(50, 0.5)}, {"words": Rate(80, 4.0)}, {"words": [0.5]}
)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Bench(tmp_path)


@pytest.fixture
def model(bench: Bench) -> ResolvedModel:
    return bench.plan(["base"]).models[0]


def file() -> Path:
    (found,) = (cache_directory() / "speeds").glob("*.json")
    return found


def test_what_was_measured_is_known_to_the_next_command(model: ResolvedModel) -> None:
    assert remembered(model) is None
    remember(model, SPEED)
    assert remembered(model) == SPEED
    assert remembered(model, ["sums", "words"]) == SPEED


def test_a_task_that_was_not_measured_is_not_known(model: ResolvedModel) -> None:
    remember(model, SPEED)
    assert remembered(model, ["sums", "another"]) is None


@pytest.mark.parametrize("changed", [{"dtype": "float16"}, {"device": "meta"}, {"batch_size": 7}])
def test_another_precision_device_or_batch_has_another_speed(model: ResolvedModel, changed: dict[str, object]) -> None:
    remember(model, SPEED)
    assert remembered(replace(model, spec=model.spec.model_copy(update=changed))) is None
    assert remembered(replace(model, weights="others")) is None


@pytest.mark.parametrize("seconds", [LASTS + 1, -60])
def test_it_lasts_a_week_and_not_from_the_future(
    model: ResolvedModel, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    remember(model, SPEED)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)
    assert remembered(model) is None


def test_a_damaged_file_is_measured_anew(model: ResolvedModel) -> None:
    remember(model, SPEED)
    file().write_text(file().read_text().replace("300", "900"))
    assert remembered(model) is None
    remember(model, SPEED)
    assert remembered(model) == SPEED


def test_a_cache_that_cannot_be_written_is_done_without(model: ResolvedModel) -> None:
    cache_directory().parent.mkdir(parents=True, exist_ok=True)
    cache_directory().write_text("")
    remember(model, SPEED)
    assert remembered(model) is None


def test_models_are_loaded_once_to_be_measured_and_a_run_is_told_its_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(backend: str, spec: object, location: object) -> RuleBackend:
        loaded.append(backend)
        return RuleBackend("base")

    monkeypatch.setattr(calibrate, "load_backend", load)
    plan = bench.plan(["base"])
    first = estimate_plan(plan, bench.directory, RunProgress(), measures=True)
    again = estimate_plan(plan, bench.directory, RunProgress(), measures=True)
    run = estimate_plan(plan, bench.directory, RunProgress())
    assert len(loaded) == 1
    assert first.models[0].loading == again.models[0].loading == run.models[0].loading > 0
    assert run.span is not None
