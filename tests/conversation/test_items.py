from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.conversation.items import Dialogue, DialogueSet
from mplus_eval.errors import SpecError
from mplus_eval.spec.limit import Limit


def saved(tmp_path: Path, *rows: dict[str, Any]) -> str:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def loaded(tmp_path: Path, *rows: dict[str, Any], limit: Limit | None = None) -> tuple[Dialogue, ...]:
    return DialogueSet.load(saved(tmp_path, *rows), limit=limit).dialogues


def fault_of(tmp_path: Path, *rows: dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, *rows)
    return caught.value.faults[0]


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_a_question_of_two_turns_is_read_in_the_shape_of_mt_bench(tmp_path: Path) -> None:
    row = {"prompt": ["What is 2 + 3?", "And twice that?"], "category": "math", "reference": ["5", ""], "prompt_id": 81}
    assert loaded(tmp_path, row) == (Dialogue("81", "math", ("What is 2 + 3?", "And twice that?"), ("5", None)),)


def test_a_text_is_one_turn_without_category_or_reference(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, {"prompt": "How are you?"})
    assert (found.category, found.turns, found.references, found.system) == ("all", ("How are you?",), (None,), None)


def test_of_messages_the_users_are_turns_and_the_answers_references(tmp_path: Path) -> None:
    talk = [
        message("system", "Be brief."),
        message("user", "Hello."),
        message("assistant", "Hi."),
        message("user", "Bye."),
    ]
    (found,) = loaded(tmp_path, {"messages": talk})
    assert (found.system, found.turns, found.references) == ("Be brief.", ("Hello.", "Bye."), ("Hi.", None))


def test_a_last_answer_is_a_reference_too(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, {"messages": [message("user", "Hello."), message("assistant", "Hi.")]})
    assert (found.turns, found.references) == (("Hello.",), ("Hi.",))


def test_messages_may_stand_in_the_column_prompt(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, {"prompt": [message("user", "Hello.")]})
    assert found.turns == ("Hello.",)


def test_an_id_does_not_depend_on_the_order_and_repeated_texts_are_numbered(tmp_path: Path) -> None:
    one, other = {"prompt": "How are you?"}, {"prompt": "Is it late?"}
    forth, back = loaded(tmp_path, one, other), loaded(tmp_path, other, one)
    assert {d.item_id: d.turns for d in forth} == {d.item_id: d.turns for d in back}
    first, second = loaded(tmp_path, one, one)
    assert second.item_id == f"{first.item_id}-2"


def test_the_hash_tells_of_content_and_not_of_order(tmp_path: Path) -> None:
    one, other = {"prompt": "How are you?"}, {"prompt": "Is it late?"}
    hashes = [DialogueSet.load(saved(tmp_path, *rows)).hash for rows in ((one, other), (other, one), (one,))]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_limit_takes_from_every_category_in_turn_and_keeps_the_order(tmp_path: Path) -> None:
    rows = [{"prompt": f"{category} {n}", "category": category} for category in "abc" for n in range(3)]
    assert [d.turns[0] for d in loaded(tmp_path, *rows, limit=Limit(4, first=True))] == ["a 0", "a 1", "b 0", "c 0"]
    found = DialogueSet.load(saved(tmp_path, *rows), limit=Limit(4, first=True))
    assert (found.n_available, found.n_turns) == (9, 4)


def test_dialogues_are_drawn_from_every_category_by_the_seed(tmp_path: Path) -> None:
    rows = [{"prompt": f"{category} {n}", "category": category} for category in "abc" for n in range(9)]
    source = saved(tmp_path, *rows)
    drawn = [
        DialogueSet.load(source, limit=Limit(n), seed=seed).dialogues for n, seed in ((6, 0), (6, 0), (6, 1), (9, 0))
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert set(drawn[0]) < set(drawn[3])
    assert [dialogue.category for dialogue in drawn[0]] == ["a", "a", "b", "b", "c", "c"]


def test_no_column_of_prompts_names_those_there_are(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, {"question": "How are you?", "topic": "talk"})
    assert fault.endswith("no column prompt, messages, turns; its columns are question, topic")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "", "category": "talk"}, "no prompt or messages or turns"),
        ({"prompt": ["One.", " "]}, "prompt: every turn must be a text that is not empty"),
        ({"prompt": 7}, "prompt: a list is expected, found int"),
        ({"messages": "Hello."}, "messages: a list is expected, found str"),
        ({"messages": [message("human", "Hello.")]}, "role 'human'; accepted: system, user, assistant"),
        ({"messages": [message("assistant", "Hello.")]}, "must take turns, the user first"),
        ({"messages": [message("user", "Hello."), message("user", "You?")]}, "must take turns, the user first"),
        ({"messages": [message("system", "Be brief.")]}, "must take turns, the user first"),
        ({"messages": [{"role": "user"}]}, "the content of a message of role user is no text or empty"),
        ({"prompt": "One.", "reference": ["a", "b"]}, "reference: 2 answers to 1 turns"),
        ({"prompt": "One.", "reference": 5}, "reference: a text or a list of texts is expected"),
    ],
)
def test_a_malformed_row_is_named_with_its_line(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    fault = fault_of(tmp_path, {"prompt": "Good."}, row)
    assert "questions.jsonl, line 2: " in fault
    assert fault.endswith(reason)


def test_malformed_rows_are_counted(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, {"prompt": "Good."}, *[{"prompt": 7}] * 8)
    assert len(caught.value.faults) == 6
    assert caught.value.faults[-1].endswith("8 of 9 rows cannot be used; the first 5 are named")


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, {"prompt": "One.", "id": "a"}, {"prompt": "Two.", "id": "a"})
    assert fault.endswith("line 2: id 'a' stands there twice")


