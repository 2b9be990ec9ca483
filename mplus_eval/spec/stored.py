"""What does not go together with results that other tools stored: nobody can be asked anything more."""

from __future__ import annotations

from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.results import RUN

_PLACE = frozenset({"name", "source", "role", "results"})
"""Keys of a model that say nothing of how it is loaded or asked."""
_PAIRED = ("lm-eval",)
"""The tools whose documents are paired with those of models that are run here."""


def stored_contradictions(spec: CompareSpec) -> list[str]:
    """What was asked for and cannot be had of stored results, a line each."""
    faults = []
    for model in spec.stored:
        for key in sorted(model.model_fields_set - _PLACE):
            if getattr(model, key) != type(model).model_fields[key].default:
                why = f"belongs to a model that is run, and its results are stored (results={RUN} has it run)"
                faults.append(f"model {model.name!r}: {key} {why}")
    asked_more = {
        "--limit": spec.limit is not None,
        "--budget": spec.budget is not None,
        "--trajectory": bool(spec.trajectory),
        "--sequential": spec.sequential,
        "--noise-floor": spec.noise_floor,
        "--toxicity": bool(spec.toxicity or spec.scorers),
        "--conversation": bool(spec.conversation or spec.judges),
        "capability: false": not spec.capability,
    }
    name = spec.stored[0].name
    faults += [
        f"{option}: not with stored results ({name!r}), which are compared on all items that the models share"
        for option, given in asked_more.items()
        if given
    ]
    others = [model for model in spec.models if spec.results_of(model) is None]
    kinds = dict.fromkeys(kind for model in spec.stored if (kind := spec.results_of(model)) not in _PAIRED)
    if others and kinds:
        told = f"models that are run here ({others[0].name!r}) are compared with stored results of {_PAIRED[0]} alone"
        faults.append(f"{told}, not of {', '.join(str(kind) for kind in kinds)}")
    return faults
