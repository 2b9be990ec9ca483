from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mplus_eval.models.checkpoints import (
    adapter_base,
    adapter_faults,
    checkpoint_faults,
    has_tokenizer,
    is_adapter,
    weight_faults,
    weight_files,
)
from tests.conftest import TinyModel
from tests.tiny_models import build_adapter


def faults(path: Path, *, foreign_code: bool = False, pickled: bool = True) -> list[str]:
    return checkpoint_faults(path, "here", own_tokenizer=True, foreign_code=foreign_code, pickled=pickled)


def only_fault(path: Path) -> str:
    (line,) = faults(path)
    assert line.startswith("here: ")
    assert "\n" not in line
    return line.removeprefix("here: ")


@pytest.fixture
def checkpoint(tiny_model: TinyModel, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(tiny_model(), tmp_path / "checkpoint"))


def test_a_whole_checkpoint_has_no_fault(checkpoint: Path) -> None:
    assert faults(checkpoint) == []


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


def test_a_missing_tokenizer(checkpoint: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    expected = f"{checkpoint} has no tokenizer (tokenizer.json or tokenizer.model); name one with tokenizer=DIR"
    assert only_fault(checkpoint) == expected
    assert checkpoint_faults(checkpoint, "here", own_tokenizer=False) == []


def test_a_tokenizer_that_is_no_json(checkpoint: Path) -> None:
    (checkpoint / "tokenizer.json").write_text("{")
    assert only_fault(checkpoint).startswith(f"{checkpoint / 'tokenizer.json'} is not valid JSON (")


def test_weights_and_tokenizer_missing_are_two_lines(checkpoint: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    assert len(faults(checkpoint)) == 2


@pytest.mark.parametrize(
    ("config", "words"),
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
def test_a_configuration_that_makes_no_language_model(checkpoint: Path, config: str, words: str) -> None:
    (checkpoint / "config.json").write_text(config)
    assert words in only_fault(checkpoint)


def test_foreign_code_is_accepted_when_it_is_asked_for(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text('{"model_type": "rotary9", "auto_map": {}}')
    assert faults(checkpoint, foreign_code=True) == []


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
    assert faults(checkpoint, pickled=False) == [
        f"here: {checkpoint / 'pytorch_model.bin'} is a pickle, which may run code: allow_bin=true reads it by torch's "
        "weights_only, which runs none; or save it as safetensors"
    ]


def test_safetensors_come_before_a_pickle_that_lies_beside_them(checkpoint: Path) -> None:
    (checkpoint / "pytorch_model.bin").write_bytes(b"never read")
    assert faults(checkpoint, pickled=False) == []


def test_mistrals_own_tokenizer_needs_its_package(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "transformers.utils.import_utils.is_mistral_common_available"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    (checkpoint / "tekken.json").write_text("{}")
    monkeypatch.setattr(module, lambda: False)
    assert only_fault(checkpoint) == (
        "its tokenizer is a tekken.json, which the package mistral-common reads: pip install 'mistral-common[image]', "
        "or name a tokenizer.json with tokenizer=DIR"
    )
    monkeypatch.setattr(module, lambda: True)
    assert faults(checkpoint) == []


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("mistral3", "Mistral3ForConditionalGeneration"),
        ("gemma3", "Gemma3ForConditionalGeneration"),
        ("llama4", "Llama4ForConditionalGeneration"),
        ("qwen3_5", "Qwen3_5ForConditionalGeneration"),
        ("qwen3_vl", "Qwen3VLForConditionalGeneration"),
    ],
)
def test_a_class_that_also_sees_holds_a_language_model(checkpoint: Path, kind: str, architecture: str) -> None:
    (checkpoint / "config.json").write_text(json.dumps({"model_type": kind, "architectures": [architecture]}))
    assert faults(checkpoint) == []


def test_a_class_that_sees_and_does_not_go_on_from_its_own_words_is_refused(checkpoint: Path) -> None:
    config = {"model_type": "t5gemma2", "architectures": ["T5Gemma2ForConditionalGeneration"]}
    (checkpoint / "config.json").write_text(json.dumps(config))
    assert "which is not a causal language model" in only_fault(checkpoint)


def test_a_torn_file_of_tensors_is_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    weights = checkpoint / "pytorch_model.bin"
    torch.save({"w": torch.zeros(1000)}, weights)
    weights.write_bytes(cut(weights.read_bytes()))
    assert str(weights) in only_fault(checkpoint)


def test_where_pickled_tensors_are_not_accepted_there_are_no_weights(checkpoint: Path) -> None:
    assert weight_faults(checkpoint, "here", pickled=False) == []
    (checkpoint / "model.safetensors").unlink()
    torch.save({"w": torch.zeros(3)}, checkpoint / "pytorch_model.bin")
    expected = f"here: {checkpoint} has no weights as safetensors (model.safetensors or its shards)"
    assert weight_faults(checkpoint, "here", pickled=False) == [expected]


def test_weight_files_are_the_one_or_the_shards_that_are_listed_there_or_not(tmp_path: Path) -> None:
    assert weight_files(tmp_path) == []
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "2.safetensors", "b": "1.safetensors", "c": "2.safetensors"}}))
    assert weight_files(tmp_path) == [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    (tmp_path / "model.safetensors").touch()
    assert weight_files(tmp_path) == [tmp_path / "model.safetensors"]


@pytest.fixture
def adapter(checkpoint: Path, tmp_path: Path) -> Path:
    return build_adapter(tmp_path / "adapter", checkpoint)


def test_an_adapter_names_its_base_and_needs_it(adapter: Path, checkpoint: Path) -> None:
    assert adapter_faults(adapter, "here") == []
    assert adapter_base(adapter) == str(checkpoint)
    assert [is_adapter(path) for path in (adapter, checkpoint)] == [True, False]
    assert [has_tokenizer(path) for path in (adapter, checkpoint)] == [False, True]


def test_an_adapter_that_names_no_base(adapter: Path) -> None:
    config = adapter / "adapter_config.json"
    config.write_text('{"base_model_name_or_path": null}')
    assert adapter_faults(adapter, "here") == [f"here: {config} names no base_model_name_or_path"]
    config.write_text("[")
    assert adapter_faults(adapter, "here")[0].startswith(f"here: {config} is not valid JSON (")


def test_an_adapter_with_torn_weights(adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(cut(weights.read_bytes()))
    assert adapter_faults(adapter, "here")[0].startswith(f"here: {weights} is not a whole safetensors file (")


def test_an_adapter_in_a_pickle_is_read_where_that_is_allowed(adapter: Path) -> None:
    from safetensors.torch import load_file

    weights = adapter / "adapter_model.safetensors"
    torch.save(load_file(weights), adapter / "adapter_model.bin")
    weights.unlink()
    assert adapter_faults(adapter, "here", pickled=True) == []
    (refused,) = adapter_faults(adapter, "here")
    assert refused.startswith(f"here: {adapter / 'adapter_model.bin'} is a pickle, which may run code: allow_bin=true")


@pytest.mark.parametrize("architectures", [[[1]], [{"a": 1}], {"a": 1}, [None], 3])
def test_architectures_that_are_no_names_are_told(checkpoint: Path, architectures: object) -> None:
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "mistral", "architectures": architectures}))
    (fault,) = checkpoint_faults(checkpoint, "model 'm'", own_tokenizer=True)
    assert "a list of names of classes is expected" in fault


@pytest.mark.parametrize("kind", [[], {}, None, 3])
def test_a_model_type_that_is_no_name_is_told(checkpoint: Path, kind: object) -> None:
    (checkpoint / "config.json").write_text(json.dumps({"model_type": kind}))
    (fault,) = checkpoint_faults(checkpoint, "model 'm'", own_tokenizer=True)
    assert f"has model_type {kind!r}, which transformers does not know" in fault
