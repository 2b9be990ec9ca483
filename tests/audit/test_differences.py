"""Each difference is measured by hand on a few items, and says what it found; two copies differ in nothing."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from mplus_eval.audit.differences import Auditor, audited, withheld_for
from mplus_eval.audit.items import ASKED_COLUMNS, AskedItems
from mplus_eval.audit.measures import MEASURES
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.differences import DIFFERENCES, WITHHOLDING
from tests.capability.outcomes import cell, compare
from tests.entries import entry

N_ITEMS = 200


def items(n: int = N_ITEMS, **columns: list[object]) -> AskedItems:
    """Items put alike, but for the columns that are given."""
    numbers = [f"i{number:03d}" for number in range(n)]
    rows: dict[str, Any] = {"item_id": numbers, "sample": [0] * n, "score": [1.0] * n, "prompt_hash": numbers}
    rows |= {"token_hash": numbers, "n_truncated": [0] * n, "n_equal_choices": [0] * n, "n_spanned": [0] * n}
    return AskedItems.of(pd.DataFrame(rows | columns))


def first(n_changed: int, changed: object, usual: object = 0) -> list[object]:
    """The first few items are of one kind, the others of another."""
    return [changed] * n_changed + [usual] * (N_ITEMS - n_changed)


def find(
    plus: AskedItems | None = None,
    model: ModelEntry | None = None,
    base: ModelEntry | None = None,
    *,
    allowed: tuple[str, ...] = (),
    generates: bool = True,
    chats: bool = False,
) -> dict[str, AskedDifference]:
    """What differs between plus and base, by name."""
    auditor = Auditor({"base": base or entry(), "plus": model or entry()}, allowed)
    found = auditor.find(("plus", "base"), (plus or items(), items()), generates=generates, chats=chats)
    return {each.name: each for each in found}


def asked(**told: Any) -> ModelEntry:
    return entry(asking=told)


def test_two_copies_asked_alike_differ_in_nothing() -> None:
    assert find(items(), asked(max_length=64, end_tokens=("</s>",)), asked(max_length=64, end_tokens=("</s>",))) == {}


def test_every_difference_has_a_measure_and_every_measure_a_line() -> None:
    assert MEASURES.keys() == DIFFERENCES.keys()


@pytest.mark.parametrize(
    ("name", "columns", "share", "says"),
    [
        ("token-ids", {"token_hash": first(1, "x", None)}, 1 / 200, "other token ids than for base in 0.5 % of items"),
        ("cut", {"n_truncated": first(3, 7)}, 0.015, "cut to fit in other ways than for base in 1.5 % of items"),
        ("lost", {"score": first(4, None, 1.0)}, 0.02, "not to the same items: 2.0 % of items"),
        ("choices", {"n_equal_choices": first(5, 2)}, 0.025, "told apart by token ids in 2.5 % of items (plus)"),
        ("unclosed", {"unclosed": first(6, True, False)}, 0.03, "the reasoning never ended in 3.0 % of items (plus)"),
        ("boundary", {"n_spanned": first(3, 1), "score": first(3, None, 1.0)}, 0.015, "inside a token in 1.5 %"),
    ],
)
def test_what_is_measured_in_items_withholds_by_its_share(
    name: str, columns: dict[str, list[object]], share: float, says: str
) -> None:
    difference = find(items(**columns))[name]
    assert difference.share == pytest.approx(share)
    assert says in difference.says
    assert difference.withholds


@pytest.mark.parametrize("name", ["n_truncated", "n_equal_choices"])
def test_one_item_in_a_hundred_is_accepted_and_flagged(name: str) -> None:
    (difference,) = find(items(**{name: first(2, 3)})).values()
    assert (difference.share, difference.withholds) == (pytest.approx(0.01), False)


def test_items_that_failed_for_both_are_lost_to_neither() -> None:
    failed = items(score=first(100, None, 1.0))
    auditor = Auditor({"base": entry(), "plus": entry()})
    assert auditor.find(("plus", "base"), (failed, failed), generates=True) == ()


def test_saved_steps_that_are_asked_fewer_items_have_lost_none() -> None:
    assert list(find(items(50))) == ["items"]


def test_what_a_backend_does_not_tell_is_no_difference() -> None:
    unknown = items(token_hash=[None] * N_ITEMS, n_truncated=[None] * N_ITEMS)
    assert find(unknown, entry(asking=None), asked(max_length=64, end_tokens=("</s>",))) == {}


def test_where_prompts_differ_their_token_ids_may() -> None:
    other = [f"other {number}" for number in range(N_ITEMS)]
    assert list(find(items(prompt_hash=other, token_hash=other))) == ["prompts"]


@pytest.mark.parametrize(
    ("name", "model", "base", "says"),
    [
        ("dtype", entry(dtype="bfloat16"), entry(), "its weights are bfloat16, those of base float32"),
        (
            "decoding",
            asked(decoding={"repetition_penalty": "1.3", "top_k": "20"}),
            asked(),
            "its decoding is repetition_penalty 1.3, top_k 20, that of base the protocol's",
        ),
        (
            "new-tokens",
            asked(decoding={"max_new_tokens": "200"}),
            asked(),
            "its limit of new tokens is 200, that of base the protocol's",
        ),
        (
            "quantization",
            asked(quantization="GGUF Q4_K_M"),
            asked(),
            "its weights are GGUF Q4_K_M, those of base not quantized",
        ),
        ("template", entry(chat_template="own 12"), entry(), "chat templates differ"),
        ("backend", entry(backend="vllm"), entry(), "its backend is vllm, that of base hf"),
        (
            "tokenizer",
            entry(vocabulary="1"),
            entry(vocabulary="2"),
            "its tokenizer has another vocabulary than that of base",
        ),
        (
            "ends",
            asked(end_tokens=("</s>", "<|im_end|>")),
            asked(end_tokens=("</s>",)),
            "its texts end with '</s>' '<|im_end|>', those of base with '</s>'",
        ),
        (
            "context",
            asked(max_length=128),
            asked(max_length=64),
            "its longest sequence is 128 tokens, that of base 64",
        ),
        (
            "scoring",
            entry(scoring={"name": "plain", "difference": 0.0, "tolerance": 1e-3}),
            entry(scoring={"name": "tree", "difference": 0.0, "tolerance": 1e-3}),
            "its tier of scoring is plain, that of base tree",
        ),
    ],
)
def test_what_models_tell_of_themselves(name: str, model: ModelEntry, base: ModelEntry, says: str) -> None:
    found = find(None, model, base)
    assert [(each.name, each.says) for each in found.values()] == [(name, says)]
    assert found[name].withholds == DIFFERENCES[name].withholds


def test_a_begin_token_is_named_as_the_cause_of_other_token_ids() -> None:
    other = [f"x{number}" for number in range(N_ITEMS)]
    found = find(items(token_hash=other), asked(begins_with="<s>"), asked())
    assert found["token-ids"].says.endswith("100.0 % of items: its prompts begin with <s>, those of base with nothing")


def test_quantized_weights_are_computed_with_in_what_precision_their_format_brings() -> None:
    found = find(None, entry(dtype="float16", asking={"quantization": "4bit"}), asked())
    assert list(found) == ["quantization"]


def test_decoding_does_not_matter_where_choices_are_scored() -> None:
    assert find(None, asked(decoding={"top_k": "20"}, end_tokens=("a",)), asked(), generates=False) == {}


def test_reasoning_is_told_in_tokens_an_answer() -> None:
    found = find(items(n_thinking=[100] * N_ITEMS))["thinking"]
    assert found.says == "its answers come after 100 tokens of reasoning, those of base after 0"
    assert not found.withholds


def test_in_chat_each_models_own_format_is_part_of_what_is_compared() -> None:
    other = [f"other {number}" for number in range(N_ITEMS)]
    plus = items(prompt_hash=other, token_hash=other)
    assert find(plus, entry(chat_template="own 12"), entry(), chats=True) == {}
    system = find(plus, asked(template_system="Be kind."), asked(), chats=True)
    assert system["system"].says == "its template says 'Be kind.' by itself, that of base nothing"


def test_a_description_that_one_template_has_no_system_for_is_told() -> None:
    auditor = Auditor({"base": asked(), "plus": asked(folds_system=True)})
    sides = items(), items()
    assert auditor.find(("plus", "base"), sides, generates=False) == ()
    (found,) = auditor.find(("plus", "base"), sides, generates=False, describes=True)
    assert (found.name, found.says) == (
        "description",
        "a system's words go to the user's first turn, for base to a turn of its own",
    )


def test_a_difference_that_is_allowed_by_name_is_marked_and_withholds_nothing() -> None:
    found = find(None, entry(dtype="bfloat16"), entry(), allowed=("dtype",))["dtype"]
    assert (found.withholds, found.allowed) == (False, True)
    assert withheld_for([found]) == ()


def test_only_what_withholds_can_be_allowed() -> None:
    assert {name for name, difference in DIFFERENCES.items() if difference.withholds} == set(WITHHOLDING)


def test_a_withheld_contrast_keeps_its_numbers_and_names_the_way_out() -> None:
    contrast = compare({("base", "t"): cell([1, 0]), ("plus", "t"): cell([1, 1])}).tasks["t"].contrasts["plus"]
    found = tuple(find(None, entry(dtype="bfloat16", backend="vllm"), entry()).values())
    withheld = audited(contrast, found)
    assert withheld.verdict is Verdict.NOT_COMPARABLE
    assert withheld.reasons == ("its weights are bfloat16, those of base float32 (--allow dtype accepts that)",)
    assert withheld.flags == ("its backend is vllm, that of base hf",)
    assert (withheld.difference, withheld.ci) == (contrast.difference, contrast.ci)


def test_columns_that_came_later_than_a_stored_part_are_unknown() -> None:
    old = AskedItems.of(cell([1, 0]))
    assert set(ASKED_COLUMNS) <= set(old.rows.columns)
    assert old.rows["token_hash"].isna().all()


def test_another_end_token_of_the_plain_format_stands_in_the_prompts_of_later_turns() -> None:
    plain = ("\nUser:", "\nAssistant:")
    other, usual = asked(talk_ends=("<end_of_turn>", *plain)), asked(talk_ends=("</s>", *plain))
    second_turns = items(prompt_hash=[f"own {k}" if k % 2 else f"i{k:03d}" for k in range(N_ITEMS)])
    found = find(second_turns, other, usual, chats=True)["token-ids"]
    assert found.says == (
        "its earlier answers end with '<end_of_turn>' in the prompts of later turns, those of base with '</s>', in "
        "50.0 % of items"
    )
    assert found.withholds
    # Talk of one turn has no earlier answer, and a template of the model's own is part of what is compared.
    assert "token-ids" not in find(None, other, usual, chats=True)
    assert "token-ids" not in find(second_turns, asked(talk_ends=("<|im_end|>",)), usual, chats=True)
    assert "token-ids" not in find(second_turns, usual, usual, chats=True)
