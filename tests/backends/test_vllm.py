from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from transformers import GenerationConfig

from mplus_eval.backends import load_backend, vllm
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import choices, generations, texts
from tests.backends.vllm_stand_in import Abilities, install
from tests.conftest import TinyModel
from tests.tiny_models import build_adapter


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> Abilities:
    return install(monkeypatch)


def load(source: Path, backend: str = "vllm", **keys: Any) -> Any:
    return load_backend(backend, ModelSpec(name="m", source=str(source), **keys), ModelLocation(source))


def sampled(prompt: str, seed: int | None = None, **settings: Any) -> Instance:
    own = {} if seed is None else {"seed": seed}
    options = {"until": [], "max_gen_toks": 6, "do_sample": True, "temperature": 1.0, **own, **settings}
    return Instance("generate_until", {}, (prompt, options), 0)


def test_the_plain_case_names_directory_dtype_and_batch() -> None:
    model = ModelSpec(name="m", source="./m", dtype="bfloat16", batch_size=8)
    assert vllm.arguments(model, ModelLocation(Path("m"))) == {
        "pretrained": "m",
        "dtype": "bfloat16",
        "batch_size": 8,
        "trust_remote_code": False,
        "generation_config": "vllm",
    }


def test_every_key_reaches_the_engine(able: Abilities, tiny_model: TinyModel) -> None:
    keys: dict[str, Any] = {"tensor_parallel_size": 2, "pipeline_parallel_size": 3, "gpu_memory_utilization": 0.5}
    load(tiny_model(), max_length=100, quantization="fp8", enforce_eager=True, engine={"kv_cache_dtype": "fp8"}, **keys)
    (engine,) = able.engines
    expected = {
        **keys,
        "max_model_len": 100,
        "quantization": "fp8",
        "enforce_eager": True,
        "kv_cache_dtype": "fp8",
        "generation_config": "vllm",
        "block_size": 32,
    }
    assert {name: engine.arguments[name] for name in expected} == expected


def test_a_named_block_size_is_taken_on_a_processor_too(able: Abilities, tiny_model: TinyModel) -> None:
    load(tiny_model(), engine={"block_size": 64})
    assert able.engines[0].arguments["block_size"] == 64


def test_four_bits_are_bitsandbytes(tiny_model: TinyModel, tmp_path: Path) -> None:
    adapter = build_adapter(tmp_path, tiny_model())
    model = ModelSpec(name="m", source="./m", quantization="4bit", max_model_len=64)
    arguments = vllm.arguments(model, ModelLocation(tiny_model(), adapter, tokenizer=tiny_model()))
    assert arguments["lora_local_path"] == str(adapter)
    assert arguments["tokenizer"] == str(tiny_model())
    assert (arguments["quantization"], arguments["max_model_len"]) == ("bitsandbytes", 64)


@pytest.mark.parametrize(("rank", "room"), [(4, 16), (16, 16), (17, 32), (64, 64)])
def test_room_is_made_for_the_adapters_rank(tmp_path: Path, rank: int, room: int) -> None:
    (tmp_path / "adapter_config.json").write_text(f'{{"r": {rank}}}')
    arguments = vllm.arguments(ModelSpec(name="m", source="./m"), ModelLocation(Path("m"), tmp_path))
    assert arguments["max_lora_rank"] == room


def test_facts_come_from_the_engine(able: Abilities, tiny_model: TinyModel) -> None:
    facts = load(tiny_model(), max_length=512).facts
    assert (facts.backend, facts.dtype, facts.parameters) == ("vllm", "float32", None)
    assert (facts.asking.begins_with, facts.asking.max_length) == ("<s>", 512)
    assert (facts.scoring.name, facts.scoring.why) == ("prefix cache", "")


def test_all_three_types_are_answered_as_by_hf(able: Abilities, tiny_model: TinyModel) -> None:
    """Texts and ids are the same, log-probabilities within 1e-4."""
    here, there = (load(tiny_model(), name) for name in ("hf", "vllm"))
    for requests in (choices(), texts(), generations()):
        for mine, other in zip(there.respond(requests), here.respond(requests), strict=True):
            if other.log_probability is not None:
                assert mine.log_probability == pytest.approx(other.log_probability, abs=1e-4)
            # Of whole texts neither says whether they are greedy.
            names = (
                "text",
                "is_greedy",
                "n_tokens",
                "ended",
                "n_truncated",
                "prompt_tokens",
                "scored_tokens",
                "ran_on",
            )
            assert [getattr(mine, name) for name in names] == [getattr(other, name) for name in names]


