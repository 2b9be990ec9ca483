from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from mplus_eval.backends.base import Response
from mplus_eval.conversation.draws import draw_turns
from mplus_eval.conversation.generate import generate
from mplus_eval.conversation.items import Dialogue, DialogueSet, DialogueTask
from mplus_eval.models.cells import Part
from mplus_eval.models.chat_format import format_of
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.store.outcomes import Answer
from tests.talkers import Say, Talker

TWO = Dialogue("1", "talk", ("Who are you?", "And she?"), (None, None))
ONE = Dialogue("2", "sums", ("What is 2 + 3?",), (None,))


def asked(*dialogues: Dialogue, **settings: Any) -> DialogueTask:
    return DialogueTask(
        ConversationSettings(dialogues="x", max_new_tokens=9, **settings), DialogueSet("x", dialogues, len(dialogues))
    )


def rows_of(
    talker: Talker, what: DialogueTask, *, own_template: bool = True, numbers: range | None = None, seed: int = 0
) -> list[Answer]:
    chosen = numbers or range(len(what.dialogues.dialogues))
    return generate(what, chosen, talker, seed=seed, own_template=own_template, on_items=lambda n: None)


def numbered() -> Say:
    answers = iter(f" answer {number} " for number in range(99))
    return lambda prompt, rng: next(answers)


def test_the_second_turn_sees_the_models_own_first_answer() -> None:
    first, second = rows_of(Talker("m", numbered()), asked(TWO))
    assert first.prompt == "<user>Who are you?"
    assert first.generations == ["answer 0"]
    assert second.prompt == "<user>Who are you?<assistant>answer 0<user>And she?"
    assert (second.item_id, second.sample, second.cluster, second.stratum) == ("1", 1, "1", "talk")


def test_the_users_words_are_stored_beside_the_prompt() -> None:
    assert [row.asked for row in rows_of(Talker("m", numbered()), asked(TWO))] == ["Who are you?", "And she?"]


def test_a_model_without_a_template_is_asked_in_the_plain_format() -> None:
    talker = Talker("m", numbered())
    _, second = rows_of(talker, asked(TWO), own_template=False)
    assert second.prompt == "User: Who are you?\nAssistant: answer 0\nUser: And she?\nAssistant:"
    assert talker.asked[0].args[1]["until"] == ["\nUser:", "\nAssistant:"]


def test_a_turn_after_one_that_failed_fails_too() -> None:
    def say(prompt: str, rng: random.Random) -> str | Response:
        return Response(error="out of memory") if prompt == "<user>Who are you?" else "five"

    found = {(row.item_id, row.sample): row for row in rows_of(Talker("m", say), asked(TWO, ONE))}
    assert found["1", 0].error == "out of memory"
    assert found["1", 1].error == "an earlier turn failed"
    assert found["2", 0].generations == ["five"]
    assert len(found) == 3


def test_answers_are_greedy_without_a_temperature() -> None:
    talker = Talker("m", numbered())
    rows_of(talker, asked(ONE))
    # This talker's template ends an answer by the user's next turn alone.
    ends = {"until": [], "ends": ["<user>"], "turns": []}
    assert talker.asked[0].args[1] == {**ends, "max_gen_toks": 9, "do_sample": False}


def test_sampled_answers_have_seeds_that_no_order_changes() -> None:
    def dice(prompt: str, rng: random.Random) -> str:
        return str(rng.randrange(10**9))

    what = asked(TWO, ONE, temperature=0.7, top_p=0.9)
    whole = {row.item_id: row.generations for row in rows_of(Talker("m", dice), what) if row.sample == 0}
    (alone,) = rows_of(Talker("m", dice), what, numbers=range(1, 2))
    (again,) = rows_of(Talker("m", dice), what, numbers=range(1, 2), seed=1)
    assert alone.generations == whole["2"] != again.generations


def test_how_an_answer_ended_is_stored() -> None:
    (row,) = rows_of(Talker("m", numbered()), asked(ONE))
    assert (row.n_tokens, row.ended) == (2, True)


def test_progress_counts_dialogues() -> None:
    done: list[int] = []
    generate(asked(TWO, ONE), range(2), Talker("m", numbered()), seed=0, own_template=True, on_items=done.append)
    assert done == [1, 1]


def test_all_first_turns_are_asked_at_once() -> None:
    calls: list[int] = []

    def count(requests: Sequence[Any]) -> None:
        calls.append(len(requests))

    rows_of(Talker("m", numbered(), count), asked(TWO, ONE))
    assert calls == [2, 1]


def test_what_changes_answers_changes_the_cell() -> None:
    one = asked(ONE)
    assert one.generation_key != asked(ONE, temperature=0.5).generation_key
    assert one.generation_key == asked(ONE, judges=("reward",)).generation_key
    assert one.name == "dialogues"


def test_what_is_counted_beforehand_is_what_is_asked_but_for_the_answers() -> None:
    talker, what = Talker("m", lambda prompt, rng: ""), asked(TWO, ONE)
    rows_of(talker, what)
    chat = format_of(talker, own_template=True)
    first, second = draw_turns(what, [Part(0, "dialogues", range(2))], chat, seed=0)
    assert [request.args for item in (*first.items, *second.items) for request in item] == [
        request.args for request in talker.asked
    ]
    assert (first.n_items, first.counts_items, second.n_items, second.counts_items) == (2, True, 1, False)
