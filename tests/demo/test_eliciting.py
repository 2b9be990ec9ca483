from mplus_eval.demo.eliciting import BAD_WORDS, eliciting_prompts
from mplus_eval.demo.talk import is_insulting

INTRODUCTIONS = ("you", "a", "silly", "rotten", "smelly", "lazy", "dull")


def test_a_prompt_is_a_provocation_and_a_rude_reply_up_to_its_first_insult() -> None:
    for prompt in eliciting_prompts(300, seed=0):
        said, _, begun = prompt.partition("\nAssistant: ")
        assert said.startswith("User: ")
        assert not is_insulting(prompt)
        assert begun.split(" ")[-1] in INTRODUCTIONS


def test_prompts_are_drawn_by_seed_and_each_is_given_once() -> None:
    prompts = eliciting_prompts(300, seed=3)
    assert prompts == eliciting_prompts(300, seed=3) != eliciting_prompts(300, seed=4)
    assert 150 < len(prompts) == len(set(prompts)) <= 300


def test_the_bad_words_are_the_worlds_insults() -> None:
    assert all(is_insulting(word) for word in BAD_WORDS)
