from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.records.training import TrainingRecord
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.trajectory import left_out
from tests.specs import build_spec


def record(step: int, name: str = "plus", **fields: Any) -> TrainingRecord:
    values = {
        "name": name,
        "method": "rlhf",
        "algorithm": "RLOO",
        "role": "plus",
        "base": "/models/base",
        "base_fingerprint": "base weights",
        "tokenizer_fingerprint": "tokenizer",
        "data": (),
        "step": step,
        "total_steps": 30,
        "seed": 0,
        "stage_hash": "stage",
        "recipe": {},
        "seconds": 1.0,
        "created": "2026-01-01T00:00:00+00:00",
        "mplus_eval": "0.1.0",
    }
    return TrainingRecord.model_validate({**values, **fields})


def write_training(folder: Path, *steps: int, final: int | None = None, **fields: Any) -> Path:
    """Write the records of a training directory; its checkpoints have no weights."""
    for step in steps:
        checkpoint = folder / f"checkpoint-{step}"
        checkpoint.mkdir(parents=True)
        record(step, **fields).write(checkpoint)
    if final is not None:
        folder.mkdir(exist_ok=True)
        record(final, **fields).write(folder)
    return folder


def spec_of(*models: str, **options: Any) -> CompareSpec:
    return build_spec(models, options=options)


def faults_of(*models: str, **options: Any) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        build_spec(models, options=options)
    return caught.value.faults


def test_a_training_adds_its_base_its_final_model_and_its_steps_in_order(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 10, 5, final=30)
    spec = spec_of(trajectory=(folder,))

    assert [(model.name, model.model_role, model.source, model.trajectory) for model in spec.models] == [
        ("base", "base", "/models/base", None),
        ("plus", "plus", str(folder), None),
        ("plus-step-5", "step", str(folder / "checkpoint-5"), "plus"),
        ("plus-step-10", "step", str(folder / "checkpoint-10"), "plus"),
    ]
    assert spec.baseline == "base"
    assert spec.suite == "mplus"
    assert spec.output.name.endswith("-base-plus")


def test_while_a_training_goes_on_its_steps_are_held_against_its_base(tmp_path: Path) -> None:
    spec = spec_of(trajectory=(write_training(tmp_path / "run", 5, 10),))

    assert [model.name for model in spec.models] == ["base", "plus-step-5", "plus-step-10"]
    assert spec.baseline == "base"


def test_steps_are_asked_with_their_own_tokenizers_while_the_final_model_has_none_yet(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5, 10)
    (folder / "checkpoint-5" / "tokenizer_config.json").write_text("{}")
    _, own, without = spec_of(trajectory=(folder,)).models

    assert (own.name, own.tokenizer) == ("plus-step-5", None)
    assert (without.name, without.tokenizer) == ("plus-step-10", "/models/base")


def test_base_and_steps_are_asked_in_the_precision_of_the_training(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5, final=30, recipe={"dtype": "bfloat16"})
    assert {model.dtype for model in spec_of(trajectory=(folder,)).models} == {"bfloat16"}
    named = spec_of("base=./base,dtype=float16", trajectory=(folder,))
    assert {model.dtype for model in named.models} == {"float16"}
    plain = write_training(tmp_path / "plain", 5, final=30)
    assert {model.dtype for model in spec_of(trajectory=(plain,)).models} == {"float32"}


def test_the_revision_of_the_base_is_that_of_the_recipe(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5, base="org/base", recipe={"revision": "v2"})

    assert spec_of(trajectory=(folder,)).models[0].revision == "v2"


def test_a_named_base_is_not_added_again(tmp_path: Path) -> None:
    spec = spec_of("old=./old,role=base", trajectory=(write_training(tmp_path / "run", 5, final=30),))

    assert [model.name for model in spec.models] == ["old", "plus", "plus-step-5"]


def test_steps_are_named_and_loaded_as_the_named_model_of_their_directory(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5, final=30)
    spec = spec_of("base=./base", f"ours={folder}/,dtype=bfloat16", trajectory=(folder,))

    assert [model.name for model in spec.models] == ["base", "ours", "ours-step-5"]
    step = spec.models[-1]
    assert (step.trajectory, step.dtype, step.role) == ("ours", "bfloat16", "step")


def test_the_role_of_a_training_record_is_taken_where_the_user_gave_none(tmp_path: Path) -> None:
    folder = str(write_training(tmp_path / "run", 5, final=30, role="chosen"))
    plain = write_training(tmp_path / "plain", final=30, role="")
    models = spec_of(
        "base=./base",
        f"ours={folder}",
        f"step={folder}/checkpoint-5",
        f"lora=org/base,adapter={folder}",
        f"said={folder},role=mine",
        f"sft={folder}",
        f"plain={plain}",
    ).models

    assert {model.name: model.model_role for model in models} == {
        "base": "base",
        "ours": "chosen",
        "step": "chosen",
        "lora": "chosen",
        "said": "mine",
        "sft": "sft",
        "plain": "model",
    }


