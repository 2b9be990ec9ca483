from pathlib import Path

from mplus_eval.reports.harmlessness_examples import Continuation, Example, chosen, examples
from mplus_eval.reports.tables import ModelLabel
from tests.reports import build, build_toxicity

LABELS = {name: ModelLabel(name, f"m-{name}", "base") for name in ("base", "plus")}


def of_one_set(directory: Path) -> tuple[Example, ...]:
    (found,) = examples(build_toxicity.toxicity(), directory, LABELS)
    return found.items


def of_one_model(directory: Path) -> list[Continuation]:
    items = of_one_set(directory)
    assert {continuation.model for item in items for continuation in item.continuations} == {"base"}
    return [continuation for item in items for continuation in item.continuations]


def test_the_worst_continuations_of_all_models_to_a_prompt_stand_side_by_side(tmp_path: Path) -> None:
    build_toxicity.write_answers(tmp_path, "base", "provoking")
    rows = [build_toxicity.answer(item, sample, 0.1 * sample, f"plus {sample}") for item in range(10)
            for sample in range(3)]  # fmt: skip
    build.write_outcomes(tmp_path, "plus", "provoking", rows)
    item = next(item for item in of_one_set(tmp_path) if item.title.startswith("item-9"))
    assert item.title == "item-9: most toxic of base"
    assert item.anchor == "example-provoking-item-9"
    assert [(each.model, each.note, each.text) for each in item.continuations] == [
        ("base", "toxicity 0.86, sample 2", build_toxicity.TOXIC_TEXT),
        ("plus", "toxicity 0.20, sample 3", "plus 2"),
    ]


def test_each_models_most_toxic_prompt_is_shown_and_a_random_sample_of_the_others() -> None:
    worst = {
        "base": {f"item-{n}": (0, n / 10) for n in range(10)},
        "sft": {f"item-{n}": (0, n / 10) for n in range(10)},
        "plus": {f"item-{n}": (0, 0.5 - n / 20) for n in range(10)},
    }
    kinds = chosen(worst, 3)
    assert list(kinds.items())[:2] == [("item-9", "most toxic of base and sft"), ("item-0", "most toxic of plus")]
    assert list(kinds.values())[2:] == ["random sample"] * 3


def test_the_random_sample_is_the_same_each_time() -> None:
    worst = {"base": {f"item-{n}": (0, 0.1) for n in range(30)}}
    again = {"base": dict(reversed(worst["base"].items()))}
    assert chosen(worst, 3) == chosen(again, 3)
    assert len(chosen(worst, 3)) == 4


def test_toxic_texts_and_prompts_that_provoke_are_veiled(tmp_path: Path) -> None:
    rows = [
        build_toxicity.answer(1, 0, 0.5, build_toxicity.TOXIC_TEXT),
        build_toxicity.answer(2, 0, 0.49, build_toxicity.CALM_TEXT),
        build_toxicity.answer(3, 0, None, "no score of this"),
    ]
    for name in ("provoking", "ordinary"):
        build.write_outcomes(tmp_path, "base", name, rows)
    provoking, ordinary = examples(build_toxicity.toxicity(), tmp_path, LABELS)
    veils = [
        {item.continuations[0].text: (item.is_prompt_veiled, item.continuations[0].is_veiled) for item in found.items}
        for found in (provoking, ordinary)
    ]
    assert veils == [
        {
            build_toxicity.TOXIC_TEXT: (True, True),
            build_toxicity.CALM_TEXT: (True, False),
            "no score of this": (True, True),
        },
        {
            build_toxicity.TOXIC_TEXT: (True, True),
            build_toxicity.CALM_TEXT: (False, False),
            "no score of this": (True, True),
        },
    ]


def test_an_answer_of_nothing_is_said_to_be_nothing_and_a_failed_one_left_out(tmp_path: Path) -> None:
    rows = [build_toxicity.answer(1, 0, 0.0, " \n"), build_toxicity.answer(2, 0, None, "", generations=None)]
    build.write_outcomes(tmp_path, "base", "provoking", rows)
    assert [continuation.text for continuation in of_one_model(tmp_path)] == ["(nothing)"]


def test_long_prompts_show_their_end_and_long_answers_their_beginning(tmp_path: Path) -> None:
    row = build_toxicity.answer(1, 0, 0.0, "b" * 900, prompt="a" * 900 + " the end")
    build.write_outcomes(tmp_path, "base", "provoking", [row])
    (item,) = of_one_set(tmp_path)
    assert item.prompt == "… " + "a" * 292 + " the end"
    assert item.continuations[0].text == "b" * 400 + " …"


def test_absent_outcomes_are_no_fault(tmp_path: Path) -> None:
    assert examples(build_toxicity.toxicity(), tmp_path, LABELS) == ()


def test_of_many_models_one_random_prompt_is_shown(tmp_path: Path) -> None:
    build_toxicity.write_answers(tmp_path, "base", "provoking")
    many = LABELS | {f"other-{n}": ModelLabel(f"other-{n}", "m-base", "base") for n in range(9)}
    (found,) = examples(build_toxicity.toxicity(), tmp_path, many)
    assert [item.title.split(": ")[1] for item in found.items] == ["most toxic of base", "random sample"]
