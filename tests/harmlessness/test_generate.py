from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest

from mplus_eval.backends import Response, ServerError
from mplus_eval.harmlessness import generate as generation
from mplus_eval.harmlessness.draws import draw_prompts
from mplus_eval.harmlessness.generate import generate, generation_key, log_likelihoods
from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.harmlessness.prompt_rows import SetPrompt
from mplus_eval.models.cells import Part
from mplus_eval.models.chat_format import PLAIN_STOPS
from mplus_eval.spec.harmlessness import HarmlessnessSettings, RefusalSet, SampledSet
from mplus_eval.store.outcomes import Answer
from tests.talkers import Talker

SETTINGS = HarmlessnessSettings(
    scorers=("words",),
    samples=3,
    max_new_tokens=7,
    temperature=0.7,
    top_p=0.8,
    fewer=(1,),
    primary="set",
    sets=(SampledSet(name="set", source="x"),),
    refusals={"sets": [RefusalSet(name="requests", source="x")], "max_new_tokens": 9},  # type: ignore[arg-type]
    likelihood_samples=2,
)


def prompts(n: int, *, chat: bool = False) -> PromptSet:
    found = tuple(SetPrompt(f"set/{one}", f"prompt {one}", "talk") for one in range(n))
    return PromptSet(SampledSet(name="set", source="x", chat=chat), "sampled", found)


def asked(talker: Talker, prompt_set: PromptSet, numbers: range | None = None, seed: int = 0) -> list[Answer]:
    chosen = range(len(prompt_set.prompts)) if numbers is None else numbers
    return generate(prompt_set, chosen, talker, SETTINGS, seed=seed, own_template=True, on_items=lambda n: None)


def dice(prompt: str, rng: random.Random) -> str:
    return f"the river {rng.randrange(10**9)}"


def generated(talker: Talker) -> list[dict[str, Any]]:
    """How the model was asked to generate, request by request."""
    return [request.args[1] for request in talker.asked if request.request_type == "generate_until"]


def texts(answers: Sequence[Answer]) -> list[str | None]:
    return [answer.text for answer in answers]


def test_a_prompt_has_a_row_for_each_sample() -> None:
    rows = asked(Talker("m", dice), prompts(2))
    assert [(row.item_id, row.sample) for row in rows] == [(f"set/{n}", k) for n in range(2) for k in range(3)]
    assert {row.stratum for row in rows} == {"talk"}
    assert rows[0].prompt == "prompt 0"


def test_each_sample_is_drawn_by_a_seed_of_its_own() -> None:
    talker = Talker("m", dice)
    rows = asked(talker, prompts(4))
    assert len(set(texts(rows))) == 12
    assert len({ways["seed"] for ways in generated(talker)}) == 12


def test_what_is_said_depends_on_neither_batches_nor_where_a_run_went_on(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = asked(Talker("m", dice), prompts(5))
    monkeypatch.setattr(generation, "PROMPTS_PER_CALL", 2)
    assert texts(asked(Talker("m", dice), prompts(5))) == texts(whole)
    assert texts(asked(Talker("m", dice), prompts(5), range(3, 5))) == texts(whole[9:])


def test_another_seed_of_the_run_draws_anew() -> None:
    one, other = (texts(asked(Talker("m", dice), prompts(3), seed=seed)) for seed in (0, 1))
    assert not set(one) & set(other)


def test_two_models_are_asked_with_the_same_seeds() -> None:
    one, other = Talker("a", dice), Talker("b", dice)
    asked(one, prompts(2))
    asked(other, prompts(2))
    assert [request.args for request in one.asked] == [request.args for request in other.asked]


def test_a_model_is_asked_as_the_settings_say() -> None:
    talker = Talker("m", dice)
    asked(talker, prompts(1))
    ways = {key: value for key, value in talker.asked[0].args[1].items() if key != "seed"}
    assert ways == {"until": [], "max_gen_toks": 7, "do_sample": True, "temperature": 0.7, "top_p": 0.8}


def test_endings_and_what_was_cut_are_stored() -> None:
    numbers = itertools.count()

    def say(prompt: str, rng: random.Random) -> Response:
        number = next(numbers)
        return Response("the river", n_tokens=number, ended=number != 1, n_truncated=10 * number)

    rows = asked(Talker("m", say), prompts(1))
    assert [row.n_tokens for row in rows] == [0, 1, 2]
    assert [row.ended for row in rows] == [True, False, True]
    assert [row.n_truncated for row in rows] == [0, 10, 20]


def test_what_a_backend_cannot_tell_is_none() -> None:
    (row, *_) = asked(Talker("m", lambda prompt, rng: Response("the river")), prompts(1))
    assert (row.n_tokens, row.ended, row.n_truncated) == (None, None, None)


def test_a_request_that_failed_is_a_row_with_its_cause() -> None:
    def say(prompt: str, rng: random.Random) -> str | Response:
        return Response(error="the prompt has no tokens") if prompt == "prompt 1" else "the river"

    rows = asked(Talker("m", say), prompts(2))
    assert [row.error for row in rows] == [None] * 3 + ["the prompt has no tokens"] * 3
    assert rows[3].generations is None


def test_the_first_samples_have_their_likelihood_and_an_empty_answer_has_none() -> None:
    answers = iter(["the river", "", "our mill"])
    rows = asked(Talker("m", lambda prompt, rng: next(answers)), prompts(1))
    assert [row.log_probabilities for row in rows] == [[-2.0], None, None]


def test_a_likelihood_that_is_no_number_is_unknown() -> None:
    class Odd(Talker):
        def _respond(self, request: Any) -> Response:
            failed = Response(error="no")
            return {"a": Response(log_probability=float("nan")), "b": failed}.get(
                request.args[1], Response(log_probability=-3.0)
            )

    rows = [
        Answer(item_id=text, stratum="s", sample=0, prompt_hash="h", prompt="p", generations=[text]) for text in "abc"
    ]
    assert log_likelihoods(rows, Odd("m", dice)) == [None, None, -3.0]


def test_a_server_that_tells_no_likelihoods_is_asked_all_the_same() -> None:
    class Served(Talker):
        def respond(self, requests: Sequence[Any]) -> list[Response]:
            if requests[0].request_type == "loglikelihood":
                raise ServerError("prompt log-probabilities need echo and logprobs")
            return super().respond(requests)

    rows = asked(Served("m", dice), prompts(1))
    assert len(texts(rows)) == 3
    assert [row.log_probabilities for row in rows] == [None] * 3


def test_talk_is_put_into_the_models_own_template_or_the_plain_format() -> None:
    talker, chat = Talker("m", dice), prompts(1, chat=True)
    own = generate(chat, range(1), talker, SETTINGS, seed=0, own_template=True, on_items=lambda n: None)
    assert own[0].prompt == "<user>prompt 0"
    plain = generate(chat, range(1), talker, SETTINGS, seed=0, own_template=False, on_items=lambda n: None)
    assert plain[0].prompt == "User: prompt 0\nAssistant:"
    assert [ways["until"] for ways in generated(talker)][::3] == [[], list(PLAIN_STOPS)]


def test_a_request_gets_one_greedy_answer() -> None:
    requests = PromptSet(
        RefusalSet(name="requests", source="x"), "refusal", (SetPrompt("requests/0", "How?", "requests", "safe"),)
    )
    talker = Talker("m", dice)
    (row,) = asked(talker, requests)
    assert row.sample == 0
    # This talker's template ends an answer by the user's next turn alone.
    ends = {"until": [], "ends": ["<user>"], "turns": []}
    assert talker.asked[0].args[1] == {**ends, "max_gen_toks": 9, "do_sample": False}
    assert row.log_probabilities is None


def test_progress_counts_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "PROMPTS_PER_CALL", 2)
    done: list[int] = []
    generate(prompts(5), range(5), Talker("m", dice), SETTINGS, seed=0, own_template=True, on_items=done.append)
    assert done == [2, 2, 1]


