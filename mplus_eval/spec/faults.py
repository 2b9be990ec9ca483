"""What pydantic finds wrong with a document, a line a fault: where it stands, the value, and what is accepted.

suite mini.yaml: task 'sums': unknown key 'shot'; did you mean shots?
--limit 'ten': a whole number above 0
recipe demo: rlhf.plus.kl.target -1: input should be greater than 0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mplus_eval.spec.fields import Accepts

Place = tuple[int | str, ...]
"""Keys and positions that lead from a document's top to a value."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        place: where it stands.
        kind: pydantic's name for it, such as `missing`.
        value: what stands there.
        accepted: what is accepted instead.
        keys: those that are known where it stands.
    """

    place: Place
    kind: str
    value: object
    accepted: str
    keys: tuple[str, ...]

    def line(self, where: str, name: str) -> str:
        """The line of a fault whose place the reader knows by a name.

        Args:
            where: what is said of the place before the name; empty where the name says all.
            name: the key or the option.
        """
        if self.kind == "extra_forbidden":
            return f"{where}: unknown key {name!r}; {nearest(name, self.keys)}"
        if self.kind == "missing":
            return f"{where}: {name!r} is missing"
        told = f"{f'{where}: ' if where else ''}{name} {repr(self.value)[:100]}"
        if self.kind == "string_pattern_mismatch":
            return f"{told} cannot be a path; letters, digits, '.', '_' and '-' are accepted"
        return f"{told}: {self.accepted}"

    def dotted_line(self, where: str) -> str:
        """The line of a fault whose place is told by all of its keys, as in `rlhf.plus.kl`."""
        place = ".".join(map(str, self.place))
        if self.kind == "extra_forbidden":
            return f"{where}: unknown key {place!r}; {nearest(str(self.place[-1]), self.keys)}"
        if self.kind == "missing":
            return f"{where}: {place} is missing"
        # What is wrong with a whole mapping names the keys itself.
        value = "" if isinstance(self.value, dict | BaseModel) else f" {self.value!r}"
        accepted = _lower_first(self.accepted.removeprefix("value error, "))
        return f"{where}: {place}{value}: {accepted}" if place else f"{where}: {accepted}"


def faults_of(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Every fault that pydantic found in a document of a model, in its order."""
    faults = []
    for fault in error.errors():
        place = fault["loc"]
        fields, words = _walk(model, place[:-1] if fault["type"] == "extra_forbidden" else place)
        accepted = words or _lower_first(fault["msg"])
        faults.append(Fault(place, fault["type"], fault["input"], accepted, tuple(fields.model_fields)))
    return faults


def nearest(name: str, known: Sequence[str]) -> str:
    """Say which of the known names a wrong one was probably meant to be."""
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"


def _walk(model: type[BaseModel], place: Place) -> tuple[type[BaseModel], str]:
    """Follow a place through the annotations of models.

    Returns:
        The innermost model on the way, and what the first field on it that says so accepts.
    """
    words = ""
    annotations: list[object] = [model]
    for part in place:
        inner: list[object] = []
        for annotation in annotations:
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                if (field := annotation.model_fields.get(str(part))) is not None:
                    inner += _alternatives(field.annotation)
                    words = words or next(
                        (beside.words for beside in field.metadata if isinstance(beside, Accepts)), ""
                    )
            elif (origin := get_origin(annotation)) is tuple and isinstance(part, int):
                inner += _alternatives(get_args(annotation)[0])
            elif isinstance(origin, type) and issubclass(origin, Mapping):
                inner += _alternatives(get_args(annotation)[1])
        # Pydantic also names the alternative of a union that it tried, which leads no further.
        annotations = inner or annotations
        models = [each for each in annotations if isinstance(each, type) and issubclass(each, BaseModel)]
        model = next(iter(models), model)
    return model, words


def _alternatives(annotation: object) -> list[object]:
    """The types of a union, without what is annotated beside them."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [each for alternative in get_args(annotation) for each in _alternatives(alternative)]
    return [annotation]


def _lower_first(words: str) -> str:
    return words[0].lower() + words[1:]
