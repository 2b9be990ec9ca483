from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from mplus_eval.spec.faults import Fault, faults_of, nearest
from mplus_eval.spec.fields import Accepts, Fields, Name, Positive


class Leaf(Fields):
    colour: str = "green"
    veins: Positive | Literal["many"] = 1


class Fruit(Fields):
    sweetness: float = Field(default=0.5, ge=0, le=1)


class Tree(Fields):
    name: Name
    height: Annotated[Positive | None, Accepts("metres, above 0")] = None
    leaves: tuple[Leaf, ...] = ()
    fruit: Fruit | None = None
    harvests: Mapping[str, Fruit | bool] = Field(default_factory=dict)
    grafted: Literal["no"] | tuple[Leaf, ...] = "no"
    seasons: Annotated[tuple[int, ...], Accepts("numbers of seasons")] = ()

    @model_validator(mode="after")
    def _fits(self) -> Tree:
        if self.fruit and not self.leaves:
            raise ValueError("Fruit needs leaves")
        return self


def faults(**document: object) -> list[Fault]:
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate({"name": "oak", **document})
    return faults_of(caught.value, Tree)


def test_a_fault_says_what_stands_where_and_what_is_accepted() -> None:
    (fault,) = faults(fruit={"sweetness": 2})
    assert (fault.place, fault.value) == (("fruit", "sweetness"), 2)
    assert fault.line("tree oak: fruit", "sweetness") == (
        "tree oak: fruit: sweetness 2: input should be less than or equal to 1"
    )
    assert fault.dotted_line("tree oak") == "tree oak: fruit.sweetness 2: input should be less than or equal to 1"


def test_an_option_needs_no_place_beside_its_name() -> None:
    assert faults(height=0)[0].line("", "--height") == "--height 0: metres, above 0"


def test_what_a_field_says_it_accepts_holds_for_all_that_stands_in_it() -> None:
    assert [fault.accepted for fault in faults(seasons=["a", 2, "b"])] == ["numbers of seasons"] * 2


@pytest.mark.parametrize(
    ("document", "accepted"),
    [
        ({"heigth": 3}, "did you mean height?"),
        ({"leaves": [{}, {"color": "red"}]}, "did you mean colour?"),
        ({"fruit": {"sweet": 1}}, "did you mean sweetness?"),
        ({"harvests": {"leaves": {"swetness": 1}}}, "did you mean sweetness?"),
        ({"grafted": [{"vein": 1}]}, "did you mean veins?"),
        ({"fruit": {"zzz": 1}}, "known: sweetness"),
    ],
)
def test_an_unknown_key_is_told_those_of_the_model_that_it_stands_in(
    document: dict[str, object], accepted: str
) -> None:
    (fault,) = [fault for fault in faults(**document) if fault.kind == "extra_forbidden"]
    key = str(fault.place[-1])
    assert fault.line("tree oak", key) == f"tree oak: unknown key {key!r}; {accepted}"
    dotted = ".".join(map(str, fault.place))
    assert fault.dotted_line("tree oak") == f"tree oak: unknown key {dotted!r}; {accepted}"


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate({})
    (fault,) = faults_of(caught.value, Tree)
    assert fault.line("tree", "name") == "tree: 'name' is missing"
    assert fault.dotted_line("tree") == "tree: name is missing"


def test_a_name_that_is_no_path_is_told_what_it_may_be_of() -> None:
    assert faults(name="a/b")[0].line("tree", "name").startswith("tree: name 'a/b' cannot be a path; letters, digits")


def test_a_long_value_is_cut() -> None:
    assert len(faults(height="x" * 500)[0].line("", "--height")) < 150


def test_what_is_wrong_with_a_whole_document_has_no_place() -> None:
    (fault,) = faults(fruit={})
    assert fault.dotted_line("tree oak") == "tree oak: fruit needs leaves"


def test_the_nearest_names_are_told_or_all_of_them() -> None:
    assert nearest("limt", ["limit", "suite"]) == "did you mean limit?"
    assert nearest("zzz", ["limit", "suite"]) == "known: limit, suite"
