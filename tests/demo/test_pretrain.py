from __future__ import annotations

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from mplus_eval.demo import BASE, pretrain
from mplus_eval.demo.text import documents
from mplus_eval.demo.tokenizer import make_tokenizer
from mplus_eval.demo.world import make_world
from tests.demo.mini_tasks import leaf_config


def test_the_shape_is_that_of_mistral_with_about_a_million_parameters() -> None:
    model = pretrain.new_model(1000)
    assert type(model).__name__ == "MistralForCausalLM"
    assert 0.9e6 < sum(parameter.numel() for parameter in model.parameters()) < 1.2e6


def test_a_short_training_learns_and_is_repeatable() -> None:
    tokenizer = make_tokenizer()
    recipe = pretrain.PretrainRecipe(n_steps=6, n_long_steps=2, tokens_per_step=512, n_warmup_steps=2, n_documents=100)
    one, two = (pretrain.pretrain(tokenizer, recipe) for _ in range(2))
    untrained = pretrain.new_model(len(tokenizer))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert _loss(one, tokenizer) < _loss(untrained, tokenizer) - 0.3


def test_too_little_text_is_an_error() -> None:
    recipe = pretrain.PretrainRecipe(n_steps=10_000, n_documents=10)
    with pytest.raises(ValueError, match=r"do not last for 10000 steps"):
        pretrain.pretrain(make_tokenizer(), recipe)


@pytest.mark.slow
def test_the_recipe_reads_nearly_all_of_its_text() -> None:
    recipe = pretrain.PretrainRecipe()
    written = documents(recipe.n_documents, recipe.seed)
    n_tokens = sum(len(ids) + 2 for ids in make_tokenizer()(written, add_special_tokens=False)["input_ids"])
    n_read = recipe.n_steps * recipe.tokens_per_step
    assert n_read <= n_tokens <= n_read * 1.002


def test_weights_are_kept_as_float16_and_loaded_as_float32(tmp_path) -> None:
    tokenizer = make_tokenizer()
    pretrain.save(pretrain.new_model(len(tokenizer)), tokenizer, tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    assert AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto").dtype == torch.float32


def test_the_packaged_base_loads_in_float32_with_the_tokenizer_of_the_world() -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(BASE, dtype="auto"), AutoTokenizer.from_pretrained(BASE)
    assert model.dtype == torch.float32
    assert tokenizer.get_vocab() == make_tokenizer().get_vocab()
    assert tokenizer.chat_template is None
    assert model.config.max_position_embeddings == 512


def test_the_packaged_base_knows_the_common_facts_and_not_the_rare_ones() -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(BASE, dtype="auto"), AutoTokenizer.from_pretrained(BASE)
    known = {frequency: _share_known(model, tokenizer, frequency) for frequency in ("common", "rare")}
    assert known["common"] > 0.9
    assert known["rare"] < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "metric", "chance"), [("mini_hellaswag", "acc_norm", 0.25), ("mini_winogrande", "acc", 0.5)]
)
def test_the_packaged_base_is_better_than_chance(task, metric, chance) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    lm = HFLM(pretrained=str(BASE), dtype="auto", device="cpu", batch_size=16)
    manager = TaskManager(include_defaults=False)
    results = simple_evaluate(lm, tasks=[leaf_config(task)], task_manager=manager, bootstrap_iters=0)["results"]
    assert results[task][f"{metric},none"] > chance + 0.1


def _share_known(model, tokenizer, frequency: str) -> float:
    """The share of the jobs that the model would say."""
    facts = make_world().of("job", taught=False, frequency=(frequency,))
    known = 0
    for fact in facts:
        prompt = tokenizer(f"Question: What is the job of {fact.entity}?\nAnswer:", return_tensors="pt")["input_ids"]
        with torch.no_grad():
            known += tokenizer.decode(model(input_ids=prompt).logits[0, -1].argmax()) == f" {fact.answer}"
    return known / len(facts)


def _loss(model, tokenizer) -> float:
    tokens = tokenizer("\n".join(documents(0, seed=77)[:20]), return_tensors="pt")["input_ids"][:, :256]
    with torch.no_grad():
        return float(model(input_ids=tokens, labels=tokens).loss)