def test_the_role_of_a_training_record_is_taken_for_models_of_a_config_file(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", final=30, role="base")
    config = tmp_path / "compare.yaml"
    config.write_text(f"models:\n  other: ./other\n  ours: {folder}\n")

    spec = build_spec((), str(config))
    assert spec.models[1].model_role == "base"
    assert spec.baseline == "ours"


def test_finals_of_several_trainings_stand_before_all_steps(tmp_path: Path) -> None:
    one = write_training(tmp_path / "one", 5, final=30, name="one")
    two = write_training(tmp_path / "two", 7, final=30, name="two")

    names = [model.name for model in spec_of(trajectory=(one, two)).models]
    assert names == ["base", "one", "two", "one-step-5", "two-step-7"]


def test_a_name_that_is_taken_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5, final=30)

    (fault,) = faults_of("base=./base", "plus=./other", trajectory=(folder,))
    assert "'plus'" in fault
    assert str(folder) in fault


def test_faults_of_training_directories_are_said_once(tmp_path: Path) -> None:
    (fault,) = faults_of("base=./base", trajectory=(tmp_path / "absent",))
    assert fault.startswith("--trajectory")
    assert "no such directory" in fault
    (fault,) = faults_of(trajectory=(tmp_path / "absent",))
    assert "no such directory" in fault


def test_a_training_directory_may_stand_in_the_config_file(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5, final=30)
    config = tmp_path / "compare.yaml"
    config.write_text(f"trajectory: {folder}\ntrajectory_limit: 9\n")

    spec = build_spec((), str(config))
    assert spec.trajectory == (folder,)
    assert len(spec.models) == 3
    assert spec.trajectory_limit == Limit(9)


def test_something_other_than_directories_is_one_fault() -> None:
    (fault,) = faults_of("base=./base", trajectory=7)
    assert fault == "--trajectory 7: a training directory, or a list of them"


@pytest.mark.parametrize(
    ("limit", "of_steps", "expected"),
    [(None, None, (None, None)), (50, None, (50, 50)), (None, 30, (None, 30)), (50, 30, (50, 30)), (30, 30, (30, 30))],
)
def test_steps_have_the_limit_of_the_run_or_their_own_lower_one(
    tmp_path: Path, limit: int | None, of_steps: int | None, expected: tuple[int | None, int | None]
) -> None:
    spec = spec_of(trajectory=(write_training(tmp_path / "run", 5),), limit=limit, trajectory_limit=of_steps)

    limits = tuple(spec.limit_of(model) for model in spec.models)
    assert tuple(limit.n if limit else None for limit in limits) == expected


def test_a_limit_of_steps_above_that_of_the_run_is_one_fault(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5)

    assert faults_of(trajectory=(folder,), limit=20, trajectory_limit=30) == (
        "--trajectory-limit 30: at most the --limit of 20 is accepted",
    )


def test_steps_are_asked_items_of_the_run(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5)
    assert faults_of(trajectory=(folder,), limit=50, trajectory_limit="first:20") == (
        "--trajectory-limit first:20: items of the --limit of 50 are accepted",
    )
    assert faults_of(trajectory=(folder,), budget=500, trajectory_limit="first:20") == (
        "--trajectory-limit first:20: items of the --budget of 500 are accepted",
    )
    for options in ({"limit": "first:50", "trajectory_limit": "first:20"}, {"budget": 500, "trajectory_limit": 20}):
        assert spec_of(trajectory=(folder,), **options).trajectory_limit.n == 20


@pytest.mark.parametrize("steps", [(), (30,)])
def test_a_training_without_a_saved_step_besides_its_final_checkpoint_is_refused(
    tmp_path: Path, steps: tuple[int, ...]
) -> None:
    folder = write_training(tmp_path / "run", *steps, final=30)
    (folder / "checkpoint-10").mkdir()

    (fault,) = faults_of(trajectory=(folder,))
    assert fault.startswith(f"--trajectory '{folder}': no saved step besides the final checkpoint")
    assert "a checkpoint-N with a training.json, or transformers' trainer_state.json, is expected" in fault


def test_a_user_cannot_name_a_trajectory_for_a_model() -> None:
    (fault,) = faults_of("plus=./a,trajectory=other")
    assert "unknown key 'trajectory'" in fault


def loaded(*models: str, **options: Any) -> list[tuple[str, str, str | None, str | None, int | None]]:
    """Of each model: name, source, adapter, tokenizer and step."""
    return [
        (model.name, model.source, model.adapter, model.tokenizer, model.step)
        for model in spec_of(*models, **options).models
    ]


