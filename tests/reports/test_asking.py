from __future__ import annotations

from typing import Any

from mplus_eval.records.asking import AskedDifference, Asking
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.asking import asking_tables, same_weights
from mplus_eval.reports.decision import decide
from mplus_eval.reports.matrix import notes_on_cells
from mplus_eval.reports.terminal import not_compared_lines
from tests.reports import build

DTYPE = AskedDifference(name="dtype", says="its weights are bfloat16, those of base float32", withholds=True)
REASON = f"{DTYPE.says} (--allow dtype accepts that)"


def withheld(**of_plus: Any) -> Comparison:
    """Base and plus on every task, of which no verdict is given."""
    whole = build.full()
    tasks = {
        name: task.model_copy(
            update={
                "contrasts": {
                    model: contrast.model_copy(
                        update={
                            "differences": (DTYPE,),
                            "flags": (),
                            "reasons": (REASON,),
                            "verdict": Verdict.NOT_COMPARABLE,
                        }
                    )
                    for model, contrast in task.contrasts.items()
                    if model == "plus"
                }
            }
        )
        for name, task in whole.tasks.items()
    }
    summary = whole.summary["plus"].model_copy(update={"verdict": Verdict.NOT_COMPARABLE, "reasons": (REASON,)})
    models = {
        "base": whole.models["base"].model_copy(update={"asking": Asking(begins_with="<s>", max_length=4096)}),
        "plus": whole.models["plus"].model_copy(update={"asking": Asking(decoding={"top_k": "20"}), **of_plus}),
    }
    of_both = {"base": whole.summary["base"], "plus": summary}
    return whole.model_copy(update={"tasks": tasks, "summary": of_both, "models": models, "missing": ()})


def test_how_each_model_was_asked_stands_in_one_table_without_empty_columns() -> None:
    asked, _ = asking_tables(withheld())
    assert [column.text for column in asked.columns] == [
        "Model",
        "Longest sequence",
        "Prompts begin with",
        "Decoding of its own",
    ]
    cells = {row.header.text: [cell.text for cell in row.cells] for row in asked.rows}
    assert cells == {"base": ["4,096 tokens", "<s>", "–"], "plus": ["–", "–", "top_k 20"]}


def test_one_difference_on_many_tasks_is_one_row_with_what_follows() -> None:
    _, differences = asking_tables(withheld())
    (row,) = differences.rows
    assert row.header.text == "plus"
    says, where, follows = (cell.text for cell in row.cells)
    assert says == DTYPE.says
    assert where.startswith("mmlu, ")
    assert where.endswith("more places")
    assert follows == "no verdict (--allow dtype accepts it)"


def test_models_that_tell_nothing_and_differ_in_nothing_have_no_table() -> None:
    assert asking_tables(build.full()) == ()


def test_a_withheld_suite_names_its_reason_in_sentence_axis_and_terminal() -> None:
    decision = decide("plus", withheld())
    assert decision.sentence.startswith(f"Capability not compared with base: {REASON}.")
    assert (decision.axes[0].mark.word, decision.axes[0].reason) == ("not comparable", REASON)
    assert not_compared_lines(withheld()) == [f"The capability of plus is not compared: {REASON}."]


def test_what_withholds_is_no_footnote_besides() -> None:
    assert not any(DTYPE.says in note for note in notes_on_cells(withheld()))


def test_the_same_weights_are_said() -> None:
    same = withheld(weights="abc")
    same.models["base"] = same.models["base"].model_copy(update={"weights": "abc"})
    (said,) = same_weights("plus", same)
    assert said == "plus has the same weights as base: whatever differs comes from how they were asked."
    assert said in decide("plus", same).remarks
    assert list(same_weights("plus", withheld())) == []
