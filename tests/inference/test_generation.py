"""Generation that shares prefixes, against transformers' own `generate` and hand-worked distributions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from transformers import AutoConfig, AutoModelForCausalLM

from mplus_eval.errors import UsageError
from mplus_eval.inference.budget import Budget
from mplus_eval.inference.generation import Prompt, TreeGenerator
from mplus_eval.inference.logits import NotANumberError
from mplus_eval.inference.sampling import Sampling

VOCABULARY = 97
SMALL = {"vocab_size": VOCABULARY, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
LAYERED = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": LAYERED,
    "mistral": {**LAYERED, "sliding_window": 24},
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 512},
    "gemma2": {**LAYERED, "sliding_window": 24, "attn_logit_softcapping": 5.0, "query_pre_attn_scalar": 16},
    # Attention sinks, and values of another dimension than keys.
    "gpt_oss": {**LAYERED, "sliding_window": 24, "num_local_experts": 4, "num_experts_per_tok": 2},
    "deepseek_v3": {
        **{key: value for key, value in LAYERED.items() if key != "head_dim"},
        "num_key_value_heads": 4,
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 8,
        "v_head_dim": 12,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "n_group": 1,
        "topk_group": 1,
        "moe_intermediate_size": 16,
        "first_k_dense_replace": 1,
        "n_shared_experts": 1,
    },
}

SEEDS = {"llama": 1}
"""Where the first seed makes two tokens nearly tied somewhere."""


def build(family: str, **changes: Any) -> Any:
    torch.manual_seed(SEEDS.get(family, 0))
    config = AutoConfig.for_model(family, **{**SMALL, **CONFIGS[family], **changes})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    # Widely spread weights, so that two tokens are seldom nearly tied.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
    return model


@pytest.fixture(scope="module", params=list(CONFIGS))
def any_model(request: pytest.FixtureRequest) -> Any:
    return build(request.param)


@pytest.fixture(scope="module")
def llama() -> Any:
    return build("llama")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tokens(n: int, seed: int) -> tuple[int, ...]:
    numbers = random.Random(seed)
    return tuple(numbers.randrange(VOCABULARY) for _ in range(n))


def sharing(n: int) -> list[tuple[int, ...]]:
    """Prompts of different lengths: a long prefix for all, a middle for some, one that ends inside another."""
    prefix, middle = tokens(100, 1), tokens(70, 2)
    found = [
        prefix + (middle if number % 3 == 0 else ()) + tokens(1 + number * 3 % 17, 10 + number) for number in range(n)
    ]
    return [*found, prefix, found[0][:-1], tokens(30, 3)]


def reference(model: Any, prompt: Sequence[int], n: int) -> tuple[list[int], float]:
    """Greedy tokens by transformers, and by how much the best logit led where it led least."""
    result = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=n,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    two = torch.stack(result.logits).topk(2, -1).values
    return result.sequences[0, len(prompt) :].tolist(), float((two[..., 0] - two[..., 1]).min())


@pytest.mark.parametrize("slots", [3, 32])
def test_greedy_tokens_are_those_of_transformers(any_model: Any, slots: int) -> None:
    lengths = [1, 40, 7, 23, 2, 31, 12, 5]
    texts = sharing(9)
    prompts = [Prompt(text, lengths[place % len(lengths)]) for place, text in enumerate(texts)]
    generator = TreeGenerator(any_model, Budget(tokens=64, rows=8), slots=slots)
    told: dict[int, tuple[int, ...]] = {}
    found = generator.generate(prompts, on_done=told.__setitem__)
    for prompt, new in zip(prompts, found, strict=True):
        expected, lead = reference(any_model, prompt.tokens, prompt.max_new_tokens)
        assert lead > 1e-4
        assert list(new) == expected
    assert told == dict(enumerate(found))
    assert any_model.config._attn_implementation == "eager"


def test_every_distinct_prompt_token_is_computed_once(llama: Any) -> None:
    prefix, first, second = tokens(150, 1), (1, 2, 3), (2, 2)
    prompts = [Prompt(prefix + end, 4, Sampling(), seed) for end in (first, second) for seed in range(25)]
    generator = TreeGenerator(llama, Budget(tokens=64), slots=7)
    generator.generate(prompts)
    assert generator.n_tokens == 150 + 3 + 2


def test_a_free_slot_is_filled_at_once(llama: Any) -> None:
    lengths = [9, 3, 3, 4]
    prompts = [Prompt(tokens(5, number), n) for number, n in enumerate(lengths)]
    generator = TreeGenerator(llama, Budget(), slots=2)
    order = sorted(range(4), key=lambda number: prompts[number].tokens)
    # The first new token comes with the prompt. By hand: every slot takes the next in order when it is free.
    ends = [0, 0]
    for number in order:
        slot = ends.index(min(ends))
        ends[slot] += lengths[number] - 1
    generator.generate(prompts)
    assert generator.n_steps == max(ends)


def test_memory_holds_sequences_back_but_changes_nothing(llama: Any) -> None:
    prompts = [Prompt(text, 20) for text in sharing(9)]
    free = TreeGenerator(llama, Budget(tokens=64)).generate(prompts)
    tight = TreeGenerator(llama, Budget(tokens=64), cached_tokens=350)
    assert tight.generate(prompts) == free
    loose = TreeGenerator(llama, Budget(tokens=64))
    loose.generate(prompts)
    assert tight.n_steps > loose.n_steps
    assert tight.n_tokens == loose.n_tokens


def test_memory_stays_within_its_bound(llama: Any) -> None:
    prefix = tokens(100, 1)
    prompts = [Prompt(prefix + tokens(20, number), 11) for number in range(40)]
    generator = TreeGenerator(llama, Budget(tokens=128), slots=4, cached_tokens=350)
    generator.generate(prompts)
    # The prefix, a pack of six prompts' 20 tokens, and four slots for 20 tokens and the ten that are fed.
    assert 100 + 4 * 30 < generator.most_cached <= 100 + 6 * 20 + 4 * 30
    few = TreeGenerator(llama, Budget(tokens=128), slots=4, cached_tokens=290)
    few.generate(prompts)
    assert few.most_cached <= 290
    assert few.n_steps > generator.n_steps


def test_end_tokens_and_stops_cut(llama: Any) -> None:
    text = tokens(40, 5)
    whole = TreeGenerator(llama, Budget()).generate([Prompt(text, 30)])[0]
    end = whole[7]
    place = whole.index(end)

    def third(new: Sequence[int]) -> bool:
        assert tuple(new) == whole[: len(new)]
        return len(new) == 3

    prompts = [
        Prompt(text, 30, end_tokens=frozenset({end})),
        Prompt(text, 30, stopped=third),
        Prompt(text, 1),
        Prompt(text, 0),
        Prompt(text, 30, end_tokens=frozenset({whole[0]})),
        Prompt(text, 30),
    ]
    found = TreeGenerator(llama, Budget(), slots=2).generate(prompts)
    assert found == [whole[: place + 1], whole[:3], whole[:1], (), whole[:1], whole]


def test_no_prompts_give_nothing(llama: Any) -> None:
    assert TreeGenerator(llama, Budget()).generate([]) == []


def test_an_empty_prompt_is_named(llama: Any) -> None:
    with pytest.raises(UsageError, match="prompt 1 has no tokens"):
        TreeGenerator(llama, Budget()).generate([Prompt((1,), 2), Prompt((), 2)])


def test_logits_that_are_not_numbers_are_named() -> None:
    model = build("llama")
    with torch.no_grad():
        model.model.embed_tokens.weight[5] = float("nan")
    with pytest.raises(NotANumberError, match="prompt 1"):
        TreeGenerator(model, Budget()).generate([Prompt((1, 2), 2), Prompt((1, 5), 2)])


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.8, top_p=0.9), Sampling(1.3, top_k=5)])
def test_samples_depend_on_their_seed_only(llama: Any, sampling: Sampling) -> None:
    texts = sharing(4)
    prompts = [Prompt(text, 12, sampling, seed) for text in texts for seed in range(3)]
    alone = [TreeGenerator(llama, Budget()).generate([prompt])[0] for prompt in prompts]
    assert len(set(alone)) > len(texts)
    together = TreeGenerator(llama, Budget(tokens=64), slots=4).generate(prompts)
    assert together == alone
    others = [Prompt(text, 30) for text in sharing(3)]
    turned = TreeGenerator(llama, Budget(), slots=64).generate([*others, *prompts[::-1]])
    assert turned[len(others) :] == alone[::-1]


@pytest.mark.gpu
@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_a_gpu_generates_what_a_processor_does(family: str) -> None:
    model, texts = build(family), sharing(4)
    prompts = [Prompt(text, 12, sampling, 3) for text in texts for sampling in (None, Sampling(0.8, top_p=0.9))]
    expected = TreeGenerator(model, Budget(tokens=64)).generate(prompts)
    assert TreeGenerator(model.to("cuda"), Budget(tokens=64)).generate(prompts) == expected


@pytest.mark.parametrize("sampling", [Sampling(1.5), Sampling(2.0, top_p=0.999)])
def test_frequencies_agree_with_the_softmax(sampling: Sampling) -> None:
    model = build("llama", vocab_size=7)
    text = (1, 4, 2, 6)
    n = 4000
    found = TreeGenerator(model, Budget(), slots=8).generate([Prompt(text, 1, sampling, seed) for seed in range(n)])
    with torch.no_grad():
        logits = model(torch.tensor([text])).logits[0, -1].double()
    expected = torch.softmax(logits / sampling.temperature, -1)
    if sampling.top_p < 1:
        order = expected.argsort(descending=True)
        outside = order[1:][expected[order].cumsum(0)[:-1] >= sampling.top_p]
        expected[outside] = 0
        expected /= expected.sum()
    counts = torch.bincount(torch.tensor([new[0] for new in found]), minlength=7)
    inside = expected > 0
    assert not counts[~inside].any()
    assert chisquare(counts[inside].numpy(), (expected[inside] * n).numpy()).pvalue > 0.01
