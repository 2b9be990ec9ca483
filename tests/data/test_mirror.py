from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability.items import load_tasks
from mplus_eval.data.mirror import WantedDataset, fetch
from mplus_eval.errors import UsageError
from mplus_eval.spec.suite import SuiteTask
from tests.hub_stand_in import HubStandIn, serve_hub
from tests.task_files import CHOICE, write_rows, write_task

CARD = """---
configs:
- config_name: easy
  data_files:
  - split: test
    path: "easy/rows*"
  - split: train
    path: "easy/examples*"
- config_name: hard
  data_files:
  - split: test
    path: "hard/rows*"
---
"""
TASK: dict[str, Any] = CHOICE | {"dataset_path": "org/sums", "dataset_name": "easy", "dataset_kwargs": None}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """A stand-in with one dataset of two configurations, a script and a picture."""
    from huggingface_hub import constants

    folder = tmp_path / "hub" / "org" / "sums"
    write_rows(folder / "easy")
    write_rows(folder / "hard")
    (folder / "README.md").write_text(CARD)
    (folder / "sums.py").write_text("raise RuntimeError")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with serve_hub(tmp_path / "hub") as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
def tasks_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    write_task(folder, "sums", TASK)
    return folder


def fetched(wanted: list[WantedDataset], to: Path) -> set[str]:
    fetch(wanted, to, lambda dataset, number: None)
    paths = (path.relative_to(to) for path in to.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if ".cache" not in path.parts}


def test_what_was_fetched_can_be_loaded(
    hub: HubStandIn, tasks_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [SuiteTask(name="sums", lm_eval="sums", shots=1)]
    fetched([WantedDataset("org/sums", ("easy",))], tmp_path / "mirror")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (task,) = load_tasks(tasks, data_dir=tmp_path / "mirror", tasks_dir=tasks_dir)
    assert task.subtasks[0].n_docs == 6


def test_only_the_configuration_in_use_is_fetched(hub: HubStandIn, tmp_path: Path) -> None:
    assert fetched([WantedDataset("org/sums", ("easy",))], tmp_path / "mirror") == {
        "org/sums/README.md",
        "org/sums/easy/rows.jsonl",
        "org/sums/easy/examples.jsonl",
    }


def test_the_default_configuration_is_the_first_when_none_is_marked(hub: HubStandIn, tmp_path: Path) -> None:
    assert "org/sums/hard/rows.jsonl" not in fetched([WantedDataset("org/sums", ("",))], tmp_path / "mirror")


@pytest.mark.parametrize(
    ("configs", "files"),
    [
        ("[{config_name: a, data_files: easy/rows.jsonl}]", {"easy/rows.jsonl"}),
        ("[{config_name: a, data_files: [./easy/rows*, hard/rows*]}]", {"easy/rows.jsonl", "hard/rows.jsonl"}),
        ("[{config_name: a, data_dir: hard}]", {"hard/rows.jsonl", "hard/examples.jsonl"}),
        ("[{config_name: a, data_dir: easy/, data_files: rows*}]", {"easy/rows.jsonl"}),
        ("[{config_name: a, data_files: [{split: test, path: ['**/rows*']}]}]", {"easy/rows.jsonl", "hard/rows.jsonl"}),
        (
            "[{config_name: a, data_files: easy/rows*}, {config_name: b, data_files: hard/rows*, default: true}]",
            {"hard/rows.jsonl"},
        ),
        (
            "[{config_name: a, data_files: easy/rows*}, {config_name: default, data_files: hard/examples*}]",
            {"hard/examples.jsonl"},
        ),
    ],
)
def test_the_card_says_which_files_are_the_default_configuration(
    hub: HubStandIn, tmp_path: Path, configs: str, files: set[str]
) -> None:
    (tmp_path / "hub" / "org" / "sums" / "README.md").write_text(f"---\nconfigs: {configs}\n---\n")
    assert fetched([WantedDataset("org/sums", ("",))], tmp_path / "mirror") == {
        "org/sums/README.md",
        *(f"org/sums/{file}" for file in files),
    }


@pytest.mark.parametrize("card", [None, "no metadata", CARD.replace("easy", "other"), "---\nconfigs: {a: 1}\n---\n"])
def test_all_data_but_no_script_is_fetched_where_the_card_does_not_help(
    hub: HubStandIn, tmp_path: Path, card: str | None
) -> None:
    readme = tmp_path / "hub" / "org" / "sums" / "README.md"
    readme.unlink() if card is None else readme.write_text(card)
    files = fetched([WantedDataset("org/sums", ("easy",))], tmp_path / "mirror")
    assert {"org/sums/easy/rows.jsonl", "org/sums/hard/rows.jsonl"} <= files
    assert not files & {"org/sums/sums.py", "org/sums/picture.png"}


def test_what_is_there_is_not_fetched_again(hub: HubStandIn, tmp_path: Path) -> None:
    wanted = [WantedDataset("org/sums", ("easy",))]
    fetched(wanted, tmp_path / "mirror")
    (tmp_path / "mirror" / "org" / "sums" / "easy" / "rows.jsonl").unlink()
    hub.downloaded.clear()
    fetched(wanted, tmp_path / "mirror")
    assert hub.downloaded == ["org/sums/easy/rows.jsonl"]


def test_the_token_of_the_environment_is_used(hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetched([WantedDataset("org/sums", ("easy",))], tmp_path / "mirror")
    assert "Bearer hf_secret" in hub.tokens


def test_a_gated_dataset_is_named_with_its_licence(hub: HubStandIn, tmp_path: Path) -> None:
    hub.gated.add("org/sums")
    with pytest.raises(UsageError) as caught:
        fetched([WantedDataset("org/sums", ("easy",))], tmp_path / "mirror")
    assert str(caught.value) == (
        "dataset org/sums is gated: accept its licence at https://huggingface.co/datasets/org/sums and set HF_TOKEN to "
        "a token with access, or fetch other tasks alone with --tasks"
    )


def test_each_dataset_is_announced(hub: HubStandIn, tmp_path: Path) -> None:
    announced: list[tuple[str, int]] = []
    wanted = [WantedDataset("org/sums", ("easy",)), WantedDataset("org/sums", ("hard",))]
    fetch(wanted, tmp_path / "mirror", lambda dataset, number: announced.append((dataset.identifier, number)))
    assert announced == [("org/sums", 0), ("org/sums", 1)]


def test_a_dataset_that_the_hub_lacks_is_one_line(hub: HubStandIn, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"dataset org/absent: http.* has no such dataset \(when it is private, set HF_TOKEN\)"
    ):
        fetched([WantedDataset("org/absent", ("",))], tmp_path / "mirror")


def test_an_unreachable_hub_is_one_line(hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UsageError, match=r"dataset org/sums: http://127\.0\.0\.1:9 cannot be reached") as caught:
        fetched([WantedDataset("org/sums", ("easy",))], tmp_path / "mirror")
    assert "\n" not in str(caught.value)


def test_an_unreachable_hub_is_not_taken_for_a_whole_mirror(
    hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [WantedDataset("org/sums", ("easy",))]
    fetched(wanted, tmp_path / "mirror")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UsageError, match="cannot be reached"):
        fetched(wanted, tmp_path / "mirror")


def test_nothing_is_fetched_while_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE is set"):
        fetched([WantedDataset("org/sums", ("easy",))], tmp_path / "mirror")
    assert not (tmp_path / "mirror").exists()
