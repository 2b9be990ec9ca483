from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.spec.draft import draft_spec
from mplus_eval.spec.model import ModelSpec

DEVICE_MAP = (
    "auto, balanced, balanced_low_0, sequential; or in a file modules, each with the number of a GPU, cpu or disk"
)
MAX_MEMORY = "numbers of GPUs and cpu, each with a size, as 0:20GiB+cpu:60GiB; or in a file {0: 20GiB, cpu: 60GiB}"


def model(**keys: Any) -> ModelSpec:
    return ModelSpec(name="m", source="./m", **keys)


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ("0:20GiB+cpu:60GiB", {0: 20 * 2**30, "cpu": 60 * 2**30}),
        ("{0: 1.5GB, cpu: 500 MiB}", {0: 1_500_000_000, "cpu": 500 * 2**20}),
        ({"0": "1kb", "cuda:1": 7}, {0: 1000, 1: 7}),
        (None, None),
    ],
)
def test_sizes_by_device_are_bytes(given: object, sizes: object) -> None:
    assert model(max_memory=given).max_memory == sizes


@pytest.mark.parametrize(
    "given", ["20GiB", "gpu:20GiB", "0:20", "0:-1GiB", "0:0GiB", "", {}, {0: True}, {"cpu": 0}, [1]]
)
def test_what_is_no_size_by_device_is_one_line(given: object) -> None:
    _, faults = draft_spec({"m": {"source": "./m", "max_memory": given}})
    assert faults == [f"model 'm': max_memory {given!r}: {MAX_MEMORY}"]


def test_places_are_a_strategy_or_a_place_for_every_module() -> None:
    assert model(device_map="balanced_low_0").device_map == "balanced_low_0"
    places = {"model.embed_tokens": 0, "model.layers": "cuda:1", "lm_head": "disk", "model.norm": "cpu"}
    assert model(device_map=places).device_map == {**places, "model.layers": 1}


@pytest.mark.parametrize("given", ["fancy", {"a": "gpu"}, {"a": -1}, {"a": True}, {}, {1: "cpu"}, ["cpu"]])
def test_what_is_no_place_is_one_line(given: object) -> None:
    _, faults = draft_spec({"m": {"source": "./m", "device_map": given}})
    assert faults == [f"model 'm': device_map {given!r}: {DEVICE_MAP}"]


def test_the_other_keys_name_what_they_accept() -> None:
    _, faults = draft_spec(["a=./a,tp_plan=on", "b=./b,attn_implementation=fast", "c=./c,max_length=0"])
    assert faults == [
        "model 'a': tp_plan 'on': auto",
        "model 'b': attn_implementation 'fast': input should be 'eager', 'sdpa', 'flash_attention_2', "
        "'flash_attention_3' or 'flex_attention'",
        "model 'c': max_length '0': input should be greater than 0",
    ]


def test_what_changes_numbers_is_a_component_where_it_is_given_and_placement_is_none() -> None:
    placed = model(device_map="auto", max_memory="cpu:1GiB", offload_folder="./x")
    assert placed.computing == model(tp_plan="auto").computing == model().computing == ""
    chosen = model(attn_implementation="eager", max_length=512)
    assert chosen.computing == "attn_implementation=eager max_length=512"
