from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mplus_eval.demo import BASE
from mplus_eval.errors import UsageError
from mplus_eval.training.random_model import make_random_model

SIZES = {"hidden_size": 16, "intermediate_size": 32, "n_layers": 2, "n_heads": 4, "n_key_value_heads": 2}


def test_a_random_model_is_of_the_sizes_asked_for_and_speaks_the_demos_tokens(tmp_path: Path) -> None:
    n_parameters = make_random_model(tmp_path / "model", **SIZES)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert n_parameters == model.num_parameters()
    assert model.dtype == torch.bfloat16
    assert (model.config.hidden_size, model.config.num_hidden_layers, model.config.head_dim) == (16, 2, 4)
    ours, demos = AutoTokenizer.from_pretrained(tmp_path / "model"), AutoTokenizer.from_pretrained(BASE)
    assert ours("Hello there")["input_ids"] == demos("Hello there")["input_ids"]


def test_the_seed_gives_the_weights(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_random_model(tmp_path / name, **SIZES, seed=seed)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_a_directory_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something"):
        make_random_model(tmp_path, **SIZES)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
