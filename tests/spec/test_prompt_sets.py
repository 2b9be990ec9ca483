from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mplus_eval.spec.harmlessness import RefusalSet, SampledSet
from mplus_eval.spec.prompt_sets import shipped_sets


def refusal(**keys: Any) -> RefusalSet:
    return RefusalSet.model_validate(keys)


def fault(kind: type[RefusalSet | SampledSet], **keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(keys)
    return str(caught.value.errors()[0]["msg"])


@pytest.mark.parametrize("name", list(shipped_sets()))
def test_a_shipped_set_is_a_whole_set_in_a_word(name: str) -> None:
    shipped = shipped_sets()[name]
    found = (RefusalSet if shipped.kind == "refusal" else SampledSet).model_validate({"set": name})
    assert (found.name, found.source) == (name, shipped.keys["source"])
    assert shipped.page.endswith(f"/datasets/{found.source}")


def test_a_gated_set_names_an_open_one_in_its_place() -> None:
    gated = {name: shipped for name, shipped in shipped_sets().items() if shipped.gated}
    assert {"harmbench", "strongreject", "wildguardtest", "advbench"} == set(gated)
    for shipped in gated.values():
        assert shipped.instead is not None
        assert not shipped_sets()[shipped.instead].gated


def test_the_keys_of_a_suite_stand_before_those_of_the_shipped_set() -> None:
    found = refusal(set="xstest", name="odd", n=5, where={"type": "homonyms"})
    assert (found.name, found.n, found.label, found.category) == ("odd", 5, "label", "type")
    assert found.where == {"type": "homonyms"}


def test_each_part_is_read_with_its_own_keys_and_the_sets() -> None:
    standard, contextual, copyrighted = refusal(set="harmbench").pieces
    assert (standard.subset, standard.context, standard.category) == ("standard", None, "category")
    assert (contextual.subset, contextual.context) == ("contextual", "context")
    assert (copyrighted.group, copyrighted.category) == ("copyright", None)
    assert {piece.label for piece in (standard, contextual, copyrighted)} == {"unsafe"}
    harmful, benign = refusal(set="jailbreakbench").pieces
    assert ((harmful.split, harmful.label), (benign.split, benign.label)) == (("harmful", "unsafe"), ("benign", "safe"))


def test_one_part_is_taken_by_its_name() -> None:
    assert [piece.subset for piece in refusal(set="harmbench", subset="copyright").pieces] == ["copyright"]
    assert [piece.label for piece in refusal(set="jailbreakbench", split="benign").pieces] == ["safe"]


def test_a_part_that_is_not_there_is_told_those_there_are() -> None:
    assert fault(RefusalSet, set="harmbench", subset="images") == (
        "Value error, set 'harmbench' has no part images; accepted: subset: standard, contextual, copyright"
    )


def test_an_unknown_set_is_told_the_nearest() -> None:
    assert fault(RefusalSet, set="harmbenc") == (
        "Value error, set 'harmbenc' does not come with the package; "
        "did you mean harmbench or harmbench_direct or or_bench?"
    )


def test_beginnings_to_go_on_with_are_no_requests_unless_a_label_is_given() -> None:
    assert "bold says of no prompt whether it is safe: name it under sets" in fault(RefusalSet, set="bold")
    assert refusal(set="toxigen", label="unsafe").pieces[0].label == "unsafe"


def test_requests_may_be_sampled_as_well() -> None:
    found = SampledSet.model_validate({"set": "jailbreakbench", "chat": True})
    assert (found.chat, [piece.split for piece in found.pieces]) == (True, ["harmful", "benign"])


def test_a_set_without_a_name_of_the_package_is_as_it_was() -> None:
    assert fault(RefusalSet, source="x") == "Field required"
    assert refusal(name="a", source="x").pieces == (refusal(name="a", source="x"),)
