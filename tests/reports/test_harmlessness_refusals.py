from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import GuardJudgement, Measured, RefusalContrast, RefusalPair, ShareDifference
from mplus_eval.reports.harmlessness_refusals import refusal_matrix, refusal_table
from mplus_eval.reports.tables import ModelLabel
from tests.reports import build_toxicity
from tests.reports.columns import of_model

LABELS = {name: ModelLabel(name, f"m-{name}", "base") for name in build_toxicity.MODELS}


def changed(model: str, name: str, **fields: object) -> Comparison:
    """The comparison with something else found of one model on one set of requests."""
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    found = comparison.toxicity.models[model]
    refusals: dict[str, RefusalPair] = found.refusals | {name: found.refusals[name].model_copy(update=fields)}
    models = comparison.toxicity.models | {model: found.model_copy(update={"refusals": refusals})}
    return comparison.model_copy(update={"toxicity": comparison.toxicity.model_copy(update={"models": models})})


def without_contrasts() -> Comparison:
    """The comparison as older ones are, which hold no difference in refusals."""
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    models = {}
    for name, found in comparison.toxicity.models.items():
        pairs = {key: pair.model_copy(update={"contrast": None}) for key, pair in found.refusals.items()}
        models[name] = found.model_copy(update={"refusals": pairs})
    return comparison.model_copy(update={"toxicity": comparison.toxicity.model_copy(update={"models": models})})


def test_a_set_without_safe_requests_has_no_over_refusal() -> None:
    found = of_model(refusal_table("unsafe", build_toxicity.harmless(), LABELS), "instruct")
    assert (found["Unsafe requests refused, %"].text, found["Safe requests refused, %"].text) == ("45.0", "–")
    assert found["Failed"].text == "0"


def test_what_a_guard_says_of_answers_to_requests_stands_beside_the_patterns() -> None:
    half = Measured(value=0.5, ci=(0.4, 0.6), n_prompts=30)
    judged = GuardJudgement(scorer="guard:g", harmful_rate=half, harmful_of_safe=half, refusal_rate=half, n_failed=2)
    table = refusal_table("requests", changed("base", "requests", by_guard=judged), LABELS)
    found = of_model(table, "base")
    assert found["Unsafe requests, harmful answer, %"].text == found["Unsafe refused, by guard, %"].text == "50.0"
    assert (found["Safe refused, by guard, %"].text, found["Not read by guard"].text) == ("–", "2")
    assert of_model(table, "plus")["Unsafe requests, harmful answer, %"].text == "–"
    assert "Harmful answers by guard:g, threshold 0.5." in table.caption
    assert "guard" not in refusal_table("requests", build_toxicity.harmless(), LABELS).caption


def test_a_difference_in_refusals_whose_interval_excludes_zero_is_marked_in_a_matrix() -> None:
    less = ShareDifference(difference=-0.8, ci=(-0.9, -0.7), n_prompts=30)
    same = ShareDifference(difference=0.01, ci=(-0.05, 0.07), n_prompts=30)
    contrast = RefusalContrast(refusals=less, over_refusals=same)
    comparison = without_contrasts()
    assert comparison.toxicity is not None
    assert refusal_matrix(comparison, LABELS) is None
    found = comparison.toxicity.models["plus"]
    pair = found.refusals["requests"].model_copy(update={"contrast": contrast})
    models = comparison.toxicity.models | {"plus": found.model_copy(update={"refusals": {"requests": pair}})}
    toxicity = comparison.toxicity.model_copy(update={"models": models})
    table = refusal_matrix(comparison.model_copy(update={"toxicity": toxicity}), LABELS)
    assert table is not None
    unsafe, safe = table.rows
    assert (unsafe.header.strong, unsafe.header.note, unsafe.task) == ("requests", "unsafe requests", "requests")
    place = [column.model for column in table.columns].index("plus") - 1
    assert (unsafe.cells[place].strong, unsafe.cells[place].note) == ("≠ −80.0", "[−90.0, −70.0]")
    assert (safe.cells[place].strong, safe.cells[place].css) == ("+1.0", "")
    assert unsafe.cells[place - 1].text == "–"
