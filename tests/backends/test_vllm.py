from __future__ import annotations

import ast
import importlib.util
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.utils import normalize_gen_kwargs
from transformers import GenerationConfig

from mplus_eval.backends import load_backend, vllm
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import choices, generations
from tests.conftest import TinyModel
from tests.tiny_models import build_adapter, build_tokenizer


class FakeVllm:
    """Takes lm-eval's arguments, and has what the backend looks at."""

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments
        self.stopped = 0
        self.asked: list[Any] = []
        self.max_gen_toks = 256
        self.tokenizer = build_tokenizer(320)
        self.max_length = 512
        self.hf_chat_template = "found when loading"
        core = SimpleNamespace(shutdown=self._stop)
        engine = SimpleNamespace(engine_core=core, model_config=SimpleNamespace(dtype=torch.bfloat16))
        self.model = SimpleNamespace(llm_engine=engine)

    def _loglikelihood_tokens(self, requests: list[Any], disable_tqdm: bool) -> list[Any]:
        return [(-float(len(continuation)), True) for _, _, continuation in requests]

    def generate_until(self, requests: list[Any], disable_tqdm: bool) -> list[str]:
        self.asked += [request.args for request in requests]
        return [self.tokenizer.decode(ids) for ids in self.tok_encode([request.args[0] for request in requests])]

    def _stop(self) -> None:
        self.stopped += 1


def accepted_arguments() -> set[str]:
    """The arguments of lm-eval's `VLLM`, read from its source, which cannot be imported without vllm."""
    package = importlib.util.find_spec("lm_eval")
    assert package is not None
    assert package.origin is not None
    tree = ast.parse((Path(package.origin).parent / "models" / "vllm_causallms.py").read_text(encoding="utf-8"))
    lm_class = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "VLLM")
    methods = [node for node in lm_class.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    return {argument.arg for argument in methods[0].args.args}


def test_a_seed_reaches_vllms_sampling_parameters() -> None:
    """All settings that are not the class's own go to `SamplingParams`; read from the source as above."""
    package = importlib.util.find_spec("lm_eval")
    assert package is not None
    assert package.origin is not None
    source = (Path(package.origin).parent / "models" / "vllm_causallms.py").read_text(encoding="utf-8")
    method = next(
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == "modify_gen_kwargs"
    )
    method.decorator_list, method.returns = [], None
    for argument in method.args.args:
        argument.annotation = None
    names: dict[str, Any] = {"normalize_gen_kwargs": normalize_gen_kwargs, "handle_stop_sequences": lambda *_, **__: []}
    exec(compile(ast.Module([method], []), "vllm_causallms", "exec"), names)
    given = {"seed": 7, "temperature": 1.0, "top_p": 0.9, "do_sample": True, "max_gen_toks": 20, "until": []}
    settings, _, _ = names["modify_gen_kwargs"](given)
    assert {name: settings[name] for name in ("seed", "temperature", "top_p")} == {
        "seed": 7,
        "temperature": 1.0,
        "top_p": 0.9,
    }


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "_lm_class", lambda: FakeVllm)


def test_the_plain_case_names_directory_dtype_and_batch() -> None:
    model = ModelSpec(name="m", source="./m", dtype="bfloat16", batch_size=8)
    assert vllm.arguments(model, ModelLocation(Path("m"))) == {
        "pretrained": "m",
        "dtype": "bfloat16",
        "batch_size": 8,
        "trust_remote_code": False,
        "generation_config": "vllm",
    }


def test_every_argument_is_one_that_lm_eval_takes(tiny_model: TinyModel, tmp_path: Path) -> None:
    adapter = build_adapter(tmp_path, tiny_model())
    model = ModelSpec(name="m", source="./m", quantization="4bit", trust_remote_code=True)
    arguments = vllm.arguments(model, ModelLocation(tiny_model(), adapter, tokenizer=tiny_model()))
    # The last is the engine's own, to which lm-eval hands what it does not know.
    assert set(arguments) <= accepted_arguments() | {"generation_config"}
    assert arguments["lora_local_path"] == str(adapter)
    assert arguments["tokenizer"] == str(tiny_model())
    assert arguments["quantization"] == "bitsandbytes"


