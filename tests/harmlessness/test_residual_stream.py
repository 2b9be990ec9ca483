import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, T5Config

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.residual_stream import find_layers
from tests.inference.families import PLAIN, SHARED_PREFIX, TREE, build

_NEOX, _OPT, _FALCON = TREE["GPT-NeoX"], TREE["OPT"], SHARED_PREFIX["Falcon"]


@pytest.mark.parametrize(
    ("family", "changes", "parallel"),
    [
        (_NEOX, {"use_parallel_residual": True}, True),
        (_NEOX, {"use_parallel_residual": False}, False),
        (_FALCON, {"parallel_attn": True}, True),
        (_FALCON, {"parallel_attn": False}, False),
        (_FALCON, {"new_decoder_architecture": True, "num_kv_heads": 2}, True),
        (TREE["StableLM"], {"use_parallel_residual": True}, True),
    ],
)
def test_what_runs_in_parallel_is_told_by_what_the_model_does(family, changes: dict, parallel: bool) -> None:
    layers = find_layers(build(family, **changes))
    assert {layer.after_attention is None for layer in layers} == {parallel}


def test_a_layer_of_a_recurrence_alone_has_one_point() -> None:
    assert [layer.after_attention for layer in find_layers(build(PLAIN["Mamba"]))] == [None] * 3


def test_the_stream_is_read_where_the_mlp_side_begins() -> None:
    model = build(TREE["Llama"])
    assert [layer.block for layer in find_layers(model)] == list(model.model.layers)
    assert [layer.after_attention for layer in find_layers(model)] == [
        block.post_attention_layernorm for block in model.model.layers
    ]


def test_the_norm_of_the_attention_alone_is_not_taken_for_the_stream() -> None:
    model = build(TREE["Gemma 2"])
    assert [layer.after_attention for layer in find_layers(model)] == [
        block.pre_feedforward_layernorm for block in model.model.layers
    ]


def test_an_attention_that_adds_almost_nothing_to_a_large_stream_is_still_found() -> None:
    model = build(TREE["Llama"])
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(1e4)
        for block in model.model.layers:
            block.self_attn.o_proj.weight.mul_(0.1)
    assert all(layer.after_attention is not None for layer in find_layers(model))


def test_layers_are_found_in_half_precision() -> None:
    layers = find_layers(build(TREE["Mistral"]).bfloat16())
    assert all(layer.after_attention is not None for layer in layers)


@pytest.mark.parametrize(
    ("family", "architecture"),
    [
        ((_OPT[0], {**_OPT[1], "do_layer_norm_before": False}), "OPTForCausalLM"),
        (("OpenAIGPT", {"n_embd": 32, "n_layer": 3, "n_head": 4}), "OpenAIGPTLMHeadModel"),
    ],
)
def test_a_norm_on_the_stream_itself_is_refused_in_one_line(family, architecture: str) -> None:
    with pytest.raises(UsageError, match=rf"^model of architecture {architecture}: layer 1 .*norm on the stream.*$"):
        find_layers(build(family))


def test_an_encoder_and_decoder_is_refused() -> None:
    config = T5Config(vocab_size=96, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0)
    with pytest.raises(UsageError, match="T5ForConditionalGeneration: no decoder"):
        find_layers(AutoModelForSeq2SeqLM.from_config(config))


def test_a_model_whose_layers_are_in_no_list_is_refused() -> None:
    model = build(TREE["Llama"])
    model.config.num_hidden_layers = 2
    with pytest.raises(UsageError, match="LlamaForCausalLM: its 2 layers cannot be found"):
        find_layers(model)


def test_no_hook_is_left_behind() -> None:
    model = build(TREE["GPT-2"])
    find_layers(model)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
