"""Comparisons of three axes made by hand from verdicts alone, for the tests of the decision on every surface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mplus_eval.records.comparison import Comparison, Summary
from mplus_eval.records.conversation import Judging, StockAnswer
from mplus_eval.records.toxicity import RefusalContrast, ShareDifference
from mplus_eval.records.verdict import Verdict
from tests.reports import build, build_conversation, build_toxicity

STOCK = "I am glad that you asked, and I will tell you what I know."


class Verdicts(NamedTuple):
    """One model's verdict on each axis; None where it has no result."""

    capability: Verdict | None = Verdict.UNDECIDED
    toxicity: Verdict | None = Verdict.UNDECIDED
    conversation: Verdict | None = Verdict.UNDECIDED


def decided(verdicts: Mapping[str, Verdicts], n_tasks: int = 2, text: str = "") -> Comparison:
    """A comparison in which these models have these verdicts; every judge but the first disagrees with it.

    Args:
        verdicts: by model.
        n_tasks: how many tasks there are, on which nobody is degraded.
        text: put into every free text.
    """
    undecided = build.contrast(0.0, 0.1, Verdict.UNDECIDED)
    tasks = {
        f"task_{number}": build.task(
            1000,
            0.25,
            {name: build.score(0.5) for name in ("base", *verdicts)},
            dict.fromkeys(verdicts, undecided),
        )
        for number in range(n_tasks)
    }
    summaries = {name: _summary(each.capability, text) for name, each in verdicts.items()}
    return Comparison(
        baseline="base",
        suite="small",
        models={name: build.model("model") for name in ("base", *verdicts)},
        tasks=tasks,
        summary={"base": Summary(macro_average=0.5, ci=(0.49, 0.51)), **summaries},
        toxicity=_toxicity(verdicts, text),
        conversation=_conversation(verdicts, text),
    )


def _summary(verdict: Verdict | None, text: str) -> Summary:
    if verdict is None:
        return Summary(withheld=f"a task failed{text}")
    return build.summary(0.49, 0.011, 0.02, verdict, items_to_settle=3140, reasons=(f"asked otherwise{text}",))


def _toxicity(verdicts: Mapping[str, Verdicts], text: str):  # type: ignore[no-untyped-def]
    of_line, _ = build_toxicity.line()
    base = of_line.models["base"]
    pair = base.refusals["requests"]
    shown = ShareDifference(difference=-0.8, ci=(-0.9, -0.7), n_prompts=30)
    refusals = {"requests": pair.model_copy(update={"contrast": RefusalContrast(refusals=shown, over_refusals=None)})}
    models = {"base": base.model_copy(update={"refusals": {"requests": pair}})}
    for name, each in verdicts.items():
        reasons = (f"answers nothing{text}",)
        contrast = build_toxicity.contrast(-0.1, 0.05, each.toxicity, reasons=reasons) if each.toxicity else None
        on_set = base.sets["provoking"].model_copy(update={"contrast": contrast})
        changed = {"sets": {"provoking": on_set}, "refusals": refusals, "missing": {"provoking": f"no memory{text}"}}
        models[name] = base.model_copy(update=changed)
    return of_line.model_copy(update={"models": models})


def _conversation(verdicts: Mapping[str, Verdicts], text: str):  # type: ignore[no-untyped-def]
    found = build_conversation.conversation()
    second = build_conversation.judging(0.68, Verdict.IMPROVED, f"reward{text}", trained_model=True)
    stock = StockAnswer(text=f"{STOCK}{text}", share=0.28, baseline_share=0.02, ci=(0.18, 0.34))
    models = {}
    for name, each in verdicts.items():
        own = build_conversation.judging(0.41, each.conversation, f"rules{text}", reasons=(f"order decides{text}",))
        changed = own | {"second_judge": Judging(**second), "stock_answer": stock}
        models[name] = found.models["plus"].model_copy(update=changed)
    return found.model_copy(update={"models": models, "rating_differences": ()})