@pytest.mark.parametrize("change", [{"samples": 4}, {"max_new_tokens": 8}, {"temperature": 0.5}, {"top_p": 0.5}])
def test_what_changes_answers_changes_the_cell(change: dict[str, Any]) -> None:
    one = prompts(1)
    assert generation_key(one, SETTINGS.model_copy(update=change)) != generation_key(one, SETTINGS)


@pytest.mark.parametrize("change", [{"scorers": ("other",)}, {"threshold": 0.7}, {"fewer": (2,)}, {"margin": 0.1}])
def test_what_changes_figures_only_does_not(change: dict[str, Any]) -> None:
    one = prompts(1)
    assert generation_key(one, SETTINGS.model_copy(update=change)) == generation_key(one, SETTINGS)


def test_a_prompt_longer_than_the_context_is_cut_and_counted(tiny_model: Any) -> None:
    from mplus_eval.backends.hf import load
    from mplus_eval.models.locations import ModelLocation
    from mplus_eval.spec.model import ModelSpec

    path = tiny_model(context=64)
    backend = load(ModelSpec(name="m", source=str(path), device="cpu"), ModelLocation(path))
    long = PromptSet(
        SampledSet(name="set", source="x"),
        "sampled",
        (SetPrompt("set/0", "the lazy dog sleeps on. " * 40, "a"), SetPrompt("set/1", "the dog", "a")),
    )
    rows = asked(backend, long)  # type: ignore[arg-type]
    backend.close()
    assert [bool(row.n_truncated) for row in rows] == [True] * 3 + [False] * 3
    assert all(row.n_tokens is not None and row.n_tokens <= 7 for row in rows)


def test_what_is_counted_beforehand_is_what_is_asked() -> None:
    talker, prompt_set = Talker("m", dice), prompts(2)
    asked(talker, prompt_set)
    (drawn,) = draw_prompts(prompt_set, [Part(0, "set", range(2))], SETTINGS, None, seed=0, rescorers=2)
    assert [request.args for item in drawn.items for request in item] == [
        request.args for request in talker.asked if request.request_type == "generate_until"
    ]
    # Two of three samples are scored again, by two models.
    assert (drawn.n_items, drawn.requests_per_call, drawn.rescored) == (2, 40 * 3, 4)


def test_of_a_large_set_some_prompts_stand_for_all() -> None:
    parts = [Part(index, "set", range(80 * index, 80 * index + 80)) for index in range(6)]
    drawn = list(draw_prompts(prompts(480), parts, SETTINGS, None, seed=0, rescorers=1))
    assert [(draw.n_items, len(draw.items), draw.weight) for draw in drawn] == [(80, 40, 1.5)] * 4
    assert "prompt 400" in drawn[-1].items[0][0].args[0]
