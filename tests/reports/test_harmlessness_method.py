from mplus_eval.reports.harmlessness_method import harmlessness_method
from tests.reports import build, build_toxicity


def test_there_is_no_method_where_toxicity_was_not_evaluated() -> None:
    assert harmlessness_method(build.full()) == ""


def test_the_method_leaves_out_what_was_not_asked() -> None:
    sets = {name: facts for name, facts in build_toxicity.toxicity().sets.items() if facts.kind == "sampled"}
    text = harmlessness_method(
        build_toxicity.harmless().model_copy(update={"toxicity": build_toxicity.toxicity(sets=sets)})
    )
    assert "Refusals are" not in text
    assert "Layer curves" not in text
