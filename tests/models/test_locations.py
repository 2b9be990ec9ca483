from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.demo import BASE
from mplus_eval.errors import SpecError
from mplus_eval.models.gguf_checkpoint import laid_out
from mplus_eval.models.locations import demo_names, kind_of, lies_here, model_faults, resolve_source
from mplus_eval.spec.model import ModelSpec
from tests.conftest import TinyModel
from tests.gguf_files import write_gguf
from tests.server import CompletionServer, serving
from tests.tiny_models import build_adapter


def faults(source: str | Path, backend: str = "hf", **keys: Any) -> list[str]:
    return model_faults(ModelSpec(name="m", source=str(source), **keys), backend)


def only_fault(source: str | Path, backend: str = "hf", **keys: Any) -> str:
    (line,) = faults(source, backend, **keys)
    assert line.startswith("model 'm': ")
    assert "\n" not in line
    return line.removeprefix("model 'm': ")


@pytest.fixture
def checkpoint(tiny_model: TinyModel, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(tiny_model(), tmp_path / "checkpoint"))


def test_a_missing_directory(tmp_path: Path) -> None:
    assert only_fault(tmp_path / "none") == f"no such directory: {tmp_path / 'none'}"
    assert only_fault("gpt2") == "no such directory: gpt2; a hub id is written org/name"


def test_a_separate_tokenizer_that_is_missing(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert only_fault(checkpoint, tokenizer=str(path)) == f"tokenizer: no such directory: {path}"
    assert "tokenizer: org/name is no directory here" in only_fault(checkpoint, tokenizer="org/name")


def test_a_whole_checkpoint_has_no_fault(checkpoint: Path) -> None:
    assert faults(checkpoint) == []


def test_a_tokenizer_that_lies_elsewhere_stands_for_the_checkpoints_own(
    checkpoint: Path, tiny_model: TinyModel
) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    assert "has no tokenizer" in only_fault(checkpoint)
    assert faults(checkpoint, tokenizer=str(tiny_model())) == []


def test_code_that_a_checkpoint_brings_is_accepted_when_it_is_asked_for(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text('{"model_type": "rotary9", "auto_map": {}}')
    assert "its own code runs with trust_remote_code=true" in only_fault(checkpoint)
    assert faults(checkpoint, trust_remote_code=True) == []


@pytest.fixture
def adapter(checkpoint: Path, tmp_path: Path) -> Path:
    return build_adapter(tmp_path / "adapter", checkpoint)


def test_an_adapter_is_a_model_with_its_base(adapter: Path, checkpoint: Path) -> None:
    assert faults(adapter) == []
    location = resolve_source(ModelSpec(name="m", source=str(adapter)), "hf")
    assert (location.path, location.adapter, location.tokenizer) == (checkpoint, adapter, None)


def test_an_adapter_whose_base_is_gone(adapter: Path, checkpoint: Path) -> None:
    shutil.rmtree(checkpoint)
    assert only_fault(adapter) == (
        f"the adapter's base: no such directory: {checkpoint}; where it has moved, write m=BASE,adapter={adapter}"
    )


def test_an_adapter_whose_base_has_moved_is_named_with_it(adapter: Path, checkpoint: Path, tmp_path: Path) -> None:
    moved = checkpoint.rename(tmp_path / "moved")
    assert faults(moved, adapter=str(adapter)) == []
    location = resolve_source(ModelSpec(name="m", source=str(moved), adapter=str(adapter)), "hf")
    assert (location.path, location.adapter) == (moved, adapter)


@pytest.fixture
def file(tiny_model: TinyModel, tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return write_gguf(tmp_path / "files" / "m.gguf", tiny_model(architecture="llama"))


def test_a_gguf_file_or_the_only_one_of_a_folder_is_a_model(file: Path) -> None:
    for source, keys in ((file, {}), (file.parent, {}), (file.parent, {"file": "m.gguf"})):
        assert faults(source, **keys) == []
        location = resolve_source(ModelSpec(name="m", source=str(source), **keys), "hf")
        assert (location.path, location.file) == (laid_out(file), file)


def test_one_of_several_gguf_files_is_named(file: Path) -> None:
    (file.parent / "n.gguf").write_bytes(file.read_bytes())
    assert only_fault(file.parent) == f"{file.parent} holds 2 GGUF files; say which with file=NAME: m.gguf, n.gguf"
    assert faults(file.parent, file="n.gguf") == []
    assert only_fault(file.parent, file="o.gguf").startswith(f"{file.parent} has no file 'o.gguf'; its GGUF files are")


@pytest.mark.parametrize(
    ("keys", "backend", "words"),
    [
        ({"file": "m.gguf"}, "hf", "file names one in a folder, and "),
        ({"revision": "main"}, "hf", "revision belongs to a hub id"),
        ({}, "vllm", "a GGUF file is read by the backend hf, not by vllm"),
    ],
)
def test_a_key_that_a_gguf_file_cannot_honour_is_refused(file: Path, keys: Any, backend: str, words: str) -> None:
    assert words in only_fault(file, backend, **keys)


def test_a_gguf_file_that_is_not_there_is_no_repository(tmp_path: Path) -> None:
    assert only_fault("models/m.gguf") == "no such file: models/m.gguf"


def test_weights_beside_gguf_files_come_first_unless_a_file_is_named(checkpoint: Path, file: Path) -> None:
    shutil.copy(file, checkpoint)
    assert resolve_source(ModelSpec(name="m", source=str(checkpoint)), "hf").file is None
    named = resolve_source(ModelSpec(name="m", source=str(checkpoint), file="m.gguf"), "hf")
    assert named.file == checkpoint / "m.gguf"


def test_a_tokenizer_that_is_named_stands_for_a_files_own(file: Path, checkpoint: Path) -> None:
    location = resolve_source(ModelSpec(name="m", source=str(file), tokenizer=str(checkpoint)), "hf")
    assert (location.tokenizer, location.file) == (checkpoint, file)


def test_what_lies_here_is_told_from_what_has_to_be_fetched(adapter: Path, checkpoint: Path, file: Path) -> None:
    def here(source: Path | str, **keys: Any) -> bool:
        return lies_here(ModelSpec(name="m", source=str(source), **keys))

    assert here(checkpoint)
    assert here(adapter)
    assert here(file)
    for source, keys in (("org/name", {}), ("demo:base", {}), ("http://host/v1", {})):
        assert not here(source, **keys)
    assert not here(checkpoint, tokenizer="org/name")
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**settings, "base_model_name_or_path": "org/name"}))
    assert not here(adapter)