def test_a_call_takes_what_it_took_before(able: Abilities, tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    (engine,) = able.engines
    taken = []
    for _ in range(2):
        engine.n_computed = 0
        backend.respond(choices())
        taken.append(engine.n_computed)
    assert taken[0] == taken[1] > 0


@pytest.mark.parametrize(("add_bos", "begins"), [("auto", "<s>"), (False, "")])
def test_texts_are_encoded_here(able: Abilities, tiny_model: TinyModel, add_bos: Any, begins: str) -> None:
    backend = load(tiny_model(), add_bos=add_bos)
    for request, response in zip(choices(), backend.respond(choices()), strict=True):
        put = "".join(request.args) if request.args[0] else "<s>" + request.args[1]
        start = begins if request.args[0] else ""
        assert backend.lm.tokenizer.decode([*response.prompt_tokens, *response.scored_tokens]) == start + put


def test_what_is_too_long_loses_its_beginning_as_in_lm_eval(able: Abilities, tiny_model: TinyModel) -> None:
    """Of 32 tokens vLLM wants one for what it generates: 31 are left for context and continuation."""
    backend = load(tiny_model(), max_length=32)
    request = Instance("loglikelihood", {}, (" ".join(["two"] * 40), " three four"), 0)
    (response,) = backend.respond([request])
    n_scored = len(response.scored_tokens)
    assert response.n_truncated == len(response.prompt_tokens) + n_scored - 31
    expected = type(backend.lm)._loglikelihood_tokens(
        backend.lm, [(None, list(response.prompt_tokens), list(response.scored_tokens))], disable_tqdm=True
    )
    assert response.log_probability == pytest.approx(expected[0][0], abs=1e-4)


def test_one_request_that_cannot_be_scored_fails_alone(able: Abilities, tiny_model: TinyModel) -> None:
    backend = load(tiny_model(), max_length=32)
    pairs = [(None, [0, 5], [7]), (None, [0, 5], [9999]), (None, [0, 5], [7] * 31)]
    first, second, third = backend._score(pairs)
    assert first.error is None
    assert second.error == "token id 9999 is outside the model's vocabulary of 320"
    assert third.error == "the continuation has 31 tokens, vLLM scores 30 at most"


def test_a_templates_file_replaces_the_one_found_when_loading(
    able: Abilities, tiny_model: TinyModel, tmp_path: Path
) -> None:
    template = tmp_path / "template.jinja"
    template.write_text("mine")
    backend = load(tiny_model(), chat_template=str(template))
    assert (backend.lm.hf_chat_template, backend.lm.tokenizer.chat_template) == ("mine", "mine")


def test_texts_end_and_are_decoded_as_the_request_and_the_models_key_say(
    able: Abilities, tiny_model: TinyModel, tmp_path: Path
) -> None:
    shutil.copytree(tiny_model(), tmp_path / "m")
    GenerationConfig(eos_token_id=[1, 5], repetition_penalty=1.3, num_beams=2).save_pretrained(tmp_path / "m")
    options = {"until": ["."], "max_gen_toks": 20, "do_sample": False, "turns": ["\nUser:"]}
    for generation, more in (
        (None, {}),
        ("own", {"repetition_penalty": 1.3}),
        ({"min_new_tokens": 3}, {"min_tokens": 3}),
    ):
        backend = load(tmp_path / "m", generation=generation)
        backend.respond([Instance("generate_until", {}, ("a", dict(options)), 0)])
        params = able.engines[-1].asked[-1][1]
        expected = {"temperature": 0.0, "max_tokens": 20, "stop_token_ids": [1, 5], "ignore_eos": True, **more}
        assert {name: getattr(params, name) for name in expected} == expected
        assert params.stop[0] == "."
        assert "\nUser:" in params.stop
        assert "num_beams" in backend.decoding.ignored


def test_samples_of_a_prompt_are_one_request_with_the_seed_of_the_first(able: Abilities, tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    n_before = len(able.engines[0].asked)
    requests = [sampled(prompt, seed) for prompt in ("She said", "A river") for seed in (70, 4, 11)]
    together = [each.text for each in backend.respond(requests)]
    asked = able.engines[0].asked[n_before:]
    assert [(params.n, params.seed) for _, params in asked] == [(3, 70), (3, 70)]
    assert len(set(together)) > 3
    # The k-th sample is drawn with k more than the first one's seed, whatever is asked beside it.
    alone = [each.text for seed in (70, 71, 72) for each in backend.respond([sampled("She said", seed)])]
    assert alone == together[:3]
    assert [each.text for each in backend.respond(requests[3:])] == together[3:]


def test_greedy_texts_and_other_settings_are_requests_of_their_own(able: Abilities, tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    n_before = len(able.engines[0].asked)
    requests = [sampled("She said", 1), sampled("She said", 2, temperature=0.5), sampled("She said", 3)]
    backend.respond([*requests, *generations(), generations()[0]])
    assert [params.n for _, params in able.engines[0].asked[n_before:]] == [2, 1, 1, 1, 1]


def test_a_setting_that_vllm_lacks_is_named(able: Abilities, tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    with pytest.raises(ValueError, match="vllm has no setting num_beams"):
        backend.respond([sampled("She said", 1, num_beams=4)])


def test_an_answer_may_not_take_all_of_the_length(able: Abilities, tiny_model: TinyModel) -> None:
    backend = load(tiny_model(), max_length=32)
    with pytest.raises(ValueError, match="max_gen_toks 32 leaves no room"):
        backend.respond([sampled("She said", 1, max_gen_toks=32)])


def test_closing_stops_the_engine_once(able: Abilities, tiny_model: TinyModel) -> None:
    backend = load(tiny_model())
    backend.close()
    backend.close()
    assert able.engines[0].stopped == 1
