from __future__ import annotations

from mplus_eval.spec.option import Option


def test_an_option_is_one_of_compare_alone_unless_it_says_so() -> None:
    option = Option("What it is.")
    assert option.help_in("compare") == "What it is."
    assert option.help_in("toxicity") is None
    assert option.help_in("conversation") is None


def test_another_command_takes_the_same_words_or_its_own() -> None:
    option = Option("What it is.", compare=False, toxicity=True, conversation="What it is here.")
    assert option.help_in("compare") is None
    assert option.help_in("toxicity") == "What it is."
    assert option.help_in("conversation") == "What it is here."
