from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mplus_eval.audit.foreseen import foreseen, planned_dtype
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.spec.model import ModelSpec


def model(folder: Path, name: str, letters: str = "ab", config: dict[str, Any] | None = None, **keys: Any) -> Any:
    """A model whose configuration and vocabulary lie in a folder of its own."""
    path = folder / name
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config or {"dtype": "bfloat16"}))
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    (path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    spec = ModelSpec(name=name, source=str(path), **keys)
    return ResolvedModel(spec, "hf", ModelLocation(path), name, name, "plain")


def test_models_alike_foresee_nothing(tmp_path: Path) -> None:
    base, plus = model(tmp_path, "base"), model(tmp_path, "plus", config={"torch_dtype": "bfloat16"})
    assert list(foreseen([base, plus], base, ())) == []


def test_another_precision_is_told_before_it_costs_anything(tmp_path: Path) -> None:
    base = model(tmp_path, "base")
    others = [model(tmp_path, name, config={"dtype": "float32"}) for name in ("sft", "plus")]
    assert list(foreseen([base, *others], base, ())) == [
        "verdicts on sft, plus may be withheld: weights are float32, those of base bfloat16; give all one dtype=, or "
        "accept it with --allow dtype"
    ]
    assert list(foreseen([base, *others], base, ("dtype",))) == []


def test_another_vocabulary_is_told_too(tmp_path: Path) -> None:
    base, plus = model(tmp_path, "base"), model(tmp_path, "plus", "ba")
    (line,) = foreseen([base, plus], base, ())
    assert line.endswith("the vocabulary is another than that of base; accept it with --allow token-ids")
    assert list(foreseen([base, plus], base, ("token-ids",))) == []


def test_the_key_comes_before_the_files_and_quantized_weights_tell_nothing(tmp_path: Path) -> None:
    assert planned_dtype(model(tmp_path, "key", dtype="float16")) == "float16"
    assert planned_dtype(model(tmp_path, "silent", config={"model_type": "x"})) == ""
    quantized = {"dtype": "float16", "quantization_config": {"quant_method": "gptq"}}
    assert planned_dtype(model(tmp_path, "gptq", config=quantized)) == ""
    assert planned_dtype(model(tmp_path, "four", quantization="4bit")) == ""
