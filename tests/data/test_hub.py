from __future__ import annotations

import pytest

from mplus_eval.data.hub import is_hub_id, offline, reason


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
