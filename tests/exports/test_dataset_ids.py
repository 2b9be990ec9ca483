"""Datasets of tasks, by the definition of the version that was asked."""

from __future__ import annotations

from pathlib import Path

import lm_eval
import pytest

from mplus_eval.capability import task_config
from mplus_eval.capability.definitions import Definition
from mplus_eval.exports.dataset_ids import Dataset, dataset_of
from tests.reports import build


def test_a_definition_names_its_dataset_configuration_and_split() -> None:
    task = build.task(1, 0.25, {}, {}, lm_eval="race_middle", version="1.0")
    assert dataset_of(task) == Dataset("ehovy/race", "middle", "test")


def test_lm_evals_own_definitions_are_known_too(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(lm_eval.__file__).parent / "tasks" / "gsm8k"
    own = Definition("gsm8k_cot", "task", folder / "gsm8k-cot.yaml")
    monkeypatch.setattr(task_config, "stock_definitions", lambda: {"gsm8k_cot": own})
    task = build.task(1, 0.0, {}, {}, lm_eval="gsm8k_cot", version="3.0")
    assert dataset_of(task) == Dataset("openai/gsm8k", "main", "test")


def test_another_version_or_an_unknown_definition_names_none() -> None:
    assert dataset_of(build.task(1, 0.25, {}, {}, lm_eval="race_middle", version="99")) is None
    assert dataset_of(build.task(1, 0.25, {}, {}, lm_eval="my_own_task", version="1.0")) is None
    assert dataset_of(build.task(1, 0.25, {}, {}, lm_eval="/nowhere/task.yaml", version="1.0")) is None
