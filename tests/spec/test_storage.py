from __future__ import annotations

import pytest

from mplus_eval.spec.storage import storage_faults


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "'': file:///FOLDER, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER is accepted"),
        ("./folder", "'./folder': file:///FOLDER"),
        ("http://host/x", "'http://host/x': file:///FOLDER"),
        ("simplecache::s3://bucket/x", "'simplecache::s3://bucket/x': file:///FOLDER"),
        ("s3://", "'s3://': file:///FOLDER"),
        ("s3://[bucket", "'s3://[bucket': file:///FOLDER"),
        ("file://folder/x", "'file://folder/x': a folder is named from the root"),
    ],
)
def test_an_address_that_is_none_is_one_line(url: str, said: str) -> None:
    (fault,) = storage_faults(url)
    assert fault.startswith(f"--storage {said}")


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:hunter2@bucket/run",
        "s3://hunter2@bucket/run",
        "s3://bucket/run?X-Amz-Signature=hunter2",
        "user:hunter2@s3://bucket/run",
        "https://user:hunter2@host/run",
        "user:hunter2@host/run",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    (fault,) = storage_faults(url)
    assert "hunter2" not in fault


def test_a_kind_whose_package_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.spec.storage.find_spec", lambda _: None)
    assert storage_faults("gs://bucket/run") == [
        "--storage 'gs://bucket/run': needs the package gcsfs: pip install 'mplus-eval[gcs]'"
    ]
