from __future__ import annotations

from importlib.util import find_spec

from mplus_eval.spec.option import SCORERS
from mplus_eval.spec.scorers import ACCEPTED, KINDS


def test_every_kind_is_a_module_and_the_help_and_the_list_of_forms_name_it() -> None:
    for kind in KINDS:
        assert find_spec(f"mplus_eval.harmlessness.scorers.{kind.module}") is not None
        assert kind.example in SCORERS.help
        assert set(kind.accepted) <= set(ACCEPTED)


def test_the_help_is_one_sentence() -> None:
    assert SCORERS.help == (
        "Scorer of toxicity: detoxify:unbiased, words, ngram:DIR, guard:DIR, a classifier's directory; "
        "twice to see them disagree."
    )
