from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import huggingface_hub
import pytest
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from mplus_eval.errors import SpecError
from mplus_eval.models.hub import (
    cached_directory,
    checkpoint_files,
    fetch,
    hub_faults,
    hub_tokenizer_faults,
    tokenizer_files,
)
from mplus_eval.models.locations import model_faults, resolve_source
from mplus_eval.spec.model import ModelSpec
from tests.conftest import TinyModel
from tests.hub_stand_in import HubStandIn, serve_hub

WHOLE = ["config.json", "model.safetensors", "tokenizer.json"]


class FakeHub:
    """A hub that holds one repository, or answers with an error."""

    def __init__(self, files: Any = (), error: Exception | None = None, gated_error: Exception | None = None) -> None:
        self.files, self.error, self.gated_error = files, error, gated_error
        self.fetched: list[str] = []

    def __call__(self) -> FakeHub:
        return self

    def model_info(self, _source: str, **_: Any) -> Any:
        if self.error is not None:
            raise self.error
        siblings = [SimpleNamespace(rfilename=name, size=10**6) for name in self.files]
        return SimpleNamespace(siblings=siblings, gated="manual" if self.gated_error else False)

    def auth_check(self, _source: str) -> None:
        if self.gated_error is not None:
            raise self.gated_error


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a fake in the place of the hub, which is then not offline."""

    def put(*arguments: Any, **options: Any) -> FakeHub:
        hub = FakeHub(*arguments, **options)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr(huggingface_hub, "HfApi", hub)
        return hub

    return put


def response(status: int) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("GET", "https://hub/api"))


def faults(source: str = "org/name", **keys: Any) -> list[str]:
    return hub_faults(ModelSpec(name="m", source=source, **keys), "model 'm'")


@pytest.fixture
def cached(tiny_model: TinyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with one whole repository, org/cached."""
    repository = tmp_path / "models--org--cached"
    snapshot = repository / "snapshots" / "0123abcd"
    shutil.copytree(tiny_model(), snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abcd")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    lookup = huggingface_hub.try_to_load_from_cache

    def in_this_cache(*arguments: Any, **options: Any) -> Any:
        return lookup(*arguments, cache_dir=tmp_path, **options)

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", in_this_cache)
    return snapshot


def test_a_whole_repository_has_no_fault(online: Any) -> None:
    online(WHOLE)
    assert faults() == []


def test_offline_and_not_cached() -> None:
    assert faults() == [
        "model 'm': org/name is no directory here and not whole in the hub's cache, and "
        "HF_HUB_OFFLINE is set: unset it, or give a directory"
    ]


def test_offline_and_cached(cached: Path) -> None:
    assert cached_directory("org/cached", None, ["config.json"]) == cached
    assert faults("org/cached") == []
    assert hub_tokenizer_faults("org/cached", "model 'm'") == []


def test_offline_and_half_cached_says_what_is_lacking(cached: Path) -> None:
    (cached / "model.safetensors").unlink()
    assert faults("org/cached") == [f"model 'm': {cached} has no weights (model.safetensors or its shards)"]


def test_a_gated_repository_without_access(online: Any) -> None:
    online(WHOLE, gated_error=GatedRepoError("no", response=response(403)))
    expected = (
        "model 'm': org/name is gated: accept its licence at https://huggingface.co/org/name and set HF_TOKEN to a "
        "token with access, or give a directory that holds it"
    )
    assert faults() == [expected]
    online(error=GatedRepoError("no", response=response(401)))
    assert faults() == [expected]


def test_a_token_without_the_right_is_told_the_page(online: Any) -> None:
    online(error=HfHubHTTPError("no", response=response(403)))
    assert faults() == [
        "model 'm': org/name is refused by the hub (403): see https://huggingface.co/org/name, and set HF_TOKEN to a "
        "token that may read it, or give a directory that holds it"
    ]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RepositoryNotFoundError("no", response=response(404)),
            "no model on the hub (when it is private, set HF_TOKEN)",
        ),
        (RevisionNotFoundError("no", response=response(404)), "org/name has no revision 'v2'"),
        (httpx.ConnectError("no route to host"), "the hub cannot be reached (no route to host): give a directory"),
        (HfHubHTTPError("server error", response=response(500)), "the hub cannot be reached (server error"),
    ],
)
def test_what_the_hub_answers_is_one_line(online: Any, error: Exception, words: str) -> None:
    online(error=error)
    (line,) = faults(revision="v2")
    assert words in line
    assert "\n" not in line


def test_an_unreachable_hub_does_not_matter_when_the_cache_is_whole(online: Any, cached: Path) -> None:
    online(error=httpx.ConnectError("no route to host"))
    assert faults("org/cached") == []


@pytest.mark.parametrize("source", ["a b/c", "org/na--me", "-/-"])
def test_what_cannot_be_a_repository(online: Any, source: str) -> None:
    from huggingface_hub.errors import HFValidationError

    online(error=HFValidationError("no"))
    expected = f"model 'm': {source} is no directory here, and cannot be a model on the hub, where names are org/name"
    assert faults(source) == [expected]


