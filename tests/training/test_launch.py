from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.training.launch import accelerate_config, environment_outside_the_group, relaunch
from mplus_eval.training.recipe import Recipe

ARGUMENTS = ["all", "--config", "own.yaml"]


def recipe(device: str = "auto", **launch: object) -> Recipe:
    sft = {"sft": {"data": [{"source": "demo:narrow"}], "learning_rate": 1e-5}}
    return Recipe.model_validate(
        {"base": "demo:base", "output": "runs/x", "device": device, "sft": sft, "launch": launch}
    )


def test_one_process_starts_nothing() -> None:
    assert relaunch(recipe(), ARGUMENTS) is None


def test_a_process_of_a_group_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert relaunch(recipe(processes=2), ARGUMENTS) is None


def test_processors_are_grouped_by_torch_and_gpus_by_accelerate() -> None:
    on_cpu = relaunch(recipe("cpu", processes=2), ARGUMENTS)
    assert on_cpu is not None
    assert on_cpu[1:] == [
        "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "mplus_eval", "train", *ARGUMENTS
    ]  # fmt: skip
    on_gpu = relaunch(recipe(processes=8, accelerate="fsdp2"), ARGUMENTS)
    assert on_gpu is not None
    assert on_gpu[1:3] == ["-m", "accelerate.commands.launch"]
    assert on_gpu[on_gpu.index("--num_processes") + 1] == "8"
    assert Path(on_gpu[on_gpu.index("--config_file") + 1]).is_file()
    assert on_gpu[-3 - len(ARGUMENTS) :][:3] == ["-m", "mplus_eval", "train"]


def test_several_machines_need_to_know_which_one_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="2 machines: set MACHINE_RANK, MAIN_PROCESS_IP, MAIN_PROCESS_PORT"):
        relaunch(recipe(processes=8, machines=2), ARGUMENTS)
    for name, value in (("MACHINE_RANK", "1"), ("MAIN_PROCESS_IP", "10.0.0.1"), ("MAIN_PROCESS_PORT", "29500")):
        monkeypatch.setenv(name, value)
    command = relaunch(recipe(processes=8, machines=2), ARGUMENTS)
    assert command is not None
    assert command[command.index("--num_processes") + 1] == "16"
    assert command[command.index("--machine_rank") + 1] == "1"


def test_an_unknown_configuration_is_refused_with_those_that_ship() -> None:
    with pytest.raises(SpecError, match=r"no such file, and no shipped configuration \(.*fsdp2, zero3\)"):
        accelerate_config("zero9")


def test_a_process_outside_the_group_does_not_hear_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("MPLUS_EVAL_DATA", "data")
    found = environment_outside_the_group()
    assert found["MPLUS_EVAL_DATA"] == "data"
    assert not {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"} & set(found)


@pytest.mark.parametrize("name", ["fsdp2", "fsdp2-multinode", "zero3"])
def test_accelerate_reads_the_shipped_configurations(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    path = accelerate_config(name)
    config = load_config_from_file(str(path))
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert config.distributed_type.value == document["distributed_type"]
    assert config.num_processes == 8 * config.num_machines
    assert config.mixed_precision == "bf16"
