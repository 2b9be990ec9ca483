from __future__ import annotations

import httpx
import pytest
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from mplus_eval.data.hub import is_hub_id, offline, reason, refused


@pytest.mark.parametrize("source", ["org/name", "EleutherAI/hendrycks_math", "org/name.v2"])
def test_an_id_of_the_hub_has_one_slash_in_its_middle(source: str) -> None:
    assert is_hub_id(source)


@pytest.mark.parametrize(
    "source",
    ["name", "./name", "../name", "/name", "~/name", "a/b/c", "demo:base", "demo:a/b", "pairs/train.jsonl", "a/b.csv"],
)
def test_paths_files_and_what_comes_with_the_package_are_none(source: str) -> None:
    assert not is_hub_id(source)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HF_HUB_OFFLINE", "1", True),
        ("TRANSFORMERS_OFFLINE", "true", True),
        ("HF_HUB_OFFLINE", "0", False),
        ("HF_HUB_OFFLINE", "", False),
    ],
)
def test_offline_is_what_the_users_environment_says(
    variable: str, value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    assert offline() is expected


def test_a_reason_is_one_short_line() -> None:
    assert reason(OSError("no\n  route " + "x" * 300)) == "no route " + "x" * 191
    assert reason(TimeoutError()) == "TimeoutError"


def answer(status: int) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("GET", "https://hub/api"))


@pytest.mark.parametrize(
    ("error", "dataset", "expected"),
    [
        (
            GatedRepoError("no", response=answer(401)),
            False,
            "is gated: accept its licence at https://huggingface.co/org/name and set HF_TOKEN to a token with access",
        ),
        (
            FileNotFoundError("Dataset 'org/name' is a gated dataset on the Hub."),
            True,
            "is gated: accept its licence at https://huggingface.co/datasets/org/name and set HF_TOKEN to a token with "
            "access",
        ),
        (
            HfHubHTTPError("no", response=answer(403)),
            True,
            "is refused by the hub (403): see https://huggingface.co/datasets/org/name, and set HF_TOKEN to a token "
            "that may read it",
        ),
        (HfHubHTTPError("no", response=answer(500)), True, None),
        # What a stranger is told of a repository that does not exist.
        (RepositoryNotFoundError("no", response=answer(401)), False, None),
        (ValueError("BuilderConfig 'x' not found"), True, None),
    ],
)
def test_who_is_kept_out_is_told_the_page(error: Exception, dataset: bool, expected: str | None) -> None:
    assert refused(error, "org/name", dataset=dataset) == expected
