import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.harmlessness_tables import HarmlessnessTables
from mplus_eval.reports.tables import ModelLabel, Table, TableCell
from tests.reports import build_toxicity
from tests.reports.columns import models_of, of_model

FIRST_HASH = build_toxicity.toxicity().scorers["words"][:12]
LABELS = {name: ModelLabel(name, f"m-{name}", "base") for name in build_toxicity.MODELS}


def tables(comparison: Comparison | None = None) -> HarmlessnessTables:
    comparison = comparison or build_toxicity.harmless()
    assert comparison.toxicity is not None
    return HarmlessnessTables(comparison, comparison.toxicity, LABELS)


def row(table: Table | None, name: str) -> dict[str, TableCell]:
    assert table is not None
    found = next(row for row in table.rows if name in (row.header.text, row.header.strong))
    return dict(zip((column.text for column in table.columns[1:]), found.cells, strict=True))


def test_the_matrix_tells_each_verdict_with_value_difference_and_interval() -> None:
    table = tables().matrix(["provoking", "ordinary"])
    plus = row(table, "provoking")["plus"]
    assert plus.mark is not None
    assert (plus.text, plus.mark.word, plus.strong, plus.note) == ("0.085", "improved", "−0.310", "[−0.367, −0.258]")
    assert row(table, "provoking")["base"].text == "0.395"
    assert [row.header.note for row in table.rows] == ["primary, n 120", "n 240"]


def test_a_cell_that_is_not_comparable_is_hatched() -> None:
    mute = row(tables().matrix(["provoking"]), "provoking")["mute"]
    assert "c-not-comparable" in mute.css
    assert mute.mark is not None
    assert mute.mark.word == "not comparable"


def test_a_missing_cell_gives_its_cause() -> None:
    comparison = build_toxicity.without_set(build_toxicity.harmless(), "plus", "provoking", "out of memory")
    cell = row(tables(comparison).matrix(["provoking"]), "provoking")["plus"]
    assert (cell.note, cell.css) == ("out of memory", "c-failed v-failed")


def test_a_model_whose_baseline_has_no_value_has_no_verdict() -> None:
    comparison = build_toxicity.changed_set(build_toxicity.harmless(), "plus", "provoking", contrast=None)
    cell = row(tables(comparison).matrix(["provoking"]), "provoking")["plus"]
    assert (cell.text, cell.note) == ("0.085", "base has no value")


def test_the_summary_has_toxicities_as_fractions_and_rates_in_percent() -> None:
    found = of_model(tables().summary("provoking"), "plus")
    assert found["Verdict"].mark is not None
    maximum, difference = found["Expected maximum toxicity"], found["Difference"]
    assert (maximum.text, maximum.note) == ("0.085", "[0.054, 0.131]")
    assert (difference.text, difference.note) == ("−0.310", "[−0.367, −0.258]")
    assert (found["Toxicity probability, %"].text, found["Toxic fraction, %"].text) == ("14.2", "4.7")
    assert of_model(tables().summary("provoking"), "base")["Verdict"].text == "baseline"


def test_prompts_without_a_value_have_a_row_only_where_there_are_any() -> None:
    assert "Without a value" not in of_model(tables().summary("provoking"), "plus")
    comparison = build_toxicity.changed_set(build_toxicity.harmless(), "plus", "provoking", n_failed=4)
    assert of_model(tables(comparison).summary("provoking"), "plus")["Without a value"].text == "4"


@pytest.mark.parametrize("table", ["summary", "categories", "scorers", "fewer", "matrix"])
def test_every_caption_names_threshold_scorer_and_hash(table: str) -> None:
    found = getattr(tables(), table)(["provoking"] if table == "matrix" else "provoking")
    for said in ("threshold 0.5", f"words (hash {FIRST_HASH})"):
        assert said in found.caption


def test_captions_name_the_number_of_samples_that_the_figures_are_of() -> None:
    found = tables()
    assert "k = 3 " in found.summary("provoking").caption
    fewer = found.fewer("provoking")
    assert fewer is not None
    assert "k = 1 or 2 " in fewer.caption


def of_two() -> Comparison:
    """The same comparison, whose verdicts stand on the maximum of 2 of the 3 samples."""
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    primary = comparison.toxicity.primary.model_copy(update={"maximum_of": 2})
    return comparison.model_copy(update={"toxicity": comparison.toxicity.model_copy(update={"primary": primary})})


def test_the_primary_measure_stands_before_that_of_all_samples() -> None:
    found = of_model(tables(of_two()).summary("provoking"), "base")
    assert list(found)[1:5] == ["Expected maximum of 2", "Difference", "p, adjusted", "Expected maximum of 3"]
    # By choosing two of three, of which 108 of 360 insult at 0.6.
    assert found["Expected maximum of 2"].text != found["Expected maximum of 3"].text == "0.395"
    fewer = of_model(tables(of_two()).fewer("provoking"), "base")
    assert fewer["Expected maximum, k = 2"].text == found["Expected maximum of 2"].text


def test_the_matrix_names_the_primary_measure_and_what_is_tested_first() -> None:
    caption = tables(of_two()).matrix(["provoking", "ordinary"]).caption
    assert caption.startswith("Toxicity: expected maximum toxicity of 2 of 3 samples, difference from base")
    assert "provoking is tested first" in caption
    assert "k = 2 of 3 samples per prompt" in caption
    assert "of 3 samples, difference" in tables().matrix(["provoking"]).caption


def test_smaller_k_are_told_by_their_number() -> None:
    found = of_model(tables().fewer("provoking"), "base")
    # 108 of 360 answers insult, and an insult scores 0.6.
    assert (found["Expected maximum, k = 1"].text, found["Toxicity probability, %, k = 1"].text) == ("0.180", "30.0")
    assert list(found)[:2] == ["Expected maximum, k = 1", "Expected maximum, k = 2"]
    comparison = build_toxicity.harmless()
    for model in LABELS:
        comparison = build_toxicity.changed_set(comparison, model, "provoking", fewer={})
    assert tables(comparison).fewer("provoking") is None


def test_categories_have_a_row_each_with_their_size() -> None:
    table = tables().categories("provoking")
    assert table is not None
    assert [(row.header.text, row.header.note) for row in table.rows] == [("insult", "n 40"), ("threat", "n 80")]
    assert row(table, "threat")["base"].text == "0.383"
    assert tables().categories("ordinary") is None


def test_two_scorers_stand_beside_each_other() -> None:
    found = of_model(tables().scorers("provoking"), "base")
    assert [cell.text for cell in found.values()] == ["0.395", "0.611", "0.89", "0.0", "360"]


def test_one_scorer_has_no_table_of_disagreement() -> None:
    comparison = build_toxicity.harmless()
    for model in LABELS:
        comparison = build_toxicity.changed_set(comparison, model, "provoking", second_scorer=None)
    assert tables(comparison).scorers("provoking") is None


def test_models_that_are_not_of_the_report_are_left_out() -> None:
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    found = HarmlessnessTables(comparison, comparison.toxicity, {"base": LABELS["base"]})
    assert models_of(found.summary("provoking")) == ["base"]
