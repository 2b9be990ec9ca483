from __future__ import annotations

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.executors import DEVICES_ACCEPTED, Place, device_faults, places
from tests.specs import build_spec


def devices_of(value: object) -> CompareSpec:
    return build_spec(["base=x"], options={"devices": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0,1,2,3", ("0", "1", "2", "3")),
        ("0+1, 2+3", ("0+1", "2+3")),
        ("cpu,cpu", ("cpu", "cpu")),
        ("cpu:0,cpu:1", ("cpu:0", "cpu:1")),
        (0, ("0",)),
        ([0, "1"], ("0", "1")),
    ],
)
def test_devices_are_numbers_groups_or_cpu(value: object, expected: tuple[str, ...]) -> None:
    assert devices_of(value).devices == expected


def test_a_group_has_all_of_its_gpus() -> None:
    assert places(("0+1", "cpu:3")) == [Place((0, 1)), Place(())]


@pytest.mark.parametrize(
    "value", ["", ",", "gpu", "0,x", "0+", "0+0", "-1", "cuda:0", "cpu+0", "99999", True, 1.5, [[0]]]
)
def test_other_devices_are_refused_in_one_line(value: object) -> None:
    with pytest.raises(SpecError) as caught:
        devices_of(value)
    (fault,) = caught.value.faults
    assert fault.startswith("--devices ")
    assert fault.endswith(DEVICES_ACCEPTED)


def test_an_executor_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(SpecError, match="--executor 'slurm': input should be 'local'"):
        build_spec(["base=x"], options={"executor": "slurm"})


def test_gpus_that_are_not_there_are_named() -> None:
    assert device_faults(("0", "3"), 2, {}, {}) == ["--devices 0,3: there is no GPU 3; GPUs 0 to 1 are here"]
    assert device_faults(("0",), 0, {}, {}) == ["--devices 0: there is no GPU 0; no GPU is here; cpu is accepted"]
    assert device_faults(("0+1", "cpu"), 2, {}, {}) == [
        "--devices 0+1,cpu: GPUs and cpu together would give a cell numbers by who came first"
    ]
    assert device_faults(("cpu", "cpu"), 0, {}, {}) == []


def test_a_model_with_a_device_of_its_own_contradicts_them() -> None:
    assert device_faults(("0",), 1, {"plus": "cuda:1"}, {}) == [
        "model 'plus': device=cuda:1 is given, and --devices too; one of them is accepted"
    ]


def test_a_model_over_more_devices_than_any_group_has_is_refused() -> None:
    assert device_faults(("0+1", "2"), 3, {}, {"small": 2, "large": 4}) == [
        "model 'large': it is split over 4 devices, and no group of --devices 0+1,2 has so many"
    ]
