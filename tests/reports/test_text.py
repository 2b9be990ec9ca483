from mplus_eval.reports.text import (
    abridged,
    enumerated,
    one_line,
    truncate_end,
    truncate_start,
    visible,
    without_common_prefix,
)


def test_right_to_left_overrides_and_controls_become_code_points() -> None:
    assert visible("a\u202eb\x00c\x1b[31m") == "a⟨U+202E⟩b⟨U+0000⟩c⟨U+001B⟩[31m"


def test_lone_surrogates_become_code_points_that_can_be_stored() -> None:
    assert visible("x\ud800").encode() == "x⟨U+D800⟩".encode()


def test_foreign_scripts_line_breaks_and_joiners_stay() -> None:
    text = "سلام\u200cدنیا\n日本語\té"
    assert visible(text) == text


def test_one_line_has_single_spaces() -> None:
    assert one_line(" a\n\n b\tc ") == "a b c"


def test_tail_keeps_the_end() -> None:
    assert truncate_start("0123456789", 4) == "… 6789"
    assert truncate_start("0123", 4) == "0123"


def test_head_keeps_the_start() -> None:
    assert truncate_end("0123456789", 4) == "0123 …"


def test_words_are_joined_as_in_a_sentence() -> None:
    assert [enumerated(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_long_lists_are_counted() -> None:
    assert abridged(list("abcdefg"), 3, "tasks") == "a, b, c and 4 more tasks"


def test_a_list_is_not_shortened_by_a_single_word() -> None:
    assert abridged(list("abcd"), 3, "tasks") == "a, b, c and d"


def test_subjects_lose_the_prefix_they_share() -> None:
    names = ["mmlu_world_religions", "mmlu_anatomy"]
    assert list(without_common_prefix(names).values()) == ["world religions", "anatomy"]


def test_a_prefix_is_only_cut_at_an_underscore() -> None:
    assert list(without_common_prefix(["agieval_sat_en", "agieval_sat_math"]).values()) == ["en", "math"]
    assert list(without_common_prefix(["anatomy", "anaphora"]).values()) == ["anatomy", "anaphora"]
