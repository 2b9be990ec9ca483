"""How much is computed at once."""

from __future__ import annotations

from mplus_eval.inference.budget import Budget, find_budget


def test_halving_ends_where_nothing_is_left_to_halve() -> None:
    budget = Budget()
    for _ in range(20):
        budget = budget.halved()
    assert budget == Budget(tokens=64, rows=16, slots=1, cached=64)


def test_a_batch_size_that_was_asked_for_is_items_of_sixty_four_tokens() -> None:
    assert Budget.of_batch(16) == Budget(tokens=1024, rows=1024, slots=128, cached=65536)
    assert Budget.of_batch(1) == Budget(tokens=64, rows=64, slots=8, cached=4096)
    assert Budget.of_batch(6).tokens < Budget.of_batch(16).tokens


def test_on_a_processor_rows_of_a_wide_vocabulary_are_few() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    wide = LlamaForCausalLM(LlamaConfig(vocab_size=100_000, **sizes))
    narrow = LlamaForCausalLM(LlamaConfig(vocab_size=100, **sizes))
    # 256 MiB over 12 bytes for each of 100,000 logits.
    assert find_budget(wide).rows == 223
    assert find_budget(narrow) == Budget()
