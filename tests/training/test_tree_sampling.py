"""Answers of a training by the package's own generator: the same distribution, resumed alike, and what it refuses."""

import json

import pytest
import torch
from scipy import stats
from transformers import AutoModelForCausalLM, FalconH1Config, FalconH1ForCausalLM

from mplus_eval.demo import BASE
from mplus_eval.errors import SpecError
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.recipe import RlhfStage
from mplus_eval.training.settings import stage_config
from mplus_eval.training.train import train
from mplus_eval.training.tree_sampling import sampling_by_tree, tree_fault
from tests.training.small import copy_of_killed, recipe, rlhf_recipe, same


class Trainer:
    """What of TRL's trainers is made use of."""

    def __init__(self, model, eos_token_ids):
        self.model_wrapped, self.eos_token_ids, self.accelerator = model, eos_token_ids, self

    def unwrap_model(self, model):
        return model

    def autocast(self):
        return torch.no_grad()


def stage(**changes):
    return RlhfStage(learning_rate=1e-3, steps=1, batch_size=4, answers=2, **changes)


@pytest.fixture(scope="module")
def model():
    return AutoModelForCausalLM.from_pretrained(BASE)


def sampler(model, settings):
    tokenizer = load_tokenizer(BASE)
    return sampling_by_tree(Trainer, settings, tokenizer)(model, [tokenizer.eos_token_id])


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_first_token_is_drawn_from_the_models_own_distribution(model, temperature):
    torch.manual_seed(0)
    prompt = [5, 6, 7]
    trainer = sampler(model, stage(max_new_tokens=1, temperature=temperature))
    n = 4000
    drawn = [tokens[0] for tokens in trainer._generate_single_turn([prompt] * n, None, {})]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt])).logits[0, -1].double()
    expected = n * torch.softmax(logits / temperature, -1).numpy()
    counts = torch.bincount(torch.tensor(drawn), minlength=len(expected)).numpy()
    # Rare tokens are put together, so that every class is expected five times at least.
    common = expected >= 5
    observed = [*counts[common], counts[~common].sum()]
    theory = [*expected[common], expected[~common].sum()]
    assert common.sum() > 3
    assert stats.chisquare(observed, theory, sum_check=False).pvalue > 1e-3


def test_answers_end_with_the_end_token_or_a_stop_string_or_at_the_limit(model):
    torch.manual_seed(0)
    tokenizer = load_tokenizer(BASE)
    prompt = tokenizer("User: Thank you.\nAssistant:")["input_ids"]
    whole = sampler(model, stage(max_new_tokens=12))._generate_single_turn([prompt] * 40, None, {})
    ended = [tokens for tokens in whole if tokens[-1] == tokenizer.eos_token_id]
    assert 0 < len(ended) < 40
    assert all(len(tokens) == 12 for tokens in whole if tokens not in ended)
    assert all(tokens.count(tokenizer.eos_token_id) == 1 for tokens in ended)
    stop = tokenizer.decode(whole[0][2])
    stopping = sampler(model, stage(max_new_tokens=12, termination={"stop_strings": [stop]}))
    torch.manual_seed(0)
    for tokens in stopping._generate_single_turn([prompt] * 40, None, {}):
        assert stop not in tokenizer.decode(tokens[:-1])


def test_draws_follow_torchs_random_state(model):
    trainer = sampler(model, stage(max_new_tokens=4))

    def drawn():
        return trainer._generate_single_turn([[5, 6]] * 8, None, {})

    torch.manual_seed(3)
    first, second = drawn(), drawn()
    torch.manual_seed(3)
    assert drawn() == first
    assert first != second
    assert len({tuple(tokens) for tokens in first}) > 1


def test_a_killed_training_draws_the_same_answers_again(tmp_path):
    train(rlhf_recipe(tmp_path / "whole", sampler="tree"))
    copy_of_killed(tmp_path / "whole", tmp_path / "killed")
    train(rlhf_recipe(tmp_path / "killed", sampler="tree"))
    assert same(tmp_path / "whole" / "plus", tmp_path / "killed" / "plus")
    steps = [json.loads(line) for line in (tmp_path / "whole" / "plus" / "steps.jsonl").read_text().splitlines()]
    assert len(steps) == 4


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory):
    """The demo's base in name, a recurrent model by its weights."""
    torch.manual_seed(0)
    tokenizer = load_tokenizer(BASE)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    mamba = {"mamba_d_ssm": 16, "mamba_n_heads": 2, "mamba_d_state": 4, "mamba_chunk_size": 8}
    config = FalconH1Config(vocab_size=len(tokenizer), num_key_value_heads=1, **sizes, **mamba)
    folder = tmp_path_factory.mktemp("recurrent")
    FalconH1ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_base_that_the_generator_does_not_repeat_is_refused_before_any_stage_is_trained(recurrent, tmp_path):
    stages = recipe(tmp_path / "out", base=str(recurrent)).rlhf["plus"].model_dump() | {"sampler": "tree"}
    asked = recipe(tmp_path / "out", base=str(recurrent), rlhf={"plus": stages})
    with pytest.raises(SpecError, match=r"rlhf\.plus\.sampler: tree cannot sample from this base .*take transformers"):
        train(asked)
    assert not (tmp_path / "out" / "reward").exists()


def test_a_base_that_it_repeats_has_no_fault(model):
    assert tree_fault(model, 128) is None


def test_grpo_and_weights_in_shards_are_refused():
    asked = rlhf_recipe(BASE, sampler="tree", algorithm="grpo")
    with pytest.raises(SpecError, match=r"sampler: tree .*for rloo only"):
        stage_config(asked, asked.rlhf["plus"], BASE)
    with pytest.raises(ValueError, match=r"rlhf\.plus: sampler tree needs whole weights"):
        rlhf_recipe(BASE, {"launch": {"processes": 2, "accelerate": "fsdp2"}}, sampler="tree")


def test_vllm_and_the_tree_cannot_both_make_answers():
    with pytest.raises(ValueError, match="take use_vllm out of trl, or sampler"):
        stage(sampler="tree", trl={"use_vllm": True})
