"""What is pushed to the hub: the report alone, without items and local paths; where to; and refusals in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import DatasetCard, HfApi, RepoCard
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from mplus_eval import cli
from mplus_eval.errors import UsageError
from mplus_eval.exports import StoredRun
from mplus_eval.exports.hub import Target, push
from mplus_eval.records.comparison import Comparison
from tests.exports.runs import PATHS, every_axis, write_every_axis

TOKEN = "hf_not_a_real_token"
SPACE = Target("space", "org/report")


class Hub:
    """What was asked of the hub's API, and the files that were handed to it."""

    def __init__(self) -> None:
        self.repositories: list[tuple[str, dict[str, Any]]] = []
        self.files: dict[str, bytes] = {}
        self.error: Exception | None = None

    def create_repo(self, _api: HfApi, repo_id: str, **options: Any) -> None:
        if self.error is not None:
            raise self.error
        self.repositories.append((repo_id, options))

    def upload_folder(self, _api: HfApi, *, repo_id: str, folder_path: Path, **_options: Any) -> None:
        self.files = {
            path.relative_to(folder_path).as_posix(): path.read_bytes()
            for path in folder_path.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    monkeypatch.setattr(HfApi, "create_repo", lambda api, *given, **options: hub.create_repo(api, *given, **options))
    monkeypatch.setattr(HfApi, "upload_folder", lambda api, **options: hub.upload_folder(api, **options))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub


def test_a_space_has_the_report_as_its_page(run: StoredRun, hub: Hub) -> None:
    files = push(run, SPACE)
    assert hub.repositories == [
        ("org/report", {"repo_type": "space", "private": True, "exist_ok": True, "space_sdk": "static"})
    ]
    assert set(hub.files) == {each.path for each in files}
    assert {name for name in hub.files if not name.startswith("figures/")} == {
        "README.md", "comparison.json", "index.html", "manifest.json", "report.md",
    }  # fmt: skip
    card = RepoCard(hub.files["README.md"].decode()).data.to_dict()
    assert (card["sdk"], card["app_file"]) == ("static", "index.html")
    assert hub.files["index.html"].startswith(b"<!doctype html>")


def test_a_dataset_has_a_card_and_the_report_by_its_name(run: StoredRun, hub: Hub) -> None:
    push(run, Target("dataset", "org/report"))
    assert hub.repositories[0][1]["space_sdk"] is None
    assert "report.html" in hub.files
    assert DatasetCard(hub.files["README.md"].decode()).data.tags == ["evaluation", "mplus-eval"]


def test_no_item_no_local_path_and_no_token_is_pushed(tmp_path: Path, hub: Hub) -> None:
    directory = write_every_axis(tmp_path / "run")
    comparison = every_axis()
    missing = comparison.missing[0].model_copy(update={"cause": "OSError in /home/jo/secret/config.json"})
    comparison.model_copy(update={"missing": (missing,)}).write(directory / "comparison.json")
    push(StoredRun.read(directory), SPACE)
    whole = b"\n".join(hub.files.values()).decode()
    assert not any(path in whole for path in (*PATHS, "/home/jo", "secret runs", str(tmp_path), TOKEN))
    assert "how many plums" not in whole
    assert "mplus-eval compare base=" not in whole
    assert "OSError in config.json" in whole


def test_figures_and_verdicts_are_those_of_the_run(run: StoredRun, hub: Hub, tmp_path: Path) -> None:
    push(run, SPACE)
    path = tmp_path / "comparison.json"
    path.write_bytes(hub.files["comparison.json"])
    pushed = Comparison.read(path)
    assert pushed.tasks == run.comparison.tasks
    assert pushed.summary == run.comparison.summary
    assert pushed.models["plus"].source == "plus"
    assert pushed.models["base"].source == "example/base-7b"


def test_a_dry_run_asks_no_network_and_names_what_would_go(
    run_directory: Path, hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.error = AssertionError("the network was asked")
    assert cli.run(["report", str(run_directory), "--push", "space:org/report", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Would upload to space org/report (https://huggingface.co/spaces/org/report)")
    assert "  index.html  " in out
    assert "  comparison.json  " in out
    assert TOKEN not in out


@pytest.mark.parametrize(
    "target", ["org/report", "model:org/report", "space:report", "space:../x", "dataset:a/b/c", "x"]
)
def test_another_form_of_target_is_refused(
    target: str, run_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["report", str(run_directory), "--push", target, "--dry-run"]) == 2
    assert "dataset:org/name or space:org/name is accepted" in capsys.readouterr().err


def test_without_network_it_is_refused_before_anything(
    run: StoredRun, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE is set"):
        push(run, SPACE)
    assert not hub.repositories


def test_a_refusal_of_the_hub_is_one_line(run: StoredRun, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    # The page is drawn before anybody is asked, and does not change what a refusal says.
    monkeypatch.setattr("mplus_eval.exports.hub.write_report", lambda folder: (folder / "report.html").touch())
    request = httpx.Request("POST", "https://huggingface.co/api/repos/create")
    for error, words in (
        (HfHubHTTPError("no", response=httpx.Response(403, request=request)), "is refused by the hub (403)"),
        (HfHubHTTPError("broken", response=httpx.Response(500, request=request)), "cannot be written"),
        (httpx.ConnectError("no route"), "cannot be written: no route"),
        (LocalTokenNotFoundError("none"), "set HF_TOKEN"),
    ):
        hub.error = error
        with pytest.raises(UsageError) as refusal:
            push(run, SPACE)
        assert words in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_dry_run_alone_is_refused(run_directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["report", str(run_directory), "--dry-run"]) == 2
    assert "--dry-run goes with --push" in capsys.readouterr().err


def test_a_card_names_the_page_that_is_pushed_with_it(
    run_directory: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--push", "space:org/report", "--dry-run", "--model-card", "plus"]
    assert cli.run(["report", str(run_directory), *given]) == 0
    captured = capsys.readouterr()
    assert "url: https://huggingface.co/spaces/org/report" in captured.out
    assert "Would upload" in captured.err
