from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.pipeline.plan import Plan, make_plan
from mplus_eval.pipeline.validate import validate
from mplus_eval.store.outcomes import Answer
from mplus_eval.store.parts import PartInfo, part_path, write_part
from mplus_eval.store.run_directory import RunDirectory
from tests.specs import build_spec
from tests.toy import write_checkpoint, write_tasks


def planned(tmp_path: Path, **options: object) -> Plan:
    suite = write_tasks(tmp_path / "tasks")
    models = [f"{name}={write_checkpoint(tmp_path / name, seed)}" for seed, name in enumerate(("base", "plus"))]
    given = {"suite": str(suite), "tasks_dir": tmp_path / "tasks", "output": tmp_path / "run", **options}
    return make_plan(validate(build_spec(models, options=given)), RunDirectory(tmp_path / "run"))


def fingerprints(plan: Plan) -> dict[str, str]:
    return {cell.name: cell.fingerprint for cell in plan.cells}


def test_a_plan_has_a_cell_for_every_model_and_task(tmp_path: Path) -> None:
    plan = planned(tmp_path)

    assert [cell.name for cell in plan.cells] == ["base × sums", "base × words", "plus × sums", "plus × words"]
    assert [cell.n_items for cell in plan.cells] == [12, 12, 12, 12]


def test_the_same_plan_has_the_same_fingerprints(tmp_path: Path) -> None:
    assert fingerprints(planned(tmp_path)) == fingerprints(planned(tmp_path))


def test_a_noise_floor_adds_the_baseline_in_other_batches_and_changes_no_other_cell(tmp_path: Path) -> None:
    without, plan = planned(tmp_path), planned(tmp_path, noise_floor=True)
    first, second = plan.cells[0], plan.cells[4]

    assert [cell.name for cell in plan.cells[4:]] == ["base~noise × sums", "base~noise × words"]
    assert plan.models == without.models
    assert plan.noise_rerun is not None
    assert plan.noise_rerun.fingerprint == plan.models[0].fingerprint
    assert fingerprints(without).items() <= fingerprints(plan).items()
    assert second.fingerprint != first.fingerprint
    assert second.components == {**first.components, "batch composition": "3/8 of auto"}


def test_models_of_different_weights_have_different_fingerprints(tmp_path: Path) -> None:
    plan = planned(tmp_path)

    assert plan.cells[0].fingerprint != plan.cells[2].fingerprint


def test_a_limit_changes_every_fingerprint(tmp_path: Path) -> None:
    whole, limited = fingerprints(planned(tmp_path)), fingerprints(planned(tmp_path, limit=5))

    assert all(whole[name] != limited[name] for name in whole)


def test_changed_data_change_the_fingerprints_of_their_task_alone(tmp_path: Path) -> None:
    before = fingerprints(planned(tmp_path))
    words = tmp_path / "tasks" / "words.jsonl"
    text = words.read_text().replace('"answer": "3"', '"answer": "4"')
    plan = _replanned(tmp_path, words, text)

    after = fingerprints(plan)
    assert before["base × sums"] == after["base × sums"]
    assert before["base × words"] != after["base × words"]


def _replanned(tmp_path: Path, file: Path, text: str) -> Plan:
    file.write_text(text)
    models = [f"{name}={tmp_path / name}" for name in ("base", "plus")]
    given = {
        "suite": str(tmp_path / "tasks" / "toy.suite.yaml"),
        "tasks_dir": tmp_path / "tasks",
        "output": tmp_path / "run",
    }
    return make_plan(validate(build_spec(models, options=given)), RunDirectory(tmp_path / "run"))


def test_a_directory_that_holds_the_same_cell_made_otherwise_is_refused_with_what_differs(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    cell = plan.cells[0]
    other = PartInfo("other", {**cell.components, "limit": "3"}, 0, 1)
    write_part(part_path(RunDirectory(tmp_path / "run").answers("base", "sums"), 0), Answer, [], other)

    with pytest.raises(SpecError, match="holds another run, with different limit of base × sums"):
        planned(tmp_path)


def test_chat_template_true_without_a_template_is_refused(tmp_path: Path, tiny_model) -> None:  # type: ignore[no-untyped-def]
    suite = write_tasks(tmp_path / "tasks")
    given = {"suite": str(suite), "tasks_dir": tmp_path / "tasks", "output": tmp_path / "run"}
    spec = build_spec([f"base={tiny_model()},chat_template=true"], options=given)

    with pytest.raises(SpecError, match="'base': chat_template=true, but its tokenizer has no chat template"):
        make_plan(validate(spec), RunDirectory(tmp_path / "run"))


def _stored(tmp_path: Path, plan: Plan) -> None:
    """Store a part of the plan's first cell, as a run leaves it."""
    cell = plan.cells[0]
    info = PartInfo(cell.fingerprint, dict(cell.components), 0, 1, sources=dict(cell.sources))
    write_part(part_path(RunDirectory(tmp_path / "run").answers(*cell.key), 0), Answer, [], info)


def test_a_file_that_changed_under_a_run_is_named(tmp_path: Path) -> None:
    _stored(tmp_path, planned(tmp_path))
    sums = tmp_path / "tasks" / "sums.jsonl"

    with pytest.raises(SpecError, match=r"different data \(sums.jsonl changed\) of base × sums; name another --output"):
        _replanned(tmp_path, sums, sums.read_text().replace("passage 1", "passage 9"))


def test_a_file_that_changed_where_no_item_is_asked_stops_nothing(tmp_path: Path) -> None:
    _stored(tmp_path, planned(tmp_path, limit="first:5"))
    sums = tmp_path / "tasks" / "sums.jsonl"
    sums.write_text(sums.read_text().replace("11 + 1", "11 + 2"))
    given = {"suite": str(tmp_path / "tasks" / "toy.suite.yaml"), "tasks_dir": tmp_path / "tasks", "limit": "first:5"}
    models = [f"{name}={tmp_path / name}" for name in ("base", "plus")]

    assert make_plan(validate(build_spec(models, options=given)), RunDirectory(tmp_path / "run")).cells[0].n_items == 5


def test_with_another_limit_no_file_is_blamed(tmp_path: Path) -> None:
    _stored(tmp_path, planned(tmp_path))
    sums = tmp_path / "tasks" / "sums.jsonl"
    sums.write_text(sums.read_text() + sums.read_text())

    with pytest.raises(SpecError, match="different data, limit of base × sums; name"):
        planned(tmp_path, limit=3)
