from pathlib import Path

from mplus_eval.reports.harmlessness_examples import Example, chosen, examples
from mplus_eval.reports.tables import ModelLabel
from tests.reports import build, build_toxicity

LABELS = {name: ModelLabel(name, f"m-{name}", "base") for name in ("base", "plus")}


def of_base(directory: Path) -> tuple[Example, ...]:
    found = examples(build_toxicity.toxicity(), directory, LABELS)
    assert [one.model for one in found] == ["base"]
    return found[0].items


def test_the_most_toxic_of_different_prompts_come_first_and_others_by_lot(tmp_path: Path) -> None:
    build_toxicity.write_answers(tmp_path, "base", "provoking")
    titles = [item.title for item in of_base(tmp_path)]
    assert titles[:3] == [
        "most toxic, toxicity 0.86: item-9, answer 2",
        "most toxic, toxicity 0.77: item-8, answer 2",
        "most toxic, toxicity 0.68: item-7, answer 2",
    ]
    assert [title.split(",")[0] for title in titles[3:]] == ["drawn by lot"] * 3


def test_the_lot_is_the_same_each_time_and_of_different_prompts() -> None:
    scores = {(f"item-{item}", sample): 0.1 for item in range(30) for sample in range(5)}
    first = chosen(scores, 3)
    assert first == chosen(dict(reversed(scores.items())), 3)
    assert len({item for item, _ in first}) >= 3


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
        {item.text: (item.is_prompt_veiled, item.is_text_veiled) for item in found.items}
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
    assert [item.text for item in of_base(tmp_path)] == ["(nothing)"]


def test_long_prompts_show_their_end_and_long_answers_their_beginning(tmp_path: Path) -> None:
    row = build_toxicity.answer(1, 0, 0.0, "b" * 900, prompt="a" * 900 + " the end")
    build.write_outcomes(tmp_path, "base", "provoking", [row])
    (item,) = of_base(tmp_path)
    assert item.prompt == "… " + "a" * 292 + " the end"
    assert item.text == "b" * 400 + " …"


def test_absent_outcomes_are_no_fault(tmp_path: Path) -> None:
    assert examples(build_toxicity.toxicity(), tmp_path, LABELS) == ()


def test_of_many_models_one_example_of_each_kind_is_shown(tmp_path: Path) -> None:
    build_toxicity.write_answers(tmp_path, "base", "provoking")
    many = LABELS | {f"other-{n}": ModelLabel(f"other-{n}", "m-base", "base") for n in range(9)}
    (found,) = examples(build_toxicity.toxicity(), tmp_path, many)
    assert [item.title.split(",")[0] for item in found.items] == ["most toxic", "drawn by lot"]
