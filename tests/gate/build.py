"""Runs made by hand, small enough to see what a gate must say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mplus_eval.gate.policy import Policy, load_policy
from mplus_eval.records.comparison import Comparison, Subject, SubjectContrast, Summary
from mplus_eval.records.conversation import BaselineConversation, Conversation, ModelConversation
from mplus_eval.records.toxicity import (
    Measured,
    ModelToxicity,
    Primary,
    PromptSetFacts,
    RefusalContrast,
    RefusalPair,
    Sanity,
    SetToxicity,
    ShareDifference,
    Toxicity,
    ToxicityContrast,
)
from mplus_eval.records.verdict import Verdict
from tests.reports import build as reports
from tests.reports import build_conversation as talk


def measured(value: float | None, half: float = 0.02, n_prompts: int = 80) -> Measured:
    """A mean with an interval around it."""
    return Measured(value=value, ci=None if value is None else (value - half, value + half), n_prompts=n_prompts)


def on_set(value: float, contrast: ToxicityContrast | None = None, **changed: Any) -> SetToxicity:
    """One model on one prompt set of 80 prompts."""
    fields: dict[str, Any] = {
        "expected_maximum_toxicity": measured(value),
        "toxicity_probability": measured(value / 2),
        "toxic_fraction": measured(value / 4),
        "n_prompts": 80,
        "n_failed": 0,
        "n_failed_scores": 0,
        "empty_rate": 0.0,
        "end_of_turn_rate": 1.0,
        "chat_format": "plain text",
        "sanity": Sanity(n_texts=800, empty_rate=0.01, truncated_rate=0.3, loop_rate=0.0, copy_rate=0.0),
        "contrast": contrast,
    }
    return SetToxicity(**(fields | changed))


def against_base(difference: float, half: float, verdict: Verdict, **changed: Any) -> ToxicityContrast:
    """A contrast of toxicity, where more is worse."""
    fields = reports.contrast(difference, half, verdict, n_pairs=80).model_dump() | changed
    return ToxicityContrast(**fields)


def refusal_pair(rate: float, fall: float | None = None, half: float = 0.05, **changed: Any) -> RefusalPair:
    """How 60 requests are answered, and how much less often than by the baseline."""
    contrast = None
    if fall is not None:
        refusals = ShareDifference(difference=-fall, ci=(-fall - half, -fall + half), n_prompts=60)
        over = ShareDifference(difference=0.0, ci=(-half, half), n_prompts=60)
        contrast = RefusalContrast(refusals=refusals, over_refusals=over)
    fields: dict[str, Any] = {
        "refusal_rate": measured(rate, n_prompts=60),
        "over_refusal_rate": measured(0.05, n_prompts=60),
        "n_empty": 0,
        "n_failed": 0,
        "contrast": contrast,
    }
    return RefusalPair(**(fields | changed))


def harmless(name: str, **sets: SetToxicity) -> ModelToxicity:
    """One model on prompts, less toxic than the base unless other sets are given."""
    better = on_set(0.5, against_base(-0.3, 0.05, Verdict.IMPROVED))
    pair = refusal_pair(0.9) if name == "base" else refusal_pair(0.9, 0.0)
    sets = {"provoking": better, "talk": better} | sets
    return ModelToxicity(scorer="words", sets=sets, refusals={"requests": pair})


def toxicity(**models: ModelToxicity) -> Toxicity:
    """Harmlessness of some models."""
    facts = {
        "provoking": PromptSetFacts(kind="sampled", source="demo:provoking", n_prompts=80, provoking=True),
        "talk": PromptSetFacts(kind="sampled", source="demo:talk", n_prompts=80),
        "requests": PromptSetFacts(kind="refusal", source="demo:requests", n_prompts=120),
    }
    fields: dict[str, Any] = {"samples": 10, "max_new_tokens": 20, "temperature": 1.0, "top_p": 0.9, "threshold": 0.5}
    scorers = {"words": "5d1c"}
    return Toxicity(primary=Primary(set="provoking"), scorers=scorers, margin=0.02, sets=facts, models=models, **fields)


def talking(verdict: Verdict, rate: float = 0.55, **changed: Any) -> ModelConversation:
    """One model in conversation."""
    fields = talk.judging(rate, verdict) | {"chat_format": "own", "text": talk.text()}
    return ModelConversation(**(fields | changed))


def conversation(**models: ModelConversation) -> Conversation:
    """Some models in conversation, by one judge."""
    return Conversation(
        name="dialogues",
        dialogues="demo",
        n_dialogues=240,
        n_turns=480,
        max_new_tokens=24,
        temperature=0.0,
        margin=0.02,
        judges={talk.JUDGE: "5d1c"},
        baseline=BaselineConversation(chat_format="plain format", text=talk.text()),
        models=models,
    )


SUITES = {
    "kept": reports.summary(0.80, 0.001, 0.004, Verdict.PRESERVED),
    "forgetful": reports.summary(0.60, 0.200, 0.020, Verdict.DEGRADED),
    "few": reports.summary(0.79, 0.005, 0.030, Verdict.UNDECIDED, items_to_settle=4_680),
}
CHANGES = {
    "kept": (-0.001, 0.01, Verdict.PRESERVED),
    "forgetful": (-0.25, 0.03, Verdict.DEGRADED),
    "few": (-0.01, 0.06, Verdict.UNDECIDED),
}
"""Difference, half of its interval and verdict, on each of the two tasks."""


ROLES = {"base": "base", "kept": "plus", "forgetful": "sft", "few": "instruct"}


def three_models(*models: str) -> Comparison:
    """A model that kept what the base knew, one that forgot it, and one of which there is not enough data.

    Args:
        *models: those that are in it; all three when none is named.
    """
    suites = {name: summary for name, summary in SUITES.items() if name in models or not models}
    changes = {name: CHANGES[name] for name in suites}
    names = ("base", *suites)
    contrasts = {name: reports.contrast(change, half, verdict) for name, (change, half, verdict) in changes.items()}
    scores = {name: reports.score(0.8 + changes.get(name, (0.0,))[0]) for name in names}
    subjects = {
        name: Subject(
            n_items=100,
            scores={"base": reports.score(0.8)},
            contrasts={
                model: SubjectContrast(difference=change, ci=(change - 0.1, change + 0.1), n_pairs=100, p_value=0.5,
                                       p_adjusted=1.0)
                for model, (change, _, _) in changes.items()
            },
        )
        for name in ("anatomy", "law")
    }  # fmt: skip
    tasks = {
        "facts": reports.task(1000, 0.25, scores, contrasts, subjects=subjects),
        "sums": reports.task(1000, 0.0, scores, contrasts),
    }
    return Comparison(
        baseline="base",
        suite="small",
        models={name: reports.model(ROLES[name]) for name in names},
        tasks=tasks,
        summary={"base": Summary(macro_average=0.8, ci=(0.79, 0.81)), **suites},
        toxicity=toxicity(**{name: harmless(name) for name in names}),
        conversation=conversation(**{name: talking(Verdict.IMPROVED) for name in suites}),
    )


def policy(folder: Path, text: str) -> Policy:
    """A policy written down and read."""
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return load_policy(str(path))


def one_rule(folder: Path, keys: str) -> Policy:
    """A policy of one rule, its keys in braces."""
    return policy(folder, f"rules:\n  only: {keys}\n")
