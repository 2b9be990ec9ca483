from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mplus_eval.demo import BASE
from mplus_eval.errors import SpecError
from mplus_eval.models.locations import demo_names, kind_of, model_faults, resolve_source
from mplus_eval.spec.model import ModelSpec
from tests.conftest import TinyModel
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


def test_a_whole_checkpoint_has_no_fault(checkpoint: Path) -> None:
    assert faults(checkpoint) == []


def test_a_missing_directory(tmp_path: Path) -> None:
    assert only_fault(tmp_path / "none") == f"no such directory: {tmp_path / 'none'}"
    assert only_fault("gpt2") == "no such directory: gpt2; a hub id is written org/name"


def test_a_directory_without_configuration(tmp_path: Path) -> None:
    assert only_fault(tmp_path) == f"{tmp_path} has no config.json, so it is not a checkpoint directory"


def test_a_directory_without_weights(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    assert only_fault(checkpoint) == f"{checkpoint} has no weights (model.safetensors or its shards)"


def test_weights_under_a_name_that_is_not_read_are_no_weights(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "consolidated.safetensors")
    assert "has no weights" in only_fault(checkpoint)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def nothing(_: bytes) -> bytes:
    return b""


def noise(content: bytes) -> bytes:
    return b"\xff" * len(content)


@pytest.mark.parametrize("damage", [cut, nothing, noise])
def test_corrupt_safetensors(checkpoint: Path, damage: Callable[[bytes], bytes]) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    assert only_fault(checkpoint).startswith(f"{weights} is not a whole safetensors file (")


def test_a_pointer_in_the_place_of_weights(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    assert only_fault(checkpoint).endswith("run git lfs pull")


def test_a_missing_shard(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    expected = f"{checkpoint} lacks 1 of 2 weight files, first model-00002-of-00002.safetensors"
    assert only_fault(checkpoint) == expected


@pytest.mark.parametrize("index", ["{}", "no JSON", '{"weight_map": []}'])
def test_an_index_without_shards(checkpoint: Path, index: str) -> None:
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "model.safetensors.index.json").write_text(index)
    assert only_fault(checkpoint).endswith("model.safetensors.index.json lists no weight files")


def test_a_missing_tokenizer(checkpoint: Path, tiny_model: TinyModel) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    expected = f"{checkpoint} has no tokenizer (tokenizer.json or tokenizer.model); name one with tokenizer=DIR"
    assert only_fault(checkpoint) == expected
    assert faults(checkpoint, tokenizer=str(tiny_model())) == []


def test_a_tokenizer_that_is_no_json(checkpoint: Path) -> None:
    (checkpoint / "tokenizer.json").write_text("{")
    assert only_fault(checkpoint).startswith(f"{checkpoint / 'tokenizer.json'} is not valid JSON (")


def test_weights_and_tokenizer_missing_are_two_lines(checkpoint: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    assert len(faults(checkpoint)) == 2


def test_a_separate_tokenizer_that_is_missing(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert only_fault(checkpoint, tokenizer=str(path)) == f"tokenizer: no such directory: {path}"
    assert "tokenizer: org/name is no directory here" in only_fault(checkpoint, tokenizer="org/name")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "is not valid JSON"),
        ("[]", "holds no JSON object"),
        ('{"model_type": "rotary9"}', "has model_type 'rotary9', which transformers does not know"),
        ("{}", "has model_type None, which transformers does not know"),
        ('{"model_type": "rotary9", "auto_map": {}}', "its own code runs with trust_remote_code=true"),
        (
            '{"model_type": "mistral", "architectures": ["MistralForSequenceClassification"]}',
            "holds a MistralForSequenceClassification, which is not a causal language model",
        ),
    ],
)
def test_a_configuration_that_makes_no_language_model(checkpoint: Path, config: str, said: str) -> None:
    (checkpoint / "config.json").write_text(config)
    assert said in only_fault(checkpoint)


def test_foreign_code_is_accepted_when_it_is_asked_for(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text('{"model_type": "rotary9", "auto_map": {}}')
    assert faults(checkpoint, trust_remote_code=True) == []


class Malicious:
    """Runs code when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.witness,)


@pytest.mark.parametrize("old_format", [False, True])
def test_pickled_code_is_refused_and_not_run(checkpoint: Path, tmp_path: Path, old_format: bool) -> None:
    (checkpoint / "model.safetensors").unlink()
    weights, witness = checkpoint / "pytorch_model.bin", tmp_path / "witness"
    torch.save({"w": Malicious(witness)}, weights, _use_new_zipfile_serialization=not old_format)
    assert only_fault(checkpoint) == (
        f"{weights} holds pickled objects other than tensors, which may run code; save it as safetensors"
    )
    assert not witness.exists()
    with weights.open("rb") as file:  # the trap is a real one
        torch.load(file, weights_only=False)
    assert witness.exists()


def test_a_bare_pickle_is_refused_and_not_run(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "pytorch_model.bin").write_bytes(pickle.dumps(Malicious(tmp_path / "witness"), protocol=2))
    assert "pytorch_model.bin" in only_fault(checkpoint)
    assert not (tmp_path / "witness").exists()


@pytest.mark.parametrize("old_format", [False, True])
def test_pickled_tensors_are_accepted(checkpoint: Path, old_format: bool) -> None:
    from safetensors.torch import load_file

    tensors = load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    torch.save(tensors, checkpoint / "pytorch_model.bin", _use_new_zipfile_serialization=not old_format)
    assert faults(checkpoint) == []


def test_a_torn_file_of_tensors_is_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    weights = checkpoint / "pytorch_model.bin"
    torch.save({"w": torch.zeros(1000)}, weights)
    weights.write_bytes(cut(weights.read_bytes()))
    assert str(weights) in only_fault(checkpoint)


@pytest.fixture
def adapter(checkpoint: Path, tmp_path: Path) -> Path:
    return build_adapter(tmp_path / "adapter", checkpoint)


def test_an_adapter_is_a_model_with_its_base(adapter: Path, checkpoint: Path) -> None:
    assert faults(adapter) == []
    source = resolve_source(ModelSpec(name="m", source=str(adapter)), "hf")
    assert (source.path, source.adapter, source.tokenizer) == (checkpoint, adapter, None)


def test_an_adapter_whose_base_is_gone(adapter: Path, checkpoint: Path) -> None:
    shutil.rmtree(checkpoint)
    assert only_fault(adapter) == f"the adapter's base: no such directory: {checkpoint}"


def test_an_adapter_without_weights(adapter: Path, checkpoint: Path) -> None:
    (adapter / "adapter_model.safetensors").unlink()
    assert only_fault(adapter) == f"{adapter} has no adapter_model.safetensors"
    assert only_fault(checkpoint, adapter=str(adapter)).startswith("adapter: ")


def test_a_directory_that_is_no_adapter(checkpoint: Path, tmp_path: Path) -> None:
    assert "has no adapter_config.json" in only_fault(checkpoint, adapter=str(tmp_path))


@pytest.mark.parametrize(
    ("keys", "backend", "said"),
    [
        ({"revision": "main"}, "hf", "revision belongs to a hub id"),
        ({"device": "cuda:99"}, "hf", "there is no device 'cuda:99' here, but cpu"),
        ({"device": "gpu"}, "hf", "there is no device 'gpu' here"),
        ({"device": "cuda"}, "vllm", "takes its devices from CUDA_VISIBLE_DEVICES"),
        ({"model": "served"}, "hf", "belong to the backend openai"),
    ],
)
def test_a_key_that_cannot_be_honoured_is_refused(checkpoint: Path, keys: Any, backend: str, said: str) -> None:
    assert said in only_fault(checkpoint, backend, **keys)


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
    assert only_fault("demo:other") == "no demo model 'other'; there are base, instruct, sft, chosen, plus"


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
    source = resolve_source(ModelSpec(name="m", source=server.url + "/"), "openai")
    assert (source.path, source.base_url, source.served_name, source.max_length) == (None, server.url, "tiny", 512)


def test_a_served_name_may_be_the_source(server: CompletionServer) -> None:
    assert faults("tiny", "openai", base_url=server.url) == []
    assert only_fault("huge", "openai", base_url=server.url).endswith("does not serve 'huge'; it serves tiny")


def test_a_server_of_several_models_needs_a_name(server: CompletionServer) -> None:
    server.models.append({"id": "other"})
    assert only_fault(server.url, "openai").endswith("serves 2 models (tiny, other); say which with model=NAME")
    source = resolve_source(ModelSpec(name="m", source=server.url, model="other"), "openai")
    assert (source.served_name, source.max_length) == ("other", None)


def test_a_server_that_wants_a_key(server: CompletionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = "secret"
    assert only_fault(server.url, "openai").endswith("refuses the key; set OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert faults(server.url, "openai") == []


def test_a_server_without_tokenizer_needs_one_named(server: CompletionServer, tiny_model: TinyModel) -> None:
    server.has_tokenizer = False
    assert "offers no tokenizer" in only_fault(server.url, "openai")
    assert faults(server.url, "openai", tokenizer=str(tiny_model())) == []


def test_a_server_that_cannot_be_reached(tiny_model: TinyModel) -> None:
    with serving(CompletionServer(tiny_model())) as gone:
        url = gone.url
    assert only_fault(url, "openai").startswith(f"cannot reach the server {url} (")


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