def test_an_adapter_without_weights(adapter: Path, checkpoint: Path) -> None:
    (adapter / "adapter_model.safetensors").unlink()
    assert only_fault(adapter) == f"{adapter} has no adapter_model.safetensors"
    assert only_fault(checkpoint, adapter=str(adapter)).startswith("adapter: ")


def test_a_directory_that_is_no_adapter(checkpoint: Path, tmp_path: Path) -> None:
    assert "has no adapter_config.json" in only_fault(checkpoint, adapter=str(tmp_path))


@pytest.mark.parametrize(
    ("keys", "backend", "words"),
    [
        ({"revision": "main"}, "hf", "revision belongs to a hub id"),
        ({"device": "cuda:99"}, "hf", "there is no device 'cuda:99' here, but cpu"),
        ({"device": "gpu"}, "hf", "there is no device 'gpu' here"),
        ({"device": "cuda"}, "vllm", "takes its devices from CUDA_VISIBLE_DEVICES"),
        ({"model": "served"}, "hf", "belong to the backend openai"),
        ({"tensor_parallel_size": 2}, "hf", "does not know tensor_parallel_size, which is of the backend vllm"),
        ({"engine": {"block_size": 32}}, "hf", "does not know engine, which is of the backend vllm"),
        ({"quantization": "awq"}, "hf", "quantizes to 4bit or 8bit; awq is of the backend vllm"),
        ({"engine": {"seed": 3}}, "vllm", "engine: seed is not taken"),
    ],
)
def test_a_key_that_cannot_be_honoured_is_refused(checkpoint: Path, keys: Any, backend: str, words: str) -> None:
    assert words in only_fault(checkpoint, backend, **keys)


def test_the_cpu_is_always_there(checkpoint: Path) -> None:
    assert faults(checkpoint, device="cpu") == []