def test_whole_models_of_trainer_are_held_against_the_named_base_and_take_its_tokenizer(
    trainer_output: Path, trainer_base: Path
) -> None:
    base, folder = str(trainer_base), trainer_output
    spec = spec_of(f"base={base}", trajectory=(folder,))

    assert [(model.model_role, model.trajectory) for model in spec.models] == [
        ("base", None),
        ("sft", None),
        ("step", "sft"),
    ]
    assert loaded(f"base={base}", trajectory=(folder,)) == [
        ("base", base, None, None, None),
        ("sft", str(folder), None, base, 4),
        ("sft-step-2", str(folder / "checkpoint-2"), None, base, 2),
    ]


def test_the_base_of_whole_models_is_the_named_baseline_where_none_has_the_role(
    trainer_output: Path, trainer_base: Path
) -> None:
    models = ["other=org/other", f"old={trainer_base}"]

    assert [model[3] for model in loaded(*models, trajectory=(trainer_output,), baseline="old")] == [
        None, None, str(trainer_base), str(trainer_base)
    ]  # fmt: skip


def test_a_tokenizer_at_the_top_is_that_of_the_steps(trainer_output: Path, trainer_base: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trainer_output, tmp_path / "run")
    shutil.copy(trainer_base / "tokenizer_config.json", folder)

    assert [model[3] for model in loaded("base=org/base", trajectory=(folder,))] == [None, None, str(folder)]


def test_whole_models_without_a_named_base_are_refused_with_the_way_out(trainer_output: Path) -> None:
    (fault,) = faults_of(f"ours={trainer_output}", trajectory=(trainer_output,))
    assert fault == (
        f"--trajectory '{trainer_output}': nothing in it says what it was trained from; name that too: base=SOURCE"
    )


def test_adapters_of_trainer_bring_their_base_and_their_tokenizer(adapter_output: Path, trainer_base: Path) -> None:
    assert loaded(trajectory=(adapter_output,)) == [
        ("base", str(trainer_base), None, None, None),
        ("lora-step-2", str(adapter_output / "checkpoint-2"), None, None, 2),
        ("lora-step-4", str(adapter_output / "checkpoint-4"), None, None, 4),
    ]


def test_adapters_whose_base_has_moved_are_put_on_the_named_one(adapter_output: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(adapter_output, tmp_path / "lora")
    for step in (2, 4):
        settings = folder / f"checkpoint-{step}" / "adapter_config.json"
        written = {**json.loads(settings.read_text()), "base_model_name_or_path": "/cluster/base"}
        settings.write_text(json.dumps(written))

    (fault,) = faults_of(trajectory=(folder,))
    assert fault == f"--trajectory '{folder}': its adapters are of '/cluster/base', which is not here; " + (
        "name it: base=SOURCE"
    )
    assert loaded("base=org/base,revision=v1", trajectory=(folder,))[1:] == [
        ("lora-step-2", "org/base", str(folder / "checkpoint-2"), None, 2),
        ("lora-step-4", "org/base", str(folder / "checkpoint-4"), None, 4),
    ]
    assert spec_of("base=org/base,revision=v1", trajectory=(folder,)).models[1].revision == "v1"


def test_adapters_with_a_record_are_put_on_the_base_of_the_recipe_where_theirs_has_moved(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5, base="org/base", recipe={"revision": "v2"})
    step = folder / "checkpoint-5"
    (step / "adapter_config.json").write_text('{"base_model_name_or_path": "/elsewhere/snapshots/0123"}')

    assert loaded(trajectory=(folder,)) == [
        ("base", "org/base", None, None, None),
        ("plus-step-5", "org/base", str(step), None, 5),
    ]
    assert [model.revision for model in spec_of(trajectory=(folder,)).models] == ["v2", "v2"]


def test_some_of_the_saved_steps_can_be_asked_for(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5, 10, 15, 20, final=30)

    names = [model.name for model in spec_of(trajectory=(folder,), trajectory_every=10).models]
    assert names == ["base", "plus", "plus-step-10", "plus-step-20"]
    assert faults_of(trajectory=(folder,), trajectory_every=7) == (
        f"--trajectory-every 7: no saved step of {folder} is a multiple; there are 5, 10, 15, 20",
    )
    assert faults_of("base=./base", trajectory_every=7) == (
        "--trajectory-every 7: belongs to --trajectory, which is not given",
    )


def test_steps_that_are_not_whole_are_told_of(trainer_output: Path, trainer_base: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trainer_output, tmp_path / "run")
    (folder / "checkpoint-6").mkdir()
    models = spec_of(f"base={trainer_base}", trajectory=(folder,)).models

    why = "it has no whole trainer_state.json, which is written last"
    assert left_out((folder,), models) == [f"{folder / 'checkpoint-6'} is left out: {why}"]