def test_gguf_files_of_a_repository_are_named_or_the_only_one(online: Any) -> None:
    online(["README.md", "m-Q4_K_M.gguf", "mmproj-f16.gguf"])
    assert faults() == []
    online(["m-Q8_0.gguf", "m-Q4_K_M.gguf", "config.json"])
    assert faults() == [
        "model 'm': org/name on the hub holds 2 GGUF files; say which with file=NAME: m-Q4_K_M.gguf, m-Q8_0.gguf"
    ]
    assert faults(file="m-Q8_0.gguf") == []
    assert "has no file 'other.gguf'" in faults(file="other.gguf")[0]


def test_pickled_weights_of_a_repository_are_read_where_that_is_allowed(online: Any) -> None:
    online(["config.json", "pytorch_model.bin", "tokenizer.json"])
    (line,) = faults()
    assert line.startswith("model 'm': org/name's pytorch_model.bin is a pickle, which may run code: allow_bin=true")
    assert faults(allow_bin=True) == []
    online(["adapter_config.json", "adapter_model.bin"])
    assert "adapter_model.bin is a pickle" in faults()[0]
    assert faults(allow_bin=True) == []


def test_mistrals_own_tokenizer_on_the_hub_names_its_package(online: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.utils.import_utils.is_mistral_common_available", lambda: False)
    online(["config.json", "model.safetensors", "tekken.json"])
    assert "pip install 'mistral-common[image]'" in faults()[0]
    assert faults(tokenizer="org/other") == []


def test_a_repository_without_weights_or_tokenizer(online: Any) -> None:
    online(["config.json", "tokenizer.json", "consolidated.pth"])
    assert faults() == ["model 'm': org/name on the hub has no weights (safetensors)"]
    online(["config.json", "model.safetensors"])
    assert faults() == ["model 'm': org/name on the hub has no tokenizer; name one with tokenizer=SOURCE"]


def test_weights_are_taken_once_and_only_those_that_are_read() -> None:
    names = [*WHOLE, "pytorch_model.bin", "consolidated.safetensors", "original/model.safetensors", "x.gguf"]
    assert sorted(checkpoint_files(names)) == sorted(WHOLE)
    assert checkpoint_files(["pytorch_model.bin", "training_args.bin"]) == ["pytorch_model.bin"]


def test_a_tokenizer_comes_without_weights() -> None:
    assert tokenizer_files([*WHOLE, "chat_template.jinja"]) == ["config.json", "tokenizer.json", "chat_template.jinja"]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """A stand-in with one model, org/name, of which some files make a checkpoint; and an empty cache."""
    from huggingface_hub import constants

    folder = tmp_path / "hub" / "org" / "name"
    folder.mkdir(parents=True)
    for name, size in (("config.json", 10), ("model.safetensors", 3_000_000), ("notes.md", 10), ("x.gguf", 10)):
        (folder / name).write_bytes(b"x" * size)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with serve_hub(tmp_path / "hub") as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        yield hub


def test_only_the_files_of_a_checkpoint_are_fetched(served: HubStandIn) -> None:
    directory = fetch("org/name", None, checkpoint_files)

    assert sorted(path.name for path in directory.iterdir()) == ["config.json", "model.safetensors"]
    assert sorted(served.downloaded) == ["org/name/config.json", "org/name/model.safetensors"]


def test_what_is_in_the_cache_is_not_fetched_again(served: HubStandIn) -> None:
    directory = fetch("org/name", None, checkpoint_files)
    served.downloaded.clear()

    assert fetch("org/name", None, checkpoint_files) == directory
    assert served.downloaded == []


def test_what_was_fetched_is_found_offline_though_other_files_were_not(
    served: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = fetch("org/name", None, checkpoint_files)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    assert fetch("org/name", None, checkpoint_files) == directory
    with pytest.raises(SpecError, match="org/other cannot be downloaded from the hub"):
        fetch("org/other", None, checkpoint_files)


def test_a_download_tells_how_far_it_is(served: HubStandIn) -> None:
    served.seconds_per_megabyte = 0.3
    told: list[tuple[str, int, int]] = []
    fetch("org/name", None, checkpoint_files, lambda *step: told.append(step))

    assert told[0] == ("downloading org/name, megabytes", 0, 3)
    assert {(what, total) for what, _, total in told} == {("downloading org/name, megabytes", 3)}
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert len(told) > 2


def test_a_download_that_is_interrupted_stops_in_the_middle_of_a_file(served: HubStandIn, tmp_path: Path) -> None:
    (served.root / "org" / "name" / "model.safetensors").write_bytes(b"x" * 40_000_000)
    served.seconds_per_megabyte = 0.03

    def interrupt(_what: str, done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("org/name", None, checkpoint_files, interrupt)
    assert not list((tmp_path / "cache").rglob("model.safetensors"))


def test_a_download_that_fails_is_one_line(online: Any) -> None:
    online(error=HfHubHTTPError("server\nerror", response=response(500)))
    with pytest.raises(SpecError, match=r"^org/name cannot be downloaded from the hub \(server error"):
        fetch("org/name", None, checkpoint_files)
    online(error=GatedRepoError("no", response=response(403)))
    with pytest.raises(SpecError, match=r"^org/name is gated: accept its licence at https://huggingface.co/org/name "):
        fetch("org/name", None, checkpoint_files)


def test_a_cached_model_is_resolved_without_the_network(cached: Path) -> None:
    model = ModelSpec(name="m", source="org/cached")
    assert model_faults(model, "hf") == []
    directory = resolve_source(model, "hf").path
    assert directory is not None
    assert (directory / "model.safetensors").read_bytes() == (cached / "model.safetensors").read_bytes()