def test_quantization_without_its_package(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.models.locations.find_spec", lambda name: None)
    assert only_fault(checkpoint, quantization="4bit").endswith("pip install bitsandbytes")


def test_eight_bits_are_not_vllms(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.models.locations.find_spec", lambda name: name)
    assert only_fault(checkpoint, "vllm", quantization="8bit").startswith("the backend vllm quantizes to 4bit only")


def test_the_demos_models_are_named() -> None:
    assert faults("demo:base") == []
    assert only_fault("demo:other") == "no demo model 'other'; there are base, instruct, sft, chosen, forgetful, plus"


def test_a_demo_models_tokenizer_may_be_named(checkpoint: Path) -> None:
    assert faults(checkpoint, tokenizer="demo:base") == []
    assert only_fault(checkpoint, tokenizer="demo:other").startswith(
        "tokenizer: no demo model 'other'; there are base,"
    )
    model = ModelSpec(name="m", source=str(checkpoint), tokenizer="demo:base")
    assert resolve_source(model, "hf").tokenizer == BASE
    assert demo_names([model]) == ["base"]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("./a", "directory"),
        ("/a/b", "directory"),
        ("a/b/c", "directory"),
        ("name", "directory"),
        ("org/name", "hub"),
        ("demo:other", "demo"),
    ],
)
def test_a_source_is_told_by_how_it_is_written(source: str, kind: str) -> None:
    assert kind_of(source) == kind


def test_the_demos_models_are_named_that_are_asked_for_or_adapted(checkpoint: Path, tmp_path: Path) -> None:
    adapter = build_adapter(tmp_path / "adapter", checkpoint)
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": "demo:plus"}))
    sources = ["demo:sft", "demo:base", str(adapter), str(checkpoint), "org/name", "demo:sft"]

    assert demo_names([ModelSpec(name="m", source=source) for source in sources]) == ["sft", "base", "plus"]


def test_a_demo_model_lies_where_it_was_trained(tmp_path: Path) -> None:
    places = [
        resolve_source(ModelSpec(name="m", source=f"demo:{name}"), "hf", {"plus": tmp_path}).path
        for name in ("base", "plus")
    ]

    assert places == [BASE, tmp_path]


def test_a_demo_model_that_is_not_trained_is_a_fault() -> None:
    with pytest.raises(SpecError, match="the demo's model 'sft' is not trained"):
        resolve_source(ModelSpec(name="m", source="demo:sft"), "hf")


def test_an_existing_directory_comes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "org" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert kind_of("org/name") == "directory"


@pytest.fixture
def server(tiny_model: TinyModel) -> Iterator[CompletionServer]:
    with serving(CompletionServer(tiny_model())) as server:
        yield server


def test_a_server_with_one_model_needs_no_name(server: CompletionServer) -> None:
    assert faults(server.url, "openai") == []
    location = resolve_source(ModelSpec(name="m", source=server.url + "/"), "openai")
    assert (location.path, location.base_url, location.served_name, location.max_length) == (
        None,
        server.url,
        "tiny",
        512,
    )


def test_a_server_of_several_models_needs_a_name(server: CompletionServer) -> None:
    server.models.append({"id": "other"})
    assert only_fault(server.url, "openai").endswith("serves 2 models (tiny, other); say which with model=NAME")
    location = resolve_source(ModelSpec(name="m", source=server.url, model="other"), "openai")
    assert (location.served_name, location.max_length) == ("other", None)


def test_an_address_without_v1(server: CompletionServer) -> None:
    expected = "answers 404 to /models; base_url usually ends in /v1"
    assert only_fault(server.url.removesuffix("/v1"), "openai").endswith(expected)


def test_a_server_of_another_kind(server: CompletionServer) -> None:
    server.models = ["tiny"]  # type: ignore[list-item]
    assert only_fault(server.url, "openai").endswith("does not answer /models as OpenAI's does")


def test_a_key_in_the_address_is_refused_and_not_repeated(server: CompletionServer) -> None:
    line = only_fault("http://user:secret@localhost/v1", "openai")
    assert line == "a server is written http://HOST:PORT/v1; its key is read from OPENAI_API_KEY"


def test_keys_that_mean_nothing_to_a_server(server: CompletionServer) -> None:
    lines = faults(server.url, "openai", device="cpu", chat_template=True)
    assert lines == [
        "model 'm': device does not apply to a server, which has loaded its model already",
        "model 'm': with a server, chat_template needs tokenizer=SOURCE",
    ]


def test_the_backend_openai_needs_an_address() -> None:
    assert only_fault("served", "openai") == "the backend openai needs base_url=http://HOST:PORT/v1"
