from __future__ import annotations

import gc
import json
import math
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance

from mplus_eval.backends import Response, load_backend
from mplus_eval.backends.hf import HfModel, stored_quantization
from mplus_eval.inference.logits import NotANumberError
from mplus_eval.inference.self_check import Tier
from mplus_eval.models.locations import ModelLocation, model_faults, resolve_source
from mplus_eval.models.tokenizer_check import TokenizerError
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import choices, generations, log_probabilities, texts
from tests.conftest import TinyModel
from tests.gguf_files import write_gguf
from tests.tiny_models import CHAT_TEMPLATE, around, build_adapter, build_model, retokenize


def load(source: Path, **keys: Any) -> HfModel:
    model = ModelSpec(name="m", source=str(source), **keys)
    backend = load_backend("hf", model, resolve_source(model, "hf"))
    assert isinstance(backend, HfModel)
    return backend


def reference(source: Path, **options: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(source), device="cpu", batch_size=1, **options)


@pytest.fixture(scope="module")
def adapter(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_adapter(tmp_path_factory.mktemp("adapter"), tiny_model(), seed=3)


@pytest.fixture(params=["tree", "plain"])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the models of a test are asked: over the tree, or by lm-eval's `HFLM`."""
    chosen = Tier(request.param, 0.0, 0.0, "")
    monkeypatch.setattr("mplus_eval.backends.fast_hflm.choose_tier", lambda *_: chosen)
    return chosen.name


@pytest.mark.usefixtures("tier")
def test_a_tokenizer_that_appends_an_end_token_is_asked_without_it(tiny_model: TinyModel, tmp_path: Path) -> None:
    plain = load(tiny_model())
    appending = load(retokenize(tiny_model(), tmp_path, post_processor=around("<s>", "</s>")))
    for asked in (choices(), generations(), texts()):
        assert appending.respond(asked) == plain.respond(asked)
    known = [backend.facts.asking for backend in (plain, appending)]
    assert [(asking.begins_with, asking.leaves_off) for asking in known if asking] == [("<s>", ""), ("<s>", "</s>")]


@pytest.mark.usefixtures("tier")
@pytest.mark.parametrize(("add_bos", "put"), [(True, "<s>"), (False, "")])
def test_the_key_makes_two_tokenizers_begin_alike(
    tiny_model: TinyModel, tmp_path: Path, add_bos: bool, put: str
) -> None:
    paths = [tiny_model(), retokenize(tiny_model(), tmp_path, post_processor=None)]
    assert log_probabilities(load(paths[0]).respond(choices())) != log_probabilities(load(paths[1]).respond(choices()))
    with_key = [load(path, add_bos=add_bos) for path in paths]
    for asked in (choices(), generations(), texts()):
        assert with_key[0].respond(asked) == with_key[1].respond(asked)
    assert [each.facts.asking and each.facts.asking.begins_with for each in with_key] == [put, put]


@pytest.mark.usefixtures("tier")
def test_the_ids_that_are_put_and_scored_are_told(tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    tokenizer = backend.opened.tokenizer
    for request, response in zip(choices(), backend.respond(choices()), strict=True):
        prompt, scored = list(response.prompt_tokens or ()), list(response.scored_tokens or ())
        assert [*prompt, *scored] == tokenizer("".join(request.args))["input_ids"]
        assert tokenizer.decode(scored) == request.args[1]
    for request, response in zip(generations(), backend.respond(generations()), strict=True):
        assert (response.prompt_tokens, response.scored_tokens) == (tokenizer(request.args[0])["input_ids"], None)


@pytest.mark.usefixtures("tier")
def test_a_token_that_spans_is_scored_for_every_choice_of_the_item(tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    # " the" is one token, so that both are scored from where " th" begins, as if the context had ended there.
    whole = [("A river runs from", " the"), ("A river runs from", " th A")]
    parted = [("A river runs from th", "e"), ("A river runs from th", " A")]
    asked = [[Instance("loglikelihood", {}, pair, 0, ("task", 0, 1)) for pair in pairs] for pairs in (whole, parted)]
    expected, spanned = (backend.respond(requests) for requests in asked)
    assert log_probabilities(spanned) == log_probabilities(expected)
    assert [response.n_spanned for response in expected] == [0, 0]
    assert {response.n_spanned for response in spanned} == {len(backend.lm.encoding.bare([" th"])[0])}


def test_a_tokenizer_without_its_merges_is_refused_as_it_is_loaded(tiny_model: TinyModel, tmp_path: Path) -> None:
    lost = retokenize(tiny_model(), tmp_path, merges=[])
    with pytest.raises(TokenizerError, match="its merges are lost"):
        load(lost)
    # The way out that the message names.
    whole = load(lost, tokenizer=str(tiny_model()))
    assert whole.respond(choices()) == load(tiny_model()).respond(choices())


@pytest.mark.parametrize("architecture", ["mistral", "llama", "gpt2"])
def test_choices_are_answered_as_by_lm_eval_itself(tiny_model: TinyModel, architecture: str) -> None:
    path = tiny_model(architecture=architecture)
    responses = load(path).respond(choices())
    expected = reference(path).loglikelihood(choices(), disable_tqdm=True)
    assert log_probabilities(responses) == pytest.approx([value for value, _ in expected], abs=1e-4)
    assert [response.is_greedy for response in responses] == [greedy for _, greedy in expected]


def test_generations_and_whole_texts_are_answered_as_by_lm_eval_itself(tiny_model: TinyModel) -> None:
    path = tiny_model()
    backend, own = load(path), reference(path)
    made = [response.text for response in backend.respond(generations())]
    assert made == own.generate_until(generations(), disable_tqdm=True)
    whole = log_probabilities(backend.respond(texts()))
    assert whole == pytest.approx(own.loglikelihood_rolling(texts(), disable_tqdm=True), abs=1e-4)


def test_a_log_probability_is_the_sum_over_the_continuations_tokens(tiny_model: TinyModel) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = tiny_model()
    request = choices()[0]
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModelForCausalLM.from_pretrained(path)
    context, whole = tokenizer.encode(request.args[0]), tokenizer.encode("".join(request.args))
    with torch.no_grad():
        table = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    expected = sum(float(table[place - 1, whole[place]]) for place in range(len(context), len(whole)))
    assert load(path).respond([request])[0].log_probability == pytest.approx(expected, abs=1e-4)


def test_the_batch_size_changes_no_answer(tiny_model: TinyModel) -> None:
    single, batched = load(tiny_model(), batch_size=1), load(tiny_model(), batch_size=7)
    assert (single.requests_per_call, batched.requests_per_call) == (16, 112)
    expected = log_probabilities(single.respond(choices()))
    assert log_probabilities(batched.respond(choices())) == pytest.approx(expected, abs=1e-4)
    assert single.respond(generations()) == batched.respond(generations())


def test_what_was_cut_from_a_context_is_told(tmp_path: Path) -> None:
    backend = load(build_model(tmp_path, context=16))
    asked = [request for request in choices() if request.args[0]]
    n_truncated = [response.n_truncated for response in backend.respond(asked)]
    lengths = [sum(map(len, backend.lm._encode_pair(*request.args))) for request in asked]
    assert n_truncated == [max(0, length - 17) for length in lengths]
    assert max(lengths) > 17


def test_endings_are_told_of_generations_alone(tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    for response in backend.respond(generations(n_tokens=3)):
        assert response.n_tokens is not None
        assert response.n_tokens <= 3
    for response in (*backend.respond(texts()), *backend.respond(choices())):
        assert (response.n_tokens, response.ended) == (None, None)


def test_the_torch_model_is_transformers_own_under_an_adapter_too(tiny_model: TinyModel, adapter: Path) -> None:
    plain, adapted = load(tiny_model()).opened.model, load(adapter).opened.model
    assert type(plain) is type(adapted)
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        assert not torch.equal(plain(tokens).logits, adapted(tokens).logits)


def test_no_request_has_no_response(tiny_model: TinyModel) -> None:
    assert load(tiny_model()).respond([]) == []


def test_facts_are_of_the_model_as_loaded(tiny_model: TinyModel) -> None:
    facts = load(tiny_model(), dtype="bfloat16").facts
    # Embedding and head 2*320*32; a layer: attention 2*32*32 + 2*32*16, MLP 3*32*64, norms 2*32; a last norm 32.
    n_parameters = 2 * 320 * 32 + 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64 + 2 * 32) + 32
    assert (facts.backend, facts.dtype, facts.parameters, facts.device) == ("hf", "bfloat16", n_parameters, "cpu")


def test_an_adapter_is_put_on_its_base(tiny_model: TinyModel, adapter: Path) -> None:
    answers = reference(tiny_model(), peft=str(adapter)).loglikelihood(choices(), disable_tqdm=True)
    expected = [value for value, _ in answers]
    by_directory = log_probabilities(load(adapter).respond(choices()))
    by_key = log_probabilities(load(tiny_model(), adapter=str(adapter)).respond(choices()))
    assert by_directory == pytest.approx(expected, abs=1e-4)
    assert by_key == pytest.approx(expected, abs=1e-4)
    assert by_key != pytest.approx(log_probabilities(load(tiny_model()).respond(choices())), abs=0.1)


def test_a_tokenizer_of_its_own_may_lie_beside_an_adapter(tiny_model: TinyModel, adapter: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    shutil.copytree(adapter, both)
    shutil.copy(tiny_model() / "tokenizer.json", both)
    settings = json.loads((tiny_model() / "tokenizer_config.json").read_text())
    (both / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": "adapter's own"}))
    assert load(both).render_chat([{"role": "user", "content": "hello"}]) == "adapter's own"


def test_the_models_own_chat_template_is_used(tmp_path: Path) -> None:
    path = build_model(tmp_path, chat_template=CHAT_TEMPLATE)
    messages = [{"role": "user", "content": "hello"}]
    assert load(path, chat_template=True).render_chat(messages) == "<|user|>hello\n<|assistant|>"


def test_a_chat_template_of_a_file_comes_before_the_models_own(tmp_path: Path) -> None:
    path = build_model(tmp_path / "model", chat_template=CHAT_TEMPLATE)
    template = tmp_path / "template.jinja"
    template.write_text("{% for message in messages %}[{{ message['content'] }}]{% endfor %}")
    backend = load(path, chat_template=str(template))
    assert backend.render_chat([{"role": "user", "content": "hello"}]) == "[hello]"


def test_nan_logits_are_a_failure_and_not_an_answer(tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    with torch.no_grad():
        next(backend.lm.model.parameters()).fill_(float("nan"))
    for response in backend.respond(choices()):
        assert response.log_probability is not None
        assert math.isnan(response.log_probability)
    with pytest.raises(NotANumberError, match="the model returned NaN logits"):
        backend.respond(generations())


class Crowded:
    """A model whose memory holds two requests at once."""

    def __init__(self, at_once: int, error: RuntimeError, room: int = 2) -> None:
        self.at_once, self.error, self.room = at_once, error, room
        self.tried: list[int] = []

    def halve(self) -> bool:
        if self.at_once == 1:
            return False
        self.at_once //= 2
        return True

    def respond(self, requests: list[Any]) -> list[Response]:
        self.tried.append(self.at_once)
        if self.at_once > self.room:
            raise self.error
        return [Response(log_probability=-1.0) for _ in requests]


OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: 9 bytes"),
)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["gpu", "cpu"])
def test_out_of_memory_halves_the_batch_and_goes_on(error: RuntimeError) -> None:
    lm = Crowded(8, error)
    assert HfModel(lm, None, 16).respond(choices()) == [Response(log_probability=-1.0)] * 9  # type: ignore[arg-type]
    assert lm.tried == [8, 4, 2]
    HfModel(lm, None, 16).respond(choices())  # type: ignore[arg-type]
    assert lm.tried == [8, 4, 2, 2]


def test_out_of_memory_with_one_item_is_final() -> None:
    lm = Crowded(2, OUT_OF_MEMORY[0], room=0)
    with pytest.raises(MemoryError, match="out of memory, also with one item at a time"):
        HfModel(lm, None, 16).respond(choices())  # type: ignore[arg-type]
    assert lm.tried == [2, 1]


def test_another_error_is_not_taken_for_lack_of_memory() -> None:
    lm = Crowded(8, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        HfModel(lm, None, 16).respond(choices())  # type: ignore[arg-type]
    assert lm.tried == [8]


def test_closing_gives_the_weights_back(tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    backend.respond(choices())
    weights = weakref.ref(backend.lm.model)
    backend.close()
    gc.collect()
    assert weights() is None


@pytest.mark.parametrize(("kind", "quantization"), [("F32", "GGUF F32"), ("Q8_0", "GGUF Q8_0")])
def test_a_gguf_file_answers_as_the_checkpoint_that_it_was_made_of(
    tiny_model: TinyModel, tmp_path: Path, kind: str, quantization: str
) -> None:
    path = tiny_model(architecture="llama")
    whole, packed = load(path), load(write_gguf(tmp_path / "m.gguf", path, kind=kind))
    expected = log_probabilities(whole.respond(choices()))
    # Eight bits of weights as wide as these move a sum by less than this.
    assert log_probabilities(packed.respond(choices())) == pytest.approx(expected, abs=1e-4 if kind == "F32" else 1.0)
    assert packed.facts.asking is not None
    assert whole.facts.asking is not None
    assert (packed.facts.asking.quantization, whole.facts.asking.quantization) == (quantization, None)
    assert packed.facts.scoring is not None
    assert (packed.facts.scoring.name, packed.facts.scoring.tolerance) == ("tree", 2e-4)
    assert packed.lm.model.generation_config.eos_token_id == 1
    if kind == "F32":
        assert packed.respond(generations()) == whole.respond(generations())


SEEING: dict[str, dict[str, Any]] = {
    "mistral3": {},
    "gemma3": {},
    "llama4": {"num_experts_per_tok": 1, "num_local_experts": 2, "intermediate_size_mlp": 64},
    "qwen3_vl": {},
    "qwen3_5": {
        "num_hidden_layers": 4,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
    },
}


@pytest.fixture(params=SEEING)
def seeing(request: Any, tiny_model: TinyModel, tmp_path: Path) -> Path:
    """A checkpoint of a class that also sees."""
    from transformers import CONFIG_MAPPING, AutoModelForImageTextToText

    text = {
        "vocab_size": 320,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 512,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
        **SEEING[request.param],
    }
    eyes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1, "depth": 1}
    eyes |= {"num_heads": 4, "image_size": 28, "patch_size": 14, "out_hidden_size": 32, "deepstack_visual_indexes": [0]}
    eyes |= {"projector_input_dim": 32, "projector_output_dim": 32, "vision_output_dim": 32}
    torch.manual_seed(0)
    config = CONFIG_MAPPING[request.param](text_config=text, vision_config=eyes)
    AutoModelForImageTextToText.from_config(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model() / name, tmp_path)
    return tmp_path


def test_a_class_that_also_sees_is_asked_as_its_text_model(seeing: Path) -> None:
    from transformers import AutoModelForImageTextToText

    assert model_faults(ModelSpec(name="m", source=str(seeing)), "hf") == []
    backend = load(seeing)
    encoded = [backend.lm.tok_encode("".join(request.args)) for request in choices()[:2]]
    whole = AutoModelForImageTextToText.from_pretrained(seeing)
    for ids in encoded:
        tokens = torch.tensor([ids])
        with torch.no_grad():
            expected = whole(input_ids=tokens).logits
            assert torch.allclose(backend.lm.model(tokens).logits, expected, atol=1e-5)
    assert all(math.isfinite(value) for value in log_probabilities(backend.respond(choices())))
    assert [response.error for response in backend.respond(generations(n_tokens=3))] == [None] * len(generations())


@pytest.mark.parametrize("seeing", ["llama4", "mistral3"], indirect=True)
def test_an_adapter_of_the_whole_class_goes_on_the_whole_class(seeing: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(1)
    layers = r".*language_model.*\.q_proj"
    whole = get_peft_model(
        AutoModelForImageTextToText.from_pretrained(seeing), LoraConfig(target_modules=layers, init_lora_weights=False)
    )
    whole.save_pretrained(tmp_path / "adapter")
    backend = load(tmp_path / "adapter")
    tokens = torch.tensor([[1, 5, 6, 7]])
    with torch.no_grad():
        assert torch.allclose(backend.lm.model(tokens).logits, whole.eval()(tokens).logits, atol=1e-5)
        assert not torch.allclose(backend.lm.model(tokens).logits, load(seeing).lm.model(tokens).logits, atol=1e-3)


def test_an_adapter_goes_on_a_gguf_file(tiny_model: TinyModel, tmp_path: Path) -> None:
    path = tiny_model(architecture="llama")
    adapter = build_adapter(tmp_path / "adapter", path, seed=3)
    file = write_gguf(tmp_path / "m.gguf", path)
    expected = log_probabilities(load(path, adapter=str(adapter)).respond(choices()))
    assert log_probabilities(load(file, adapter=str(adapter)).respond(choices())) == pytest.approx(expected, abs=1e-4)


def test_a_padding_token_beyond_the_rows_pads_with_the_end_token(tiny_model: TinyModel, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    path = Path(shutil.copytree(tiny_model(), tmp_path / "m"))
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.save_pretrained(path)
    backend = load(path)
    assert backend.lm.tokenizer.pad_token == "</s>"
    expected = load(tiny_model()).respond(generations())
    assert [response.text for response in backend.respond(generations())] == [each.text for each in expected]


def test_a_checkpoint_that_is_quantized_where_it_lies_is_named() -> None:
    from transformers import MistralConfig

    here = ModelLocation(Path("m"))
    assert stored_quantization(here, MistralConfig(quantization_config={"quant_method": "gptq", "bits": 4})) == "gptq"
    assert stored_quantization(here, MistralConfig()) is None


def test_a_template_that_cannot_be_rendered_stands_in_no_plain_prompts_way(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(tiny_model(), tmp_path / "m"))
    (path / "chat_template.jinja").write_text("{% for message in messages %}{{ message.content }")
    assert log_probabilities(load(path).respond(choices())) == log_probabilities(load(tiny_model()).respond(choices()))
