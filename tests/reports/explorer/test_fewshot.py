from mplus_eval.reports.explorer.fewshot import paragraphs, question_starts


def questions(prompts: list[str], n_shots: int, **described: bool) -> list[str]:
    starts = question_starts(prompts, n_shots, **described)
    return [prompt[start:] for prompt, start in zip(prompts, starts, strict=True)]


def test_examples_that_a_subject_shares_are_told_from_the_questions() -> None:
    shots = "About plums.\n\nQ: one? A: yes\n\nQ: two? A: no\n\n"
    assert questions([f"{shots}Q: three? A:", f"{shots}Q: thirty? A:"], 2) == ["Q: three? A:", "Q: thirty? A:"]


def test_shared_examples_may_hold_empty_lines() -> None:
    shots = "Q: one?\n\nThink. A: yes\n\nQ: two?\n\nThink. A: no\n\n"
    assert questions([f"{shots}Q: three?\n\nA:", f"{shots}Q: four?\n\nA:"], 2) == ["Q: three?\n\nA:", "Q: four?\n\nA:"]


def test_examples_drawn_for_each_item_are_told_by_paragraphs() -> None:
    prompts = ["a\n\nb\n\nthe first", "c\n\nd\n\nthe second"]
    assert questions(prompts, 2) == ["the first", "the second"]


def test_drawn_examples_of_several_paragraphs_are_folded_whole() -> None:
    prompts = [f"passage {n}\n\nQ A: {n}\n\npassage 9{n}\n\nQ A:" for n in range(3)]
    assert questions(prompts, 1) == [f"passage 9{n}\n\nQ A:" for n in range(3)]


def test_a_description_is_no_example() -> None:
    prompts = ["About plums.\n\na\n\nb\n\nthe first", "About plums.\n\nc\n\nd\n\nthe second"]
    assert questions(prompts, 2, has_description=True) == ["the first", "the second"]


def test_without_examples_nothing_is_folded() -> None:
    prompts = ["A passage.\n\nOne?", "A passage.\n\nTwo?"]
    assert questions(prompts, 0) == prompts


def test_where_paragraphs_are_too_few_to_hold_the_examples_nothing_is_folded() -> None:
    assert questions(["one line", "another"], 5) == ["one line", "another"]


def test_equal_prompts_keep_their_question() -> None:
    assert questions(["a\n\nb", "a\n\nb"], 1) == ["b", "b"]


def test_examples_are_kept_paragraph_by_paragraph() -> None:
    assert paragraphs("one\n\ntwo\n\n") == ["one", "two"]
    assert paragraphs("") == []
