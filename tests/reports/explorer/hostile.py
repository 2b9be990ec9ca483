"""Fifty thousand items of five models whose every text tries to break out of the page, packed without a run."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from mplus_eval.reports.explorer.collection import Collection, Item, collect
from mplus_eval.reports.explorer.explorer import Explorer, packed_explorer
from mplus_eval.reports.explorer.states import Result
from mplus_eval.reports.tables import ModelLabel

N_ITEMS = 50_000
MODELS = ("base", "instruct", "sft", "chosen", "plus")
MEGABYTE = 2**20
TEXTS = (
    "<script>window.hacked=1</script>",
    "</script><img src=x onerror='window.hacked=1'>",
    "\u202eright to left\u202c and \u200fmarks",
    "\x1b[31mred\x1b[0m \x1b]8;;http://example.org\x07link",
    "null\x00byte\ttab\x7f",
    "lone \ud800 and \udfff surrogates",
    "`x` | [a](javascript:alert(1)) & \"q\" 'q' {{ 7 * 7 }}",
)


@cache
def explorer() -> Explorer:
    """The items of one task of ten subjects, and one item of a megabyte."""
    labels = {name: ModelLabel(name, f"m-{name}", name) for name in MODELS}
    return packed_explorer("base", labels, [_collection()], "all")


def _collection() -> Collection:
    random = Random(0)
    choices = [f"{letter} {TEXTS[place]}" for place, letter in enumerate("ABCD")]
    picks = {model: [random.choice((0, 0, 0, 1, 2, 3)) for _ in range(N_ITEMS)] for model in MODELS}
    values = [[round(-random.expovariate(0.4), 2) for _ in choices] for _ in range(997)]

    def texts(place: int, _: Any) -> dict[str, Any]:
        question = f"Item {place}: {TEXTS[place % len(TEXTS)]} which of these words-{place % 1013} is it?"
        answers: list[dict[str, Any] | None] = [
            {"l": values[(place * 5 + number) % len(values)], "k": picks[model][place]}
            for number, model in enumerate(MODELS)
        ]
        if place == 7:
            question += "x" * MEGABYTE
        if place == 11:
            answers[2] = {"e": f"out of memory {TEXTS[0]}"}
        return {"q": question, "t": choices[0], "c": choices, "a": answers}

    results = {
        model: [Result(float(pick == 0), float(pick == 0), str(pick)) for pick in own] for model, own in picks.items()
    }
    results["sft"][11] = Result(failed=True)
    found = collect(
        f"hostile{TEXTS[0]}",
        "task",
        "all",
        baseline="base",
        items=[
            Item(f"subject-{place % 10}/{place}", f"subject-{place % 10}{TEXTS[0]}", TEXTS[place % len(TEXTS)])
            for place in range(N_ITEMS)
        ],
        results=results,
        texts=texts,
        facts={"metric": "acc", "scale": "right", "byLength": False},
    )
    assert found is not None
    return found
