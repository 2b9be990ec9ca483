from __future__ import annotations

from typing import Any

import pytest
from lm_eval.api.instance import Instance

from mplus_eval.backends.encoding import Encoding, encode_requests
from mplus_eval.backends.work import Draw, Work, calls, count_work, token_inputs
from tests.tiny_models import build_tokenizer


def scored(context: str, continuation: str) -> Instance:
    return Instance("loglikelihood", {}, (context, continuation), 0)


def generated(prompt: str, **options: Any) -> Instance:
    return Instance("generate_until", {}, (prompt, options), 0)


def item(context: str, *choices: str) -> list[Instance]:
    return [scored(context, choice) for choice in choices]


def test_without_a_tokenizer_four_letters_are_a_token() -> None:
    # aaaa bbbb cc and aaaa bbbb dd: the last token is never put in, so both are aaaa bbbb, which counts once.
    work = count_work([Draw(1, [item("aaaabbbb", "cc", "dd")])], None, 64)
    assert (work.items, work.requests, work.scored, work.sent) == (1, 2, 2, 4)
    assert (work.read, work.written) == (0, 0)


def test_what_is_shared_counts_once_a_call() -> None:
    items = [item("aaaabbbb", "ccccxx"), item("aaaabbbb", "ddddxx"), item("aaaabbbb", "eeeexx")]
    # One call: aaaa bbbb, and cccc, dddd, eeee. Two calls, of two items and of one: 4 and 3.
    assert count_work([Draw(3, items)], None, 3).scored == 5
    assert count_work([Draw(3, items)], None, 2).scored == 7


def test_of_prompts_all_tokens_are_read_and_the_limit_may_be_written() -> None:
    items = [[generated("aaaabbbb", max_gen_toks=8)], [generated("aaaacccc")]]
    work = count_work([Draw(2, items)], None, 64)
    assert (work.read, work.sent, work.scored) == (3, 4, 0)
    assert work.written == 8 + 256  # lm-eval's own limit where none is named


def test_samples_of_a_prompt_are_read_once_and_scored_again() -> None:
    sampled = [generated("aaaabbbb", max_gen_toks=10) for _ in range(5)]
    work = count_work([Draw(1, [sampled], rescored=2)], None, 64)
    assert (work.requests, work.read, work.written) == (5, 2, 50)
    # Two answers of ten tokens at most behind the prompt of two.
    assert (work.scored, work.rescored) == (2, 20)


def test_of_a_sample_the_rest_is_extrapolated_by_what_an_item_adds() -> None:
    drawn = [item("aaaabbbb", f"{number:04}xx") for number in range(8)]
    # Every call shares two tokens, every item adds one: 100 items in four calls of 30, 30, 30 and 10.
    work = count_work([Draw(100, drawn, weight=3)], None, 30)
    assert work.scored == pytest.approx(3 * (4 * 2 + 100))
    assert (work.items, work.requests) == (300, 300)
    assert work.sent == pytest.approx(900)


def test_groups_that_differ_make_the_count_uncertain() -> None:
    short = Draw(10, [item("aaaa", f"{number:04}xx") for number in range(10)], weight=2)
    long = Draw(10, [item("aaaa", f"{number:04}{number:04}xx") for number in range(10)], weight=2)
    alike = count_work([short, short], None, 100)
    differing = count_work([short, long], None, 100)
    assert alike.error == 0
    # 1.1 and 2.1 tokens an item over 40 items, half of them unseen: 40 · √(½ · ¼ / 1) of 64 tokens.
    assert differing.error == pytest.approx(40 * (0.5 * 0.25) ** 0.5 / 64)
    assert count_work([Draw(10, short.items), Draw(10, long.items)], None, 100).error == 0


def test_later_turns_are_requests_and_no_items() -> None:
    turn = Draw(1, [[generated("aaaa", max_gen_toks=4)]], counts_items=False)
    assert count_work([Draw(1, [[generated("aaaa", max_gen_toks=4)]]), turn], None, 8).items == 1


def test_inputs_are_the_ids_that_the_backends_put_in() -> None:
    encoding = Encoding.of(build_tokenizer(320))
    requests = [scored("The quick", " brown fox"), scored("The quick ", "brown"), scored("", "fox"), scored("cat", "s")]
    encoded = encode_requests(encoding, requests)
    assert token_inputs(requests, encoding) == [tuple([*each.context, *each.continuation][:-1]) for each in encoded]
    prompts = [generated("The quick"), generated("<s>The quick")]
    assert token_inputs(prompts, encoding) == [tuple(encoding.encode(["The quick"])[0])] * 2


def test_a_call_never_parts_an_item() -> None:
    assert list(calls([["a", "b"], ["c", "d"], ["e"]], 3)) == [[["a", "b"]], [["c", "d"], ["e"]]]


def test_works_add_up() -> None:
    work = Work(items=1, scored=3, variance=4) + Work(items=2, read=5, variance=5)
    assert (work.items, work.scored, work.read, work.variance) == (3, 3, 5, 9)
    assert work.times(2).variance == 36
    assert work.error == 3 / 8