@pytest.mark.parametrize(("rank", "room"), [(4, 16), (16, 16), (17, 32), (64, 64)])
def test_room_is_made_for_the_adapters_rank(tmp_path: Path, rank: int, room: int) -> None:
    (tmp_path / "adapter_config.json").write_text(f'{{"r": {rank}}}')
    arguments = vllm.arguments(ModelSpec(name="m", source="./m"), ModelLocation(Path("m"), tmp_path))
    assert arguments["max_lora_rank"] == room


@pytest.mark.usefixtures("fake")
def test_facts_come_from_the_engine() -> None:
    facts = load_backend("vllm", ModelSpec(name="m", source="./m"), ModelLocation(Path("m"))).facts
    assert (facts.backend, facts.dtype, facts.parameters) == ("vllm", "bfloat16", None)
    assert facts.asking is not None
    assert (facts.asking.begins_with, facts.asking.max_length) == ("<s>", 512)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(("add_bos", "begins"), [("auto", "<s>"), (False, "")])
def test_texts_are_encoded_here(add_bos: Any, begins: str) -> None:
    model = ModelSpec(name="m", source="./m", add_bos=add_bos)
    backend: Any = load_backend("vllm", model, ModelLocation(Path("m")))
    assert [each.text for each in backend.respond(generations())] == [begins + one.args[0] for one in generations()]
    for request, response in zip(choices(), backend.respond(choices()), strict=True):
        assert response.log_probability == -len(response.scored_tokens)
        put = "".join(request.args) if request.args[0] else "<s>" + request.args[1]
        start = begins if request.args[0] else ""
        assert backend.lm.tokenizer.decode([*response.prompt_tokens, *response.scored_tokens]) == start + put


@pytest.mark.usefixtures("fake")
def test_a_templates_file_replaces_the_one_found_when_loading(tmp_path: Path) -> None:
    template = tmp_path / "template.jinja"
    template.write_text("mine")
    backend: Any = load_backend(
        "vllm", ModelSpec(name="m", source="./m", chat_template=str(template)), ModelLocation(Path("m"))
    )
    assert (backend.lm.hf_chat_template, backend.lm.tokenizer.chat_template) == ("mine", "mine")


@pytest.mark.usefixtures("fake")
def test_answers_end_and_are_decoded_as_the_request_and_the_models_key_say(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    shutil.copytree(tiny_model(), tmp_path / "m")
    GenerationConfig(eos_token_id=[1, 5], repetition_penalty=1.3, num_beams=2).save_pretrained(tmp_path / "m")
    options = {
        "until": ["."],
        "max_gen_toks": 20,
        "do_sample": False,
        "ends": ["<|im_end|>"],
        "turns": ["<|im_start|>"],
    }
    until = [".", "<|im_end|>", "<|im_start|>", "</s>", "$"]
    asked = {"until": until, "max_gen_toks": 20, "do_sample": False, "temperature": 0.0}
    for generation, more in (
        (None, {}),
        ("own", {"repetition_penalty": 1.3}),
        ({"min_new_tokens": 3}, {"min_tokens": 3}),
    ):
        model = ModelSpec(name="m", source="./m", generation=generation)
        backend: Any = load_backend("vllm", model, ModelLocation(tmp_path / "m"))
        backend.respond([Instance("generate_until", {}, ("a", dict(options)), 0)])
        assert backend.lm.asked == [("a", {**asked, **more})]
        assert "num_beams" in backend.decoding.ignored


@pytest.mark.usefixtures("fake")
def test_closing_stops_the_engine_once() -> None:
    backend: Any = load_backend("vllm", ModelSpec(name="m", source="./m"), ModelLocation(Path("m")))
    lm = backend.lm
    backend.close()
    backend.close()
    assert lm.stopped == 1
