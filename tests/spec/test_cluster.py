from __future__ import annotations

import pytest

from mplus_eval.spec.draft import draft_spec


def faults(**options: object) -> list[str]:
    return draft_spec(["base=./base"], options=options)[1]


@pytest.mark.parametrize(
    "address", ["ray://head:10001", "head", "me:secret@head:6379", "head:6379 ", "", "http://head:1"]
)
def test_an_address_that_is_none_is_one_line(address: str) -> None:
    (fault,) = faults(executor="ray", address=address)
    assert fault.startswith(f"--address {address!r}: HOST:PORT of the cluster's head")


@pytest.mark.parametrize("address", ["auto", "head:6379", "10.0.0.1:6379", None])
def test_an_address_is_a_host_and_a_port_or_found(address: str | None) -> None:
    assert faults(executor="ray", address=address) == []


@pytest.mark.parametrize(
    ("option", "value"), [("address", "auto"), ("gpus_per_model", 0.5), ("cpus_per_model", 2), ("gpus_per_model", 1)]
)
def test_what_only_a_cluster_has_is_refused_without_one(option: str, value: object) -> None:
    (fault,) = faults(**{option: value})
    assert fault.endswith("belongs to --executor ray")


@pytest.mark.parametrize(
    ("value", "n_faults"), [(0.25, 0), (1, 0), (4, 0), (1.5, 1), (0, 1), (True, 1), (float("nan"), 1)]
)
def test_a_worker_has_whole_gpus_or_a_part_of_one(value: float, n_faults: int) -> None:
    assert len(faults(executor="ray", gpus_per_model=value)) == n_faults


def test_devices_of_this_machine_are_no_matter_to_a_cluster() -> None:
    assert faults(executor="ray", devices="cpu,cpu") == [
        "--devices cpu,cpu: not with --executor ray, whose nodes say what they have"
    ]


def test_missing_ray_is_told_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.spec.cluster.find_spec", lambda _: None)
    assert faults(executor="ray") == ["--executor ray: needs the package ray: pip install 'mplus-eval[ray]'"]


def test_a_storage_that_cannot_be_is_among_the_faults() -> None:
    assert faults(storage="s3://key:hunter2@bucket/x") == [
        "--storage 's3://bucket/x': a user, a password or a query was given with it; "
        "file:///FOLDER, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER is accepted, "
        "and credentials are read from the environment"
    ]