def test_the_demo_asks_twice_within_one_category_and_needs_no_file() -> None:
    found = DialogueSet.load("demo")
    assert set(Counter(d.category for d in found.dialogues)) == {
        "knowledge", "practical", "provoked", "small talk", "sums",
    }  # fmt: skip
    assert sum(len(d.turns) == 2 for d in found.dialogues) > 60
    assert found.hash == DialogueSet.load("demo").hash


def test_the_demo_asks_what_its_training_leaves_out() -> None:
    from mplus_eval.demo.talk import conversation_prompts
    from mplus_eval.training.recipe import load_recipe

    (excluded,) = [one for one in load_recipe("demo").exclude_prompts if one.source == "demo:conversation"]
    assert excluded.n is not None
    assert excluded.seed is not None
    left_out = set(conversation_prompts(excluded.n, excluded.seed))
    asked = [turn for d in DialogueSet.load("demo").dialogues for turn in d.turns]
    assert set(asked) == left_out
    assert len(asked) == len(set(asked))


def test_the_demos_references_are_good_answers_by_its_own_rules() -> None:
    from mplus_eval.demo.judge import rule_score

    for dialogue in DialogueSet.load("demo").dialogues:
        for turn, reference in zip(dialogue.turns, dialogue.references, strict=True):
            assert reference is not None
            assert rule_score(turn, reference, True) >= 0.5


def test_mt_bench_has_eighty_questions_of_two_turns(benchmark_data: Path) -> None:
    found = DialogueSet.load("mt_bench", data_dir=benchmark_data)
    assert (len(found.dialogues), found.n_turns) == (80, 160)
    assert set(Counter(d.category for d in found.dialogues).values()) == {10}
    with_reference = {d.category for d in found.dialogues if any(d.references)}
    assert {"math", "coding", "reasoning"} <= with_reference


def test_a_set_of_single_turns_is_read_by_its_id(benchmark_data: Path) -> None:
    found = DialogueSet.load("Paul/XSTest", data_dir=benchmark_data, limit=Limit(5))
    assert (found.n_available, found.n_turns) == (450, 5)


def test_one_bad_row_among_good_ones_is_left_out_and_named_by_file_and_line(tmp_path: Path) -> None:
    found = DialogueSet.load(saved(tmp_path, {"prompt": "One."}, {"prompt": 7}, {"prompt": "Two."}))
    assert [dialogue.turns for dialogue in found.dialogues] == [("One.",), ("Two.",)]
    assert found.n_bad == 1
    assert found.bad == (f"{found.source}, line 2: prompt: a list is expected, found int",)
    assert found.hash == DialogueSet.load(saved(tmp_path, {"prompt": "One."}, {"prompt": "Two."})).hash


@pytest.mark.parametrize("row", [{"prompt": ["Fine.", "\ud83d"]}, {"prompt": "Fine.", "reference": "\ud83d"}])
def test_half_a_surrogate_pair_is_no_text(tmp_path: Path, row: dict[str, Any]) -> None:
    found = DialogueSet.load(saved(tmp_path, {"prompt": "One."}, row, {"prompt": "Two."}))
    assert len(found.dialogues) == 2
    assert found.bad[0].startswith(f"{found.source}, line 2: a ")
    assert found.bad[0].endswith(r"half a surrogate pair, '\ud83d', is no text")


def test_a_set_knows_the_file_that_it_was_read_from(tmp_path: Path) -> None:
    found = DialogueSet.load(saved(tmp_path, {"prompt": "One."}))
    assert list(found.files) == [found.source]
    assert DialogueSet.load("demo").files == {}
