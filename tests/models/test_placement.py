from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, GPT2Config, LlamaConfig

from mplus_eval.models.contents import content_faults
from mplus_eval.models.locations import model_faults, resolve_source
from mplus_eval.models.placement import configured_faults, group_faults, placement_faults
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.draft import draft_spec
from mplus_eval.spec.model import ModelSpec
from tests.conftest import TinyModel
from tests.tiny_models import build_adapter


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process on a machine without GPUs, whatever this one has."""
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)


def faults(**keys: Any) -> list[str]:
    return placement_faults(ModelSpec(name="m", source="./m", **keys), "model 'm'")


def torchrun(monkeypatch: pytest.MonkeyPatch, *, rank: int = 0, size: int = 2) -> None:
    """What torchrun says to a process that it starts."""
    for name, value in {"TORCHELASTIC_RUN_ID": "test", "RANK": rank, "WORLD_SIZE": size}.items():
        monkeypatch.setenv(name, str(value))


def configured(config: Any, **keys: Any) -> list[str]:
    return configured_faults(ModelSpec(name="m", source="./m", **keys), config, "model 'm'")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"device": "cpu", "device_map": "auto"}, "device and device_map each say where the model lies; one of them"),
        ({"max_memory": "cpu:1GiB"}, "max_memory belongs to device_map, which is not given; device_map=auto is usual"),
        ({"offload_folder": "./x"}, "offload_folder belongs to device_map"),
        ({"device_map": {"a": "cpu"}, "max_memory": "cpu:1GiB"}, "max_memory says nothing where device_map names"),
        ({"device_map": {"a": 0, "b": 3}, "max_memory": None}, "there is no GPU 0 here; here: none"),
        ({"device_map": "auto", "max_memory": "1:1GiB"}, "there is no GPU 1 here; here: none"),
        ({"attn_implementation": "flash_attention_3"}, "needs the module flash_attn_interface, which is not installed"),
        ({"device_map": {"a": "cpu", "b": "disk"}, "adapter": "./x"}, "an adapter goes on a base whose parts all lie"),
        ({"tp_plan": "auto"}, "tp_plan splits it over processes that torchrun starts: torchrun --nproc-per-node N"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_loaded(keys: dict[str, Any], line: str) -> None:
    found = faults(**keys)
    assert found
    assert found[0].startswith(f"model 'm': {line}") or line in found[0]


def test_gpus_that_are_here_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert faults(device_map={"a": 0, "b": 1, "c": "disk"}) == []
    assert faults(device_map="auto", max_memory="0:20GiB+1:20GiB+cpu:60GiB") == []
    assert faults(device_map={"a": 2}) == ["model 'm': there is no GPU 2 here; here: 0, 1"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (line,) = faults(device_map="auto", offload_folder=str(tmp_path / "file"))
    assert line.endswith("is no folder; one that is there or can be made is accepted")
    assert faults(device_map="auto", offload_folder=str(tmp_path / "new")) == []


@pytest.mark.parametrize("backend", ["vllm", "openai"])
def test_another_backend_refuses_each_by_name(backend: str, tiny_model: TinyModel) -> None:
    source = "http://127.0.0.1:1/v1" if backend == "openai" else str(tiny_model())
    keys: dict[str, Any] = {"device_map": "auto", "max_memory": "cpu:1GiB", "tp_plan": "auto", "offload_folder": "x"}
    found = model_faults(ModelSpec(name="m", source=source, attn_implementation="sdpa", **keys), backend)
    for key in (*keys, "attn_implementation"):
        assert sum(key in line for line in found) == 1


def test_a_process_that_torchrun_started_asks_where_it_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun(monkeypatch, rank=0)
    assert faults(tp_plan="auto") == []
    assert "merge the adapter" in faults(tp_plan="auto", adapter="./x")[0]
    assert "leave quantization out" in faults(tp_plan="auto", quantization="4bit")[0]
    torchrun(monkeypatch, rank=1)
    assert "process 1 follows process 0" in faults(tp_plan="auto")[0]


def test_among_several_processes_every_model_that_is_loaded_here_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, _ = draft_spec(["a=./a,tp_plan=auto", "b=./b", "c=http://h:1/v1"])
    assert isinstance(spec, CompareSpec)
    assert group_faults(spec) == []
    torchrun(monkeypatch, size=2)
    (line,) = group_faults(spec)
    assert line.startswith("model 'b': torchrun started several processes")


@pytest.mark.parametrize(
    ("options", "named"), [({"devices": "0,1"}, "--devices"), ({"executor": "shared"}, "--executor shared")]
)
def test_among_several_processes_there_are_no_workers(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, str], named: str
) -> None:
    spec, _ = draft_spec(["a=./a,tp_plan=auto"], None, options)
    torchrun(monkeypatch, size=2)
    (line,) = group_faults(spec)
    assert line.startswith(f"{named}: torchrun has started processes already")


def test_a_length_has_a_position_for_every_token(tiny_model: TinyModel) -> None:
    config = AutoConfig.from_pretrained(tiny_model(context=64))
    assert configured(config, max_length=64) == []
    assert configured(config, max_length=65) == ["model 'm': max_length 65: at most its 64 positions are accepted"]
    assert configured(GPT2Config(n_positions=32), max_length=33)
    model = ModelSpec(name="m", source=str(tiny_model(context=64)), max_length=65)
    assert len(content_faults(model, resolve_source(model, "hf"), talks=False)) == 1


def test_processes_share_the_heads_of_a_model_that_has_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    config = LlamaConfig(num_attention_heads=8, num_key_value_heads=4)
    for size, fits in ((2, True), (4, True), (3, False), (8, False)):
        torchrun(monkeypatch, size=size)
        assert (configured(config, tp_plan="auto") == []) is fits
    assert "transformers has no plan for gpt2" in configured(GPT2Config(), tp_plan="auto")[0]


def test_an_adapter_may_lie_on_a_base_in_one_place(tiny_model: TinyModel, tmp_path: Path) -> None:
    adapter = build_adapter(tmp_path, tiny_model())
    for places, fits in (({"": "cpu"}, True), ({"a": "cpu", "b": "disk"}, False)):
        model = ModelSpec(name="m", source=str(adapter), device_map=places)
        assert (placement_faults(model, "model 'm'") == []) is fits
