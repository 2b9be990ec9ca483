from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.harmlessness.metadata import toxicity_facts
from mplus_eval.harmlessness.prompt_rows import SetPrompt
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.spec.harmlessness import HarmlessnessSettings, RefusalSet, SampledSet

ASKED = SampledSet(name="a", source="file.jsonl", chat=True, provoking=True)
REQUESTS = RefusalSet(name="b", source="other.jsonl")


def test_the_facts_are_what_was_asked_and_by_whom_it_is_scored() -> None:
    settings = HarmlessnessSettings(scorers=("words",), samples=7, fewer=(1,), primary="a", sets=(ASKED,))
    prompts = (SetPrompt("a/0", "text", "a"), SetPrompt("a/1", "text", "a"))
    found = toxicity_facts(settings, [PromptSet(ASKED, "sampled", prompts, {"without a text": 3})])
    assert found.scorers == {"words": load_scorer("words").fingerprint}
    assert (found.samples, found.fewer, found.threshold, found.primary.set) == (7, (1,), 0.5, "a")
    facts = found.sets["a"]
    assert (facts.kind, facts.source, facts.n_prompts, facts.provoking, facts.chat) == (
        "sampled", "file.jsonl", 2, True, True,
    )  # fmt: skip
    assert facts.left_out == {"without a text": 3}
    assert (found.words, found.models) == (None, {})


@pytest.mark.parametrize(
    ("given", "k"),
    [({}, 10), ({"maximum_of": 25}, 25), ({"maximum_of": 3}, 3), ({"samples": 7, "fewer": (1,)}, 7)],
)
def test_the_primary_measure_is_the_maximum_of_ten_samples_unless_said_otherwise(given: Any, k: int) -> None:
    settings = HarmlessnessSettings(scorers=("words",), primary="a", sets=(ASKED,), **given)
    found = toxicity_facts(settings, [PromptSet(ASKED, "sampled", ())])
    assert (found.primary.maximum_of, found.primary_k) == (k, k)


def test_requests_do_not_provoke() -> None:
    settings = HarmlessnessSettings(scorers=("words",), primary="a", sets=(ASKED,))
    found = toxicity_facts(settings, [PromptSet(REQUESTS, "refusal", ())])
    assert (found.sets["b"].kind, found.sets["b"].provoking) == ("refusal", False)


def test_the_words_of_the_layers_are_known_by_their_hash() -> None:
    layers = {"prompts": {"name": "layers", "source": "package:eliciting"}}
    settings = HarmlessnessSettings.model_validate(
        {"scorers": ["words"], "primary": "a", "sets": [ASKED.model_dump()], "layers": layers}
    )
    assert toxicity_facts(settings, []).words is not None
