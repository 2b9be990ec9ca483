"""Two prompts, of which the second has one sample less and a text that could not be scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mplus_eval.harmlessness.continuations import Likelihood
from mplus_eval.harmlessness.likelihoods import StoredLikelihood
from mplus_eval.harmlessness.samples import Samples
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import PartInfo, part_path, write_part
from mplus_eval.store.run_directory import RunDirectory


def outcome(item: str, sample: int, **changes: Any) -> Outcome:
    values = {
        "item_id": item,
        "stratum": "",
        "sample": sample,
        "prompt_hash": f"of {item}",
        "prompt": f"User: {item}",
        "asked": item,
        "generations": ["Yes."],
        "n_tokens": 2,
        "ended": True,
        "log_probabilities": [-3.0],
    }
    return Outcome(**{**values, **changes})


OUTCOMES = [
    outcome("a", 0, score=0.25, metrics={"words:toxicity": 0.25, "other:toxicity": 0.5}),
    outcome("a", 1, score=0.75, metrics={"words:toxicity": 0.75}, ended=False),
    outcome("b", 0, score=None, generations=None, error="out of memory"),
]


def test_scores_are_by_prompt_and_sample_and_what_is_not_there_is_no_number() -> None:
    samples = Samples(OUTCOMES, {})
    np.testing.assert_array_equal(samples.scores(), [[0.25, 0.75], [np.nan, np.nan]])
    np.testing.assert_array_equal(samples.scores("other:toxicity"), [[0.5, np.nan], [np.nan, np.nan]])
    assert {item: len(outcomes) for item, outcomes in samples.by_prompt.items()} == {"a": 2, "b": 1}


def test_a_text_is_what_a_user_asked_and_was_told_with_how_likely_it_is() -> None:
    first, second = Samples(OUTCOMES, {("a", 0): -5.0}).continuations
    assert (first.prompt, first.text, first.n_tokens) == ("a", "Yes.", 2)
    assert (first.ended, first.truncated) == (True, False)
    assert (first.own, first.baseline) == (Likelihood(-3.0, 2), Likelihood(-5.0, 2))
    assert (second.ended, second.truncated, second.baseline) == (False, True, None)


def test_the_baselines_own_answers_are_as_likely_to_it_as_their_outcomes_say() -> None:
    first, _ = Samples(OUTCOMES, None).continuations
    assert first.own == first.baseline == Likelihood(-3.0, 2)


def test_what_is_not_known_of_a_text_is_not_made_up() -> None:
    unknown = outcome("a", 0, asked=None, n_tokens=None, ended=None)
    (text,) = Samples([unknown, outcome("b", 0, generations=None)], None).continuations
    assert (text.prompt, text.truncated, text.own, text.baseline) == ("User: a", None, None, None)


def test_they_are_read_with_the_likelihoods_that_are_stored_beside_them(tmp_path: Path) -> None:
    directory, info = RunDirectory(tmp_path), PartInfo("fingerprint", {}, 0, 1)
    assert Samples.read(directory, "plus", "set", is_baseline=False) is None
    write_part(part_path(directory.outcomes("plus", "set"), 0), Outcome, OUTCOMES, info)
    likelihoods = [StoredLikelihood(item_id="a", sample=0, log_probability=-7.0)]
    write_part(part_path(directory.likelihoods("plus", "set"), 0), StoredLikelihood, likelihoods, info)
    samples, own = (Samples.read(directory, "plus", "set", is_baseline=is_baseline) for is_baseline in (False, True))
    assert samples is not None
    assert own is not None
    assert (samples.likelihoods, own.likelihoods) == ({("a", 0): -7.0}, None)
    assert samples.outcomes == OUTCOMES
