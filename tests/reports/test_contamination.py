from mplus_eval.records.comparison import Comparison
from mplus_eval.records.contamination import Contamination, Overlap, SeenTest, TaskContamination
from mplus_eval.reports.contamination import contamination_notes, seen_cells, seen_note
from tests.reports import build


def seen(p_adjusted: float) -> SeenTest:
    fields = {"gain": 0.2, "n": 40, "n_references": 99, "reference": "other orders"}
    return SeenTest(p_value=p_adjusted / 2, p_adjusted=p_adjusted, flagged=p_adjusted < 0.05, **fields)


def checked() -> Comparison:
    found = {
        "plus": {"mmlu": TaskContamination(order=seen(0.0004), min_k=seen(0.03))},
        "sft": {"mmlu": TaskContamination(order=seen(0.6), withheld={"Min-K%": "no paraphrases"})},
    }
    overlap = {"mmlu": Overlap(n_items=14042, n_any=1200, n_most=80, n_short=3, words=13)}
    contamination = Contamination(level=0.05, seed=0, models=found, overlap=overlap)
    return build.full().model_copy(update={"contamination": contamination})


def test_a_flag_stands_beside_the_task_with_its_smallest_p_value() -> None:
    assert seen_note(checked(), "mmlu") == ", items seen before by plus (p < 0.001)"
    assert seen_note(checked(), "gsm8k") == seen_note(build.full(), "mmlu") == ""


def test_every_test_has_its_adjusted_p_value_and_a_dash_where_there_is_none() -> None:
    assert [cell.text for cell in seen_cells(checked(), "mmlu", "plus").values()] == [
        "< 0.001, flagged",
        "0.030, flagged",
    ]
    assert [cell.text for cell in seen_cells(checked(), "mmlu", "sft").values()] == ["0.600", "–"]
    assert {cell.text for cell in seen_cells(build.full(), "mmlu", "sft").values()} == {"–"}


def test_what_flags_mean_what_was_withheld_and_what_a_corpus_holds_is_noted() -> None:
    meaning, withheld, overlap = contamination_notes(checked())
    assert meaning.startswith("Items seen before: ")
    assert withheld == "sft × mmlu: Min-K% test withheld: no paraphrases."
    assert overlap == "mmlu: 1,200 of 14,042 items share 13 words in a row with the corpus, 80 most of theirs."
    assert list(contamination_notes(build.full())) == []
