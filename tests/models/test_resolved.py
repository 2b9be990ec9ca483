from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.demo import BASE
from mplus_eval.errors import SpecError
from mplus_eval.models.chat_format import PLAIN_FORMAT, PLAIN_TEMPLATE
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.resolved import ResolvedModel, resolved_models
from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.hashes import hash_components, hash_file, hash_text, tokenizer_hash, weights_hash
from tests.conftest import TinyModel
from tests.server import CompletionServer, serving
from tests.specs import build_spec
from tests.tiny_models import build_adapter

TEMPLATE = "{% for message in messages %}<{{ message['content'] }}>{% endfor %}"
OWN = f"own {hash_text(TEMPLATE)[:12]}"


@pytest.fixture
def checkpoint(tiny_model: TinyModel, tmp_path: Path) -> Path:
    """A copy without a chat template."""
    path = Path(shutil.copytree(tiny_model(), tmp_path / "checkpoint"))
    (path / "chat_template.jinja").unlink(missing_ok=True)
    return path


def resolved(source: str | Path, *, talks: bool = False, **keys: Any) -> ResolvedModel:
    spec = build_spec({"base": {"source": str(source), **keys}})
    (model,) = resolved_models(spec, {}, None, talks=talks)
    return model


def test_a_model_is_hashed_by_its_weights_tokenizer_and_template(checkpoint: Path) -> None:
    model = resolved(checkpoint)
    assert (model.weights, model.tokenizer) == (weights_hash(checkpoint), tokenizer_hash(checkpoint))
    assert (model.chat_template, model.talk_format, model.backend) == ("plain", PLAIN_FORMAT, "hf")
    parts = {"weights": model.weights, "tokenizer": model.tokenizer, "chat_template": "plain"}
    assert model.fingerprint == hash_components(parts)


def test_how_it_is_loaded_is_a_component_where_it_changes_numbers_and_was_asked_for(checkpoint: Path) -> None:
    plain = resolved(checkpoint).components
    assert resolved(checkpoint, device_map="auto", max_memory={"cpu": "1GiB"}).components == plain
    chosen = resolved(checkpoint, attn_implementation="eager", max_length=64).components
    assert chosen == {**plain, "computing": "attn_implementation=eager max_length=64"}


def test_an_adapters_weights_are_hashed_with_its_bases(checkpoint: Path, tmp_path: Path) -> None:
    adapter = build_adapter(tmp_path / "adapter", checkpoint)
    both = hash_components({"base": weights_hash(checkpoint), "adapter": weights_hash(adapter)})
    assert resolved(adapter).weights == both
    assert resolved(checkpoint, adapter=str(adapter)).weights == both


def test_a_server_is_hashed_by_what_it_is_called_and_how_long_a_prompt_may_be(tiny_model: TinyModel) -> None:
    with serving(CompletionServer(tiny_model())) as server:
        model = resolved(server.url)
        assert model.weights == hash_text(f"{server.url} tiny 512")
        assert (model.tokenizer, model.backend) == ("the server's", "openai")
        assert resolved(server.url, tokenizer=str(tiny_model())).tokenizer == tokenizer_hash(tiny_model())


@pytest.mark.parametrize(
    ("chat_template", "talks", "formats"),
    [
        (False, False, ("plain", PLAIN_FORMAT)),
        (False, True, ("plain", OWN)),
        (True, False, (OWN, PLAIN_FORMAT)),
        (True, True, (OWN, OWN)),
    ],
)
def test_talk_is_put_into_a_models_own_template_whatever_prompts_are_put_into(
    checkpoint: Path, chat_template: bool, talks: bool, formats: tuple[str, str]
) -> None:
    (checkpoint / "chat_template.jinja").write_text(TEMPLATE)
    model = resolved(checkpoint, chat_template=chat_template, talks=talks)
    assert (model.chat_template, model.talk_format) == formats


def test_a_file_is_the_template_of_both(checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.jinja"
    file.write_text(TEMPLATE)
    name = f"file {hash_file(file)[:12]}"
    assert resolved(checkpoint, chat_template=str(file), talks=True).talk_format == name
    model = resolved(checkpoint, chat_template=str(file))
    assert (model.chat_template, model.talk_format) == (name, PLAIN_FORMAT)


@pytest.mark.parametrize("template", [None, PLAIN_TEMPLATE])
def test_without_a_template_of_its_own_talk_is_put_into_the_plain_format(
    checkpoint: Path, template: str | None
) -> None:
    if template is not None:
        (checkpoint / "chat_template.jinja").write_text(template)
    assert resolved(checkpoint, talks=True).talk_format == PLAIN_FORMAT


def test_what_cannot_be_had_is_told_of_every_model_at_once(checkpoint: Path) -> None:
    models = {name: {"source": str(checkpoint), "chat_template": True} for name in ("base", "plus")}
    with pytest.raises(SpecError) as caught:
        resolved_models(build_spec({**models, "other": "demo:sft"}), {}, None, talks=False)
    assert caught.value.faults == (
        "model 'base': chat_template=true, but its tokenizer has no chat template",
        "model 'plus': chat_template=true, but its tokenizer has no chat template",
        "model 'other': the demo's model 'sft' is not trained; name it too",
    )


def test_the_demos_models_are_taken_where_they_were_trained(checkpoint: Path) -> None:
    spec = build_spec({"base": "demo:base", "plus": "demo:plus"})
    models = resolved_models(spec, {"plus": checkpoint}, None, talks=False)
    assert [model.location.path for model in models] == [BASE, checkpoint]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, None),
        ({"tensor_parallel_size": 2, "gpu_memory_utilization": 0.5, "enforce_eager": True}, None),
        ({"engine": {"block_size": 16, "max_num_seqs": 8}}, None),
        ({"max_model_len": 64}, "max_length=64"),
        ({"max_length": 64}, "max_length=64"),
        (
            {"engine": {"kv_cache_dtype": "fp8", "hf_overrides": {"a": 1}, "block_size": 16}},
            "engine.hf_overrides={'a': 1} engine.kv_cache_dtype='fp8'",
        ),
    ],
)
def test_keys_are_in_the_fingerprint_where_they_change_numbers(keys: dict[str, Any], words: str | None) -> None:
    spec = ModelSpec(name="m", source="./m", backend="vllm", **keys)
    model = ResolvedModel(spec, "vllm", ModelLocation(Path("m")), "w", "t", "plain")
    assert model.components.get("computing") == words
